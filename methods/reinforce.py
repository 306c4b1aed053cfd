"""REINFORCE: policy gradient on independent softmax policies, one per edge.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning" (Machine Learning
1992), as in the baseline of the NAS-Bench-201 paper (D-X-Y/AutoDL-Projects, reinforce): with a cell a ~ softmax(alpha)
and its accuracy r, alpha ascends (r - b) log p(a) with Adam; b is the bias-corrected moving average of r, updated
before it is used.

Defaults: lr 0.001 and momentum 0.9, logits drawn from N(0, 1e-3), of the script that takes a time budget (other
versions of it have lr 0.5, which cannot have made the published row). The answer is the best cell asked.
"""

from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch, SearchSpace

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # of Adam


@final
class Reinforce(BlackBox):
    def __init__(self, space: SearchSpace, lr: float = 0.001, momentum: float = 0.9, init_std: float = 1e-3) -> None:
        super().__init__(space)
        self.lr = lr
        self.momentum = momentum
        self.init_std = init_std

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        alpha = self.init_std * rng.standard_normal(self.space.shape)  # (E, K)
        first, second = np.zeros_like(alpha), np.zeros_like(alpha)
        average, step = 0.0, 0
        while True:
            step += 1
            policy = np.exp(alpha - alpha.max(axis=1, keepdims=True))
            policy /= policy.sum(axis=1, keepdims=True)
            chosen = one_hot(policy, rng)
            accuracy = yield self.space.discretize(chosen)
            average = self.momentum * average + (1 - self.momentum) * accuracy
            baseline = average / (1 - self.momentum**step)
            gradient = -(accuracy - baseline) * (chosen - policy)  # of the loss -(r - b) log p(a)
            first = BETA1 * first + (1 - BETA1) * gradient
            second = BETA2 * second + (1 - BETA2) * gradient**2
            scale = np.sqrt(second / (1 - BETA2**step)) + EPSILON
            alpha -= self.lr * first / (1 - BETA1**step) / scale


def one_hot(policy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(E, K): in each row one entry, drawn with the probabilities of that row of `policy`."""
    draws = rng.random((len(policy), 1))
    columns = (policy.cumsum(axis=1) < draws).sum(axis=1).clip(max=policy.shape[1] - 1)
    return np.asarray(np.eye(policy.shape[1])[columns])
