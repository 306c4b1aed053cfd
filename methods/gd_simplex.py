"""A control: plain gradient descent on theta itself, in the place of `gaea-darts-bilevel`'s exponentiated gradient.

The ablation whose configuration the first release of GAEA's code holds (liamcli/gaea_release, `gdarts`): bilevel, first
order, theta <- theta - lr * g, then every entry raised to at least `floor` and every row divided by its sum.

Defaults: lr 3e-4 of that configuration, floor 1e-5 as in GAEA; theta starts uniform. From there a step of exponentiated
gradient with lr 0.1 is, to first order, one of gradient descent with lr 0.1 / K: for four operations `lr=0.025`
isolates the geometry, while the default has a smaller step as well.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import SearchSpace


@final
class GdSimplex(OneShot):
    def __init__(self, space: SearchSpace, lr: float = 3e-4, floor: float = 1e-5) -> None:
        super().__init__(space)
        self.lr = lr
        self.floor = floor
        self.theta = nn.Parameter(torch.full(space.shape, 1 / space.shape[1]))  # (R, K)

    def distribution(self) -> Tensor:
        return self.theta

    @torch.no_grad()
    def step(self) -> None:
        assert self.theta.grad is not None
        moved = (self.theta - self.lr * self.theta.grad).clamp(min=self.floor)
        self.theta.copy_(moved / moved.sum(dim=-1, keepdim=True))
