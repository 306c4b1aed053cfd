"""GAEA GDAS: exponentiated gradient on the distribution from which GDAS samples its operations.

Li, Khodak, Balcan, Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search" (ICLR 2021),
Algorithm 1 with the sampled gradient of Dong and Yang (GDAS, CVPR 2019), as released (liamcli/gaea_release, `egdas`):
bilevel; the loss has a penalty lambda * sum theta log(K theta); after the update the rows are first normalised and then
floored, so they sum to slightly more than 1, which does not affect sampling and which `distribution` normalises.

Defaults: lr 0.01, floor 1e-5, lambda 0.01, no architecture steps in the first 50 of 250 epochs, temperature
10 - 9.9 * (epoch - 50) / (epochs - 1) afterwards, which does not reach 0.1, as in the released code. No published
result of this method is known.
Tuned ranges, ours: two decades around the defaults.
"""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from harness.api import LogUniform, Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SampledWeights
from harness.search.simplex import (
    divergence_from_uniform,
    exponentiated_gradient,
    gumbel_one_hot,
    log,
    uniform,
)


@final
class GaeaGdas(SampledWeights):
    paper = "Li et al., Geometry-Aware Gradient Algorithms for NAS, ICLR 2021"
    family = "gaea"
    tunable: ClassVar = {"lr": LogUniform(1e-3, 0.1), "entropy_weight": LogUniform(1e-3, 0.1)}

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
        self.theta = nn.Parameter(uniform(space))  # (R, K)

    def distribution(self) -> Tensor:
        return self.theta / self.theta.sum(dim=-1, keepdim=True)

    def before_epoch(self, problem: Problem) -> None:
        active = max(0.0, problem.epoch - self.warmup * problem.epochs)
        self.tau = self.tau_first + (self.tau_last - self.tau_first) * active / max(1, problem.epochs - 1)

    def forward(self) -> Tensor:
        return gumbel_one_hot(log(self.theta, self.mask), self.tau, keep=self.space.keep)

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        return loss + self.entropy_weight * divergence_from_uniform(self.theta, self.mask)

    def architecture_step(self, problem: Problem) -> None:
        outcome = problem.loss(self(), problem.held_out_batch, sampled=True)
        problem.set_gradient(self.objective(*outcome))
        self.step()

    @torch.no_grad()
    def step(self) -> None:
        assert self.theta.grad is not None
        moved = exponentiated_gradient(self.theta, self.theta.grad, self.lr)
        self.theta.copy_(moved.clamp(min=self.floor) * (self.theta > 0))
