"""GAEA PC-DARTS: exponentiated gradient on operation weights and edge weights, with partial channels.

Li, Khodak, Balcan, Talwalkar, "Geometry-Aware Gradient Algorithms for Neural Architecture Search" (ICLR 2021),
Algorithm 1 on the supernet of PC-DARTS (Xu et al., ICLR 2020), bilevel and first order. theta has a simplex per edge,
as in GAEA DARTS; the weights of the edges into one node form a simplex as well and have no floor. Where rows of theta
are the weights of edges (NAS-Bench-1Shot1), these have the floor too, as in liamcli/nasbench-1shot1, `epc_edarts`.

Defaults: lr 0.1 for both, floor 1e-5, no warm-up, uniform initialisation, the values of the released configuration for
CIFAR-10 (liamcli/gaea_release, `eedarts`); the search on ImageNet freezes theta for the first 35 of 50 epochs
(`warmup=0.7`).
Tuned ranges, ours: two decades around the defaults.
"""

from collections.abc import Callable
from typing import ClassVar, final

import torch
from torch import Tensor, nn

from harness.api import LogUniform
from harness.benchmarks import SearchSpace
from harness.search.bases import WeighsEdges
from harness.search.optimizers import ExponentiatedGradient
from harness.search.simplex import normalised_by_node, uniform


@final
class GaeaPcDarts(WeighsEdges):
    paper = "Li et al., Geometry-Aware Gradient Algorithms for NAS, ICLR 2021"
    family = "gaea"
    supernet: ClassVar = {"partial_channels": 4}
    tunable: ClassVar = {"lr": LogUniform(0.01, 1.0), "edge_lr": LogUniform(0.01, 1.0)}

    def __init__(
        self, space: SearchSpace, lr: float = 0.1, edge_lr: float = 0.1, floor: float = 1e-5, warmup: float = 0.0
    ) -> None:
        super().__init__(space)
        self.warmup = warmup
        self.theta = nn.Parameter(uniform(space))  # (R, K)
        self.eg = ExponentiatedGradient([self.theta], lr=lr, floor=floor)
        if self.edge_target:
            self.edges = nn.Parameter(normalised_by_node(torch.ones(space.shape[0]), self.edge_target))  # (R,)
            self.edge_eg = ExponentiatedGradient([self.edges], lr=edge_lr, nodes=self.edge_target)

    def exchange_optimizers(self, optimizer: Callable[[list[Tensor]], torch.optim.Optimizer]) -> None:
        """Of theta alone: another one would not keep the weights of each node's edges on a simplex of their own."""
        edge_eg = self.edge_eg if self.edge_target else None
        super().exchange_optimizers(optimizer)
        if edge_eg:
            self.edge_eg = edge_eg

    def distribution(self) -> Tensor:
        return self.theta

    def edge_weights(self) -> Tensor | None:
        return self.edges if self.edge_target else None

    def step(self) -> None:
        self.eg.step()
        if self.edge_target:
            self.edge_eg.step()
