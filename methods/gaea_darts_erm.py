"""GAEA DARTS, single level: exponentiated gradient on the operation weights, on the training loss itself.

Li, Khodak, Balcan, Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search" (ICLR 2021),
Algorithm 1 with the objective min over (w, theta) of the training loss. The softmax of DARTS is dropped: theta lives
on a product of simplices, one per edge. Each step, with g the gradient of the loss in theta,

    theta <- theta * exp(-lr * g),  every entry raised to at least `floor`,  every row divided by its sum.

Defaults: lr 0.1 and floor 1e-5 of the released NAS-Bench-201 configuration (liamcli/gaea_release, `edarts` with
single_level=true); theta starts uniform, without noise.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import SearchSpace
from harness.search.optimizers import ExponentiatedGradient


@final
class GaeaDartsErm(OneShot):
    bilevel = False

    def __init__(self, space: SearchSpace, lr: float = 0.1, floor: float = 1e-5) -> None:
        super().__init__(space)
        self.theta = nn.Parameter(torch.full(space.shape, 1 / space.shape[1]))  # (R, K)
        self.eg = ExponentiatedGradient([self.theta], lr=lr, floor=floor)

    def distribution(self) -> Tensor:
        return self.theta

    def step(self) -> None:
        self.eg.step()
