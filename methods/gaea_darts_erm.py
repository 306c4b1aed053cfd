"""GAEA DARTS, single level: exponentiated gradient on the operation weights with the training loss.

Li, Khodak, Balcan, Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search" (ICLR 2021),
Algorithm 1 with the objective min over (w, theta) of the training loss. There is no softmax as in DARTS: theta is a
point on a product of simplices, one per edge. Steps of theta and of the network's weights alternate, each on a batch of
training images of its own. With g the gradient of the loss in theta, each step is

    theta <- theta * exp(-lr * g),  every entry raised to at least `floor`,  every row divided by its sum.

Defaults: lr 0.1 and floor 1e-5 of the released NAS-Bench-201 configuration (liamcli/gaea_release, `edarts` with
single_level=true); theta starts uniform, without noise.
The tuned range of lr, ours: two decades around the default.
"""

from typing import ClassVar, final

from torch import Tensor, nn

from harness.api import LogUniform, OneShot
from harness.benchmarks import SearchSpace
from harness.search.optimizers import ExponentiatedGradient
from harness.search.simplex import uniform


@final
class GaeaDartsErm(OneShot):
    paper = "Li et al., Geometry-Aware Gradient Algorithms for NAS, ICLR 2021"
    family = "gaea"
    bilevel = False
    tunable: ClassVar = {"lr": LogUniform(0.01, 1.0)}

    def __init__(self, space: SearchSpace, lr: float = 0.1, floor: float = 1e-5) -> None:
        super().__init__(space)
        self.theta = nn.Parameter(uniform(space))  # (R, K)
        self.eg = ExponentiatedGradient([self.theta], lr=lr, floor=floor)

    def distribution(self) -> Tensor:
        return self.theta

    def step(self) -> None:
        self.eg.step()
