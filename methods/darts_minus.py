"""DARTS-: DARTS with an auxiliary skip connection on every edge, which fades out.

Chu, Wang, Zhang, Lu, Wei, Yan, "DARTS-: Robustly Stepping out of Performance Collapse Without Indicators" (ICLR 2021),
Equation 6 and Algorithm 1, as in the authors' code (Meituan-AutoML/DARTS-). With theta = softmax(alpha), an edge is

    sum over operations o of theta_o * o(x) + beta * auxiliary(x)

in both steps and when the supernet is validated; everything else is `darts`. The auxiliary skip connection is the
identity, or on edges of stride 2 a factorized reduction with weights of its own, and is no part of the derived cell. So
the skip connection among the candidates does not grow because it eases the training. In epoch t of T, beta is

    linear        1 - t / T             cosine   (1 + cos(pi t / T)) / 2
    slow-cosine   cos(pi t / (2 T))     constant 1

times `beta_first`. (In the code T is a setting of its own, 50, the number of epochs of its searches.)

Defaults: beta_first 1, linear, Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from
N(0, 1e-3²), the values of that code and its script.
"""

from collections.abc import Callable
from math import cos, pi
from typing import ClassVar, final

import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam

SCHEDULES: dict[str, Callable[[float], float]] = {
    "linear": lambda share: 1 - share,
    "cosine": lambda share: (1 + cos(pi * share)) / 2,
    "slow-cosine": lambda share: cos(pi * share / 2),
    "constant": lambda _: 1.0,
}


@final
class DartsMinus(SoftmaxAdam):
    paper = "Chu et al., DARTS-: Robustly Stepping out of Performance Collapse Without Indicators, ICLR 2021"
    family = "robust"
    supernet: ClassVar = {"auxiliary_skip": True}

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        beta_first: float = 1.0,
        schedule: str = "linear",
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {schedule!r}")
        self.beta_first = self.beta = beta_first
        self.schedule = schedule

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        if space.edge_target is not None:
            return None
        return "it adds a skip connection to every edge, but the choices here are not edges"

    def before_epoch(self, problem: Problem) -> None:
        self.beta = self.beta_first * SCHEDULES[self.schedule](problem.epoch / problem.epochs)

    def forward(self) -> Tensor:
        theta = self.distribution()
        return torch.cat([theta, theta.new_full((len(theta), 1), self.beta)], dim=1)  # (R, K + 1)

    def evaluation_weights(self) -> Tensor:
        weights: Tensor = self()
        return weights
