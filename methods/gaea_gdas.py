"""GAEA GDAS: exponentiated gradient on the distribution from which GDAS samples its operations.

Li, Khodak, Balcan, Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search" (ICLR 2021),
Algorithm 1 with the sampled gradient of Dong and Yang (GDAS, CVPR 2019), as released (liamcli/gaea_release, `egdas`):
bilevel; the loss has a penalty lambda * sum theta log(K theta); after the product the rows are normalised first and
floored then, so they sum to slightly more than 1, which sampling does not see and `distribution` divides out.

Defaults: lr 0.01, floor 1e-5, lambda 0.01, no architecture steps in the first 50 of 250 epochs, temperature
10 - 9.9 * (epoch - 50) / (epochs - 1) from then on, which does not reach 0.1, as in the released code. No published
number of this method is known.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SampledWeights
from harness.search.simplex import exponentiated_gradient, gumbel_one_hot


@final
class GaeaGdas(SampledWeights):
    def __init__(
        self,
        space: SearchSpace,
        lr: float = 0.01,
        floor: float = 1e-5,
        entropy_weight: float = 0.01,
        warmup: float = 0.2,
        tau_first: float = 10.0,
        tau_last: float = 0.1,
    ) -> None:
        super().__init__(space)
        self.lr = lr
        self.floor = floor
        self.entropy_weight = entropy_weight
        self.warmup = warmup
        self.tau_first = self.tau = tau_first
        self.tau_last = tau_last
        self.theta = nn.Parameter(torch.full(space.shape, 1 / space.shape[1]))  # (R, K)

    def distribution(self) -> Tensor:
        return self.theta / self.theta.sum(dim=-1, keepdim=True)

    def before_epoch(self, problem: Problem) -> None:
        active = max(0.0, problem.epoch - self.warmup * problem.epochs)
        self.tau = self.tau_first + (self.tau_last - self.tau_first) * active / max(1, problem.epochs - 1)

    def forward(self) -> Tensor:
        return gumbel_one_hot(self.theta.log(), self.tau)

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        return loss + self.entropy_weight * (self.theta * (self.theta * self.space.shape[1]).log()).sum()

    def architecture_step(self, problem: Problem) -> None:
        outcome = problem.loss(self(), problem.held_out_batch, sampled=True)
        problem.set_gradient(self.objective(*outcome))
        self.step()

    @torch.no_grad()
    def step(self) -> None:
        assert self.theta.grad is not None
        self.theta.copy_(exponentiated_gradient(self.theta, self.theta.grad, self.lr).clamp(min=self.floor))
