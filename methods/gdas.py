"""GDAS: sample one operation per edge with a straight-through Gumbel-softmax gradient.

Dong and Yang, "Searching for A Robust Neural Architecture in Four GPU Hours" (CVPR 2019), Equations 3 to 6. Weight and
architecture steps both sample; only the sampled operations are computed.

Where an architecture keeps several options of a choice, as many are sampled without replacement: those of the largest
perturbed logits (Kool, van Hoof and Welling, ICML 2019), with the gradient of the same tempered softmax. That is ours.

Defaults: temperature from 10 to 0.1, linearly over the epochs; Adam with lr 3e-4, betas (0.5, 0.999), weight decay
1e-3; logits drawn from N(0, 1e-3²), the values of the NAS-Bench-201 baseline (D-X-Y/AutoDL-Projects, GDAS).
"""

from typing import final

from torch import Tensor

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SampledWeights, SoftmaxAdam
from harness.search.simplex import gumbel_one_hot


@final
class Gdas(SampledWeights, SoftmaxAdam):
    paper = "Dong, Yang, Searching for A Robust Neural Architecture in Four GPU Hours, CVPR 2019"
    family = "gdas"

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        tau_first: float = 10.0,
        tau_last: float = 0.1,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        self.tau_first = self.tau = tau_first
        self.tau_last = tau_last

    def before_epoch(self, problem: Problem) -> None:
        self.tau = self.tau_first + (self.tau_last - self.tau_first) * problem.epoch / max(1, problem.epochs - 1)

    def forward(self) -> Tensor:
        return gumbel_one_hot(self.logits().log_softmax(dim=-1), self.tau, keep=self.space.keep)

    def architecture_step(self, problem: Problem) -> None:
        problem.set_gradient(problem.loss(self(), problem.held_out_batch, sampled=True).loss)
        self.step()
