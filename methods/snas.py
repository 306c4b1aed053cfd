"""SNAS: operation weights are soft samples of the concrete distribution, whose logits are learned.

Xie, Zheng, Liu, Lin, "SNAS: Stochastic Neural Architecture Search" (ICLR 2019), Equation 4: with Gumbel noise g,

    theta = softmax((alpha + g) / tau), a new sample in every pass; alpha descends the validation loss through it

This is the version behind the NAS-Bench-201 row that later papers quote, which stands in the README of DrNAS and is run
by its code (xiangning-chen/DrNAS, `--method snas`): bilevel, first order, samples also in the weight step and in
validation, cells derived from softmax(alpha). The authors' own search on the DARTS space (SNAS-Series) takes both steps
with one batch and one sample, and keeps all 14 edges of a cell, which no cell of the DARTS space does; **on the DARTS
space this method is not that search**.

Defaults: tau = 10 - 9 epoch / epochs, which ends just above 1; Adam with lr 3e-4, betas (0.5, 0.999), weight decay
1e-3; logits drawn from N(0, 1e-3²), the values of DrNAS's code.
"""

from typing import final

from torch import Tensor

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam
from harness.search.simplex import gumbel_softmax


@final
class Snas(SoftmaxAdam):
    paper = "Xie et al., SNAS: Stochastic Neural Architecture Search, ICLR 2019"
    family = "stochastic"

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        tau_max: float = 10.0,
        tau_min: float = 1.0,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        self.tau_max = self.tau = tau_max
        self.tau_min = tau_min

    def before_epoch(self, problem: Problem) -> None:
        self.tau = self.tau_max - (self.tau_max - self.tau_min) * problem.epoch / problem.epochs

    def forward(self) -> Tensor:
        return gumbel_softmax(self.logits(), self.tau)

    def evaluation_weights(self) -> Tensor:
        return self.weights_for_training()
