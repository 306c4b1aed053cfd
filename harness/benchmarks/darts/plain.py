"""The network of one architecture of the DARTS space, in plain modules: for scores of untrained networks, which
differentiate it twice, remove its batch norms or look at its activations.

It computes the same function as `DARTSNetwork` without auxiliary classifier, from modules as in quark0/darts (model.py,
operations.py). There rectifier, convolution and batch norm are a class of their own, "ReLUConvBN", only where they
project a cell's inputs. NASWOT's code counts the units of such a class twice: here these alone are an `nn.Sequential`.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from harness.benchmarks.base import ZERO, Arch
from harness.benchmarks.darts.network import NODES
from harness.benchmarks.darts.supernet import DILATED, SEPARABLE


class PlainDARTSNetwork(nn.Module):
    """forward(images (B, 3, H, W)) -> logits (B, classes), H and W divisible by 4.

    channels: C of the first cells; cells: all of them; affine: whether the cells' batch norms have affine parameters.
    They never keep running statistics.
    """

    def __init__(self, arch: Arch, channels: int, cells: int, classes: int, affine: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels))
        self.cells = nn.ModuleList()
        normal, reduction = arch
        before_last = last = 3 * channels
        reduced = False
        for number in range(cells):
            reduces = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduces else 1
            pairs = reduction if reduces else normal
            cell = Cell(pairs, (before_last, last), channels, reduced, reduces, affine)
            self.cells.append(cell)
            before_last, last, reduced = last, len(cell.joined) * channels, reduces
        self.classifier = nn.Linear(last, classes)

    def forward(self, images: Tensor) -> Tensor:
        before_last = last = self.stem(images)
        for cell in self.cells:
            before_last, last = last, cell(before_last, last)
        return cast(Tensor, self.classifier(last.mean(dim=(2, 3))))


class Cell(nn.Module):
    """Arguments as those of `DiscreteCell`, whose rule for nodes without operations this follows."""

    def __init__(
        self,
        pairs: tuple[tuple[str, int], ...],
        inputs: tuple[int, int],
        channels: int,
        reduced: bool,
        reduces: bool,
        affine: bool,
    ) -> None:
        super().__init__()
        halve = FactorizedReduction if reduced else projection
        self.preprocess = nn.ModuleList([halve(inputs[0], channels, affine), projection(inputs[1], channels, affine)])
        self.sources = [source for _, source in pairs]
        present = [edge for edge, (name, _) in enumerate(pairs) if name != ZERO]
        self.edges_into = [[edge for edge in present if edge // 2 == node] for node in range(NODES)]
        self.joined = [node for node in range(NODES) if self.edges_into[node]] or list(range(NODES))
        self.stride = 2 if reduces else 1
        self.operations = nn.ModuleDict(
            {
                str(edge): operation(pairs[edge][0], channels, 2 if reduces and pairs[edge][1] < 2 else 1, affine)
                for edge in present
            }
        )

    def forward(self, before_last: Tensor, last: Tensor) -> Tensor:
        states = [self.preprocess[0](before_last), self.preprocess[1](last)]
        for edges in self.edges_into:
            terms = [self.operations[str(edge)](states[self.sources[edge]]) for edge in edges]
            zero = torch.zeros_like(states[0][:, :, :: self.stride, :: self.stride])
            states.append(sum(terms[1:], start=terms[0]) if terms else zero)
        return torch.cat([states[2 + node] for node in self.joined], dim=1)


def operation(name: str, channels: int, stride: int, affine: bool) -> nn.Module:
    if name in SEPARABLE:
        size = SEPARABLE[name]
        first = Convolution(channels, size, stride, 1, affine)
        return nn.Sequential(first, Convolution(channels, size, 1, 1, affine))
    if name in DILATED:
        return Convolution(channels, DILATED[name], stride, 2, affine)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, affine)
    pools = {
        "max_pool_3x3": nn.MaxPool2d(3, stride, padding=1),
        "avg_pool_3x3": nn.AvgPool2d(3, stride, padding=1, count_include_pad=False),
    }
    return pools[name]


def projection(inputs: int, outputs: int, affine: bool) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), norm(outputs, affine))


def norm(channels: int, affine: bool) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)


class Convolution(nn.Module):
    """Rectifier, depthwise convolution, pointwise convolution, batch norm."""

    def __init__(self, channels: int, size: int, stride: int, dilation: int, affine: bool) -> None:
        super().__init__()
        padding = dilation * (size // 2)
        self.relu = nn.ReLU()
        self.depthwise = nn.Conv2d(
            channels, channels, size, stride, padding, dilation=dilation, groups=channels, bias=False
        )
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = norm(channels, affine)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.norm(self.pointwise(self.depthwise(self.relu(x)))))


class FactorizedReduction(nn.Module):
    """Rectifier, two 1x1 convolutions of stride 2, the second shifted by a pixel in both directions, batch norm."""

    def __init__(self, inputs: int, outputs: int, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.norm = norm(outputs, affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        return cast(Tensor, self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1)))
