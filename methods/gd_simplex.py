"""A control: plain gradient descent on theta instead of the exponentiated gradient of `gaea-darts-bilevel`.

The ablation configured in the first release of GAEA's code (liamcli/gaea_release, `gdarts`): bilevel, first order,
theta <- theta - lr * g, then every entry raised to at least `floor` and every row divided by its sum.

Defaults: lr 3e-4 of that configuration, floor 1e-5 as in GAEA; theta starts uniform. At the uniform theta, a step of
exponentiated gradient with lr 0.1 equals, to first order, a gradient descent step with lr 0.1 / K: for four operations
`lr=0.025` isolates the geometry, while the default also has a smaller step. The tuned range of lr, ours, reaches one
decade below the default and a little more than one above that step of equal size.
"""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from harness.api import LogUniform, OneShot
from harness.benchmarks import SearchSpace
from harness.search.simplex import floored, uniform


@final
class GdSimplex(OneShot):
    paper = "Li et al., Geometry-Aware Gradient Algorithms for NAS, ICLR 2021"
    family = "controls"
    tunable: ClassVar = {"lr": LogUniform(3e-5, 0.3)}

    def __init__(self, space: SearchSpace, lr: float = 3e-4, floor: float = 1e-5) -> None:
        super().__init__(space)
        self.lr = lr
        self.floor = floor
        self.theta = nn.Parameter(uniform(space))  # (R, K)

    def distribution(self) -> Tensor:
        return self.theta

    @torch.no_grad()
    def step(self) -> None:
        assert self.theta.grad is not None
        self.theta.copy_(floored(self.theta - self.lr * self.theta.grad, self.theta, self.floor))
