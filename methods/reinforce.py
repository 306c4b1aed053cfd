"""REINFORCE: policy gradient with an independent softmax policy per edge.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning" (Machine Learning
1992), as in the baseline of the NAS-Bench-201 paper (D-X-Y/AutoDL-Projects, reinforce): with a cell a ~ softmax(alpha)
and its accuracy r, alpha ascends (r - b) log p(a) with Adam; b is the bias-corrected moving average of r, updated
before it is used.

Defaults: momentum 0.9, logits drawn from N(0, 1e-3²), as in the script with a time budget. Its lr is an argument
without a published value: 0.05 is fitted to the published row of searches on CIFAR-10, to which 0.05 and 0.1 come near
and 0.001 and 0.5 do not (results/README.md); the released commands have 0.001 or 0.5. The best queried cell is
selected.
"""

from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch, SearchSpace

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


@final
class Reinforce(BlackBox):
    paper = "Williams, Simple Statistical Gradient-Following Algorithms, Machine Learning 1992"
    family = "black-box"
    version = 2

    def __init__(self, space: SearchSpace, lr: float = 0.05, momentum: float = 0.9, init_std: float = 1e-3) -> None:
        super().__init__(space)
        self.lr = lr
        self.momentum = momentum
        self.init_std = init_std

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        return None if space.categories else "its policy takes architectures that are independent decisions"

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        choices = np.array(self.space.categories)[:, None]  # (E, 1)
        alpha = self.init_std * rng.standard_normal((len(choices), choices.max()))  # (E, K)
        alpha[np.arange(choices.max()) >= choices] = -np.inf  # no options
        first, second = np.zeros_like(alpha), np.zeros_like(alpha)
        average, step = 0.0, 0
        while True:
            step += 1
            policy = np.exp(alpha - alpha.max(axis=1, keepdims=True))
            policy /= policy.sum(axis=1, keepdims=True)
            chosen = one_hot(policy, rng)
            accuracy = yield self.space.from_categories(chosen.argmax(axis=1))
            average = self.momentum * average + (1 - self.momentum) * accuracy
            baseline = average / (1 - self.momentum**step)
            gradient = -(accuracy - baseline) * (chosen - policy)  # of the loss -(r - b) log p(a)
            first = BETA1 * first + (1 - BETA1) * gradient
            second = BETA2 * second + (1 - BETA2) * gradient**2
            scale = np.sqrt(second / (1 - BETA2**step)) + EPSILON
            alpha -= self.lr * first / (1 - BETA1**step) / scale


def one_hot(policy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(E, K) one-hot rows, drawn with the probabilities of the rows of `policy` (E, K)."""
    draws = rng.random((len(policy), 1))
    columns = (policy.cumsum(axis=1) < draws).sum(axis=1).clip(max=policy.shape[1] - 1)
    return np.asarray(np.eye(policy.shape[1])[columns])
