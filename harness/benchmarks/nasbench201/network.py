"""The network of one cell of NAS-Bench-201, in plain modules: to be trained from scratch, and for scores of untrained
networks, which differentiate it twice, remove its batch norms or look at its activations."""

from __future__ import annotations

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks.base import Arch
from harness.benchmarks.nasbench201.space import NASBench201
from harness.benchmarks.nasbench201.supernet import KERNEL_SIZES, NODES, ResidualBlock
from harness.evaluate.network import Network


class NASBench201Network(nn.Module):
    """forward(images (B, 3, H, W)) -> logits (B, classes). The skeleton is that of the supernet.

    channels: C of the first stage; cells: N per stage; affine: whether the cells' batch norms have affine parameters;
    track_statistics: whether they keep running statistics.
    """

    def __init__(
        self, arch: Arch, channels: int, cells: int, classes: int, affine: bool, track_statistics: bool = False
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        blocks: list[nn.Module] = []
        for stage in range(3):
            width = channels << stage
            blocks += [ResidualBlock(width // 2, width)] if stage else []
            blocks += [Cell(arch, width, affine, track_statistics) for _ in range(cells)]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.BatchNorm2d(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.last(self.blocks(self.stem(images)))
        return cast(Tensor, self.classifier(features.mean(dim=(2, 3))))


class RetrainedNetwork(Network):
    """That of the benchmark's own trainings (Dong and Yang, ICLR 2020, Section 2.2)."""

    def __init__(self, arch: Arch, channels: int, cells: int, classes: int) -> None:
        super().__init__()
        self.network = NASBench201Network(arch, channels, cells, classes, affine=True, track_statistics=True)

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        return self.network(images), None


class Cell(nn.Module):
    def __init__(self, arch: Arch, channels: int, affine: bool, track_statistics: bool) -> None:
        super().__init__()
        self.operations = nn.ModuleList(operation(name, channels, affine, track_statistics) for name in arch)

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for node in range(1, NODES):
            edges = [edge for edge, (target, _) in enumerate(NASBench201.edges) if target == node]
            terms = [self.operations[edge](nodes[NASBench201.edges[edge][1]]) for edge in edges]
            nodes.append(sum(terms[1:], start=terms[0]))
        return nodes[-1]


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0 * x


class AveragePool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def operation(name: str, channels: int, affine: bool, track_statistics: bool) -> nn.Module:
    if name in KERNEL_SIZES:
        size = KERNEL_SIZES[name]
        return nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, size, padding=size // 2, bias=False),
            nn.BatchNorm2d(channels, affine=affine, track_running_stats=track_statistics),
        )
    return {"none": Zero, "skip_connect": nn.Identity, "avg_pool_3x3": AveragePool}[name]()
