"""The supernet of the DARTS space as the papers state it: one module per candidate, a weighted sum over a list.

Slow and obvious on purpose; loads the reference vectors under the names of the official implementation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks.darts.space import CELL_EDGES, OPERATIONS
from harness.benchmarks.darts.supernet import LEAVING


def norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, affine=False)


class Sequence(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class FactorizedReduce(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.conv_2 = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.bn = norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        return self.bn(torch.cat([self.conv_1(x), self.conv_2(x[:, :, 1:, 1:])], dim=1))


class Zero(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0


def separable(channels: int, size: int, stride: int, dilation: int = 1) -> list[nn.Module]:
    padding = dilation * (size // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, size, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        norm(channels),
    ]


def candidate(name: str, channels: int, stride: int) -> nn.Module:
    if name == "none":
        return Zero(stride)
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(channels))
    if name == "avg_pool_3x3":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels))
    size = int(name[-1])
    if name.startswith("dil"):
        return Sequence(*separable(channels, size, stride, dilation=2))
    return Sequence(*separable(channels, size, stride), *separable(channels, size, 1))


class Edge(nn.Module):
    def __init__(self, operations: tuple[str, ...], channels: int, stride: int, partial: int) -> None:
        super().__init__()
        self.partial, self.stride, self.seen = partial, stride, channels // partial
        self._ops = nn.ModuleList(candidate(name, self.seen, stride) for name in operations)

    def forward(self, x: Tensor, weights: Tensor, chosen: int | None) -> Tensor:
        seen, others = x[:, : self.seen], x[:, self.seen :]
        if chosen is None:
            y = sum(w * op(seen) for w, op in zip(weights, self._ops, strict=True))
        else:
            terms = [
                w * op(seen) if k == chosen else w for k, (w, op) in enumerate(zip(weights, self._ops, strict=True))
            ]
            y = sum(terms)
        if self.partial == 1:
            return y
        y = torch.cat([y, F.max_pool2d(others, 2, 2) if self.stride == 2 else others], dim=1)
        batch, channels, height, width = y.shape
        y = y.view(batch, self.partial, channels // self.partial, height, width)
        return y.transpose(1, 2).reshape(batch, channels, height, width)


class Cell(nn.Module):
    def __init__(
        self,
        operations: tuple[str, ...],
        before_last: int,
        last: int,
        channels: int,
        reduced: bool,
        reduction: bool,
        partial: int,
    ) -> None:
        super().__init__()
        self.reduction = reduction

        def project(inputs: int) -> nn.Module:
            return Sequence(nn.ReLU(), nn.Conv2d(inputs, channels, 1, bias=False), norm(channels))

        self.preprocess0 = FactorizedReduce(before_last, channels) if reduced else project(before_last)
        self.preprocess1 = project(last)
        self._ops = nn.ModuleList(
            Edge(operations, channels, 2 if reduction and source < 2 else 1, partial) for _, source in CELL_EDGES
        )

    def forward(self, s0: Tensor, s1: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool) -> Tensor:
        states = [self.preprocess0(s0), self.preprocess1(s1)]
        for node in range(2, 6):
            total = 0
            for edge, row, beta, (target, source) in zip(self._ops, weights, edge_weights, CELL_EDGES, strict=True):
                left_out = not row.detach().any()
                if target == node and not left_out:
                    total = total + beta * edge(states[source], row, int(row.argmax()) if sampled else None)
            states.append(total)
        return torch.cat(states[2:], dim=1)


class TextbookDARTS(nn.Module):
    def __init__(
        self,
        channels: int,
        cells: int,
        classes: int = 10,
        partial: int = 1,
        operations: tuple[str, ...] = OPERATIONS,
        imagenet: bool = False,
    ) -> None:
        super().__init__()
        if imagenet:
            self.stem = nn.Sequential(
                nn.Conv2d(3, channels // 2, 3, 2, 1, bias=False),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(),
                nn.Conv2d(channels // 2, channels, 3, 2, 1, bias=False),
                nn.BatchNorm2d(channels),
            )
            self.second_stem = nn.Sequential(
                nn.ReLU(), nn.Conv2d(channels, channels, 3, 2, 1, bias=False), nn.BatchNorm2d(channels)
            )
            before_last, last, reduced = channels, channels, True
        else:
            self.stem = nn.Sequential(
                nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels)
            )
            self.second_stem = nn.Identity()
            before_last, last, reduced = 3 * channels, 3 * channels, False
        self.cells = nn.ModuleList()
        for number in range(cells):
            reduction = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduction else 1
            self.cells.append(Cell(operations, before_last, last, channels, reduced, reduction, partial))
            before_last, last, reduced = last, 4 * channels, reduction
        self.classifier = nn.Linear(last, classes)

    def forward(self, images: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool = False) -> Tensor:
        s0 = self.stem(images)
        s1 = self.second_stem(s0)
        for cell in self.cells:
            rows = slice(14, 28) if cell.reduction else slice(0, 14)
            s0, s1 = s1, cell(s0, s1, weights[rows], edge_weights[rows], sampled)
        return self.classifier(F.adaptive_avg_pool2d(s1, 1).flatten(1))


def official_names(network: nn.Module) -> dict[str, tuple[str, tuple[int, int]]]:
    """Where the official implementation's weights and statistics live in ours.

    official name -> (our name, (part, parts)): rows part / parts to (part + 1) / parts of our tensor.
    """
    whole = (0, 1)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    same = [name for name in network.state_dict() if name.split(".")[0] in ("stem", "second_stem", "classifier")]
    names = {name: (name, whole) for name in same}

    def place_norm(official: str, ours: str, part: tuple[int, int]) -> None:
        for kind in statistics:
            names[f"{official}.{kind}"] = (f"{ours}.{kind}", part)

    def place_reduction(official: str, ours: str, part: tuple[int, int]) -> None:
        names[f"{official}.conv_1.weight"] = (f"{ours}.even", part)
        names[f"{official}.conv_2.weight"] = (f"{ours}.odd", part)
        place_norm(f"{official}.bn", f"{ours}.norm", part)

    def place_convolution(official: str, at: int, ours: str, part: tuple[int, int]) -> None:
        names[f"{official}.{at}.weight"] = (f"{ours}.depthwise", part)
        names[f"{official}.{at + 1}.weight"] = (f"{ours}.pointwise", part)
        place_norm(f"{official}.{at + 2}", f"{ours}.norm", part)

    for number, cell in enumerate(network.cells):
        prefix = f"cells.{number}"
        for k in (0, 1):
            official, ours = f"{prefix}.preprocess{k}", f"{prefix}.preprocess.{k}"
            if hasattr(cell.preprocess[k], "even"):
                place_reduction(official, ours, whole)
            else:
                names[f"{official}.op.1.weight"] = (f"{ours}.convolution.weight", whole)
                place_norm(f"{official}.op.2", f"{ours}.norm", whole)
        for state, edges in enumerate(LEAVING):
            for position, edge in enumerate(edges):
                part = (position, len(edges))
                for column, name in enumerate(network.operations):
                    official = f"{prefix}._ops.{edge}._ops.{column}"
                    ours = f"{prefix}.outgoing.{state}.convolutions.{name}"
                    if "pool" in name:
                        place_norm(f"{official}.1", f"{prefix}.outgoing.{state}.norms.{name}", whole)
                    elif name == "skip_connect" and cell.reduces and state < 2:
                        place_reduction(official, ours, part)
                    elif name.startswith("dil"):
                        place_convolution(f"{official}.op", 1, ours, part)
                    elif name.startswith("sep"):
                        place_convolution(f"{official}.op", 1, f"{ours}.first", part)
                        place_convolution(f"{official}.op", 5, f"{ours}.second", part)
    return names


def part_of(tensor: Tensor, part: tuple[int, int]) -> Tensor:
    """A view of one part of the rows."""
    return tensor if part[1] == 1 or not tensor.ndim else tensor.chunk(part[1])[part[0]]
