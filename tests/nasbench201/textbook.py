"""The NAS-Bench-201 network as the benchmark's paper states it: one module per candidate, a weighted sum over a list.

Slow and obvious on purpose; loads the reference vectors under the names of the official implementation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.supernet import EDGES_FROM


class NormalisedConvolution(nn.Module):
    def __init__(self, channels: int, size: int, track: bool) -> None:
        super().__init__()
        norm = nn.BatchNorm2d(channels, affine=False, track_running_stats=track)
        self.op = nn.Sequential(nn.ReLU(), nn.Conv2d(channels, channels, size, padding=size // 2), norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0


def candidate(name: str, channels: int, track: bool) -> nn.Module:
    if name == "none":
        return Zero()
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    return NormalisedConvolution(channels, {"nor_conv_1x1": 1, "nor_conv_3x3": 3}[name], track)


class Cell(nn.Module):
    def __init__(self, operations: tuple[str, ...], channels: int, track: bool, partial_channels: int) -> None:
        super().__init__()
        self.partial_channels = partial_channels
        self.edges = nn.ModuleDict(
            {
                f"{i}<-{j}": nn.ModuleList(candidate(name, channels // partial_channels, track) for name in operations)
                for i, j in NASBench201.edges
            }
        )

    def forward(self, x: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool) -> Tensor:
        nodes = [x]
        for i in (1, 2, 3):
            node = torch.zeros_like(x)
            for row, factor, (target, j) in zip(weights, edge_weights, NASBench201.edges, strict=True):
                if target == i:
                    node = node + factor * self.edge(nodes[j], self.edges[f"{i}<-{j}"], row, sampled)
            nodes.append(node)
        return nodes[-1]

    def edge(self, x: Tensor, candidates: nn.ModuleList, row: Tensor, sampled: bool) -> Tensor:
        """PC-DARTS: the operations see the first channels; concatenate with the others, shuffle.
        GDAS: only the operation with the largest weight runs, the other weights are added as scalars."""
        n, (batch, channels, *size) = self.partial_channels, x.shape
        head = x[:, : channels // n]
        if sampled:
            chosen = row.argmax()
            mixed = sum(
                w * op(head) if k == chosen else w for k, (w, op) in enumerate(zip(row, candidates, strict=True))
            )
        else:
            mixed = sum(w * op(head) for w, op in zip(row, candidates, strict=True))
        if n == 1:
            return mixed
        joined = torch.cat([mixed, x[:, channels // n :]], dim=1)
        return joined.view(batch, n, channels // n, *size).transpose(1, 2).reshape(x.shape)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()

        def convolution(c_in: int, stride: int) -> nn.Module:
            wrapped = nn.Module()
            wrapped.op = nn.Sequential(
                nn.ReLU(), nn.Conv2d(c_in, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
            )
            return wrapped

        self.conv_a = convolution(inputs, 2)
        self.conv_b = convolution(outputs, 1)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.downsample(x) + self.conv_b.op(self.conv_a.op(x))


class TextbookSupernet(nn.Module):
    def __init__(
        self,
        operations: tuple[str, ...],
        channels: int,
        cells: int,
        classes: int = 10,
        track: bool = False,
        partial_channels: int = 1,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        blocks: list[nn.Module] = []
        for stage in range(3):
            width = channels << stage
            blocks += [Block(width // 2, width)] if stage else []
            blocks += [Cell(operations, width, track, partial_channels) for _ in range(cells)]
        self.cells = nn.ModuleList(blocks)
        self.lastact = nn.Sequential(nn.BatchNorm2d(4 * channels), nn.ReLU())
        self.classifier = nn.Linear(4 * channels, classes)

    def forward(self, images: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool = False) -> Tensor:
        x = self.stem(images)
        for block in self.cells:
            x = block(x, weights, edge_weights, sampled) if isinstance(block, Cell) else block(x)
        return self.classifier(F.adaptive_avg_pool2d(self.lastact(x), 1).flatten(1))


def official_names(network: nn.Module, space: NASBench201, cells: int) -> dict[str, tuple[str, slice]]:
    """Where the official implementation's weights live in ours: official name -> (our name, rows of that tensor)."""
    places = {"stem.0.weight": "stem.0.weight", "stem.1.weight": "stem.1.weight", "stem.1.bias": "stem.1.bias"}
    places |= {f"lastact.0.{kind}": f"last_norm.{kind}" for kind in ("weight", "bias")}
    places |= {f"classifier.{kind}": f"classifier.{kind}" for kind in ("weight", "bias")}
    names = {official: (ours, slice(None)) for official, ours in places.items()}
    number = 0
    for stage in range(3):
        ours = 0
        if stage:
            block = f"stages.{stage}.0"
            for conv, at in (("conv_a", 0), ("conv_b", 3)):
                names[f"cells.{number}.{conv}.op.1.weight"] = (f"{block}.body.{at + 1}.weight", slice(None))
                for kind in ("weight", "bias"):
                    names[f"cells.{number}.{conv}.op.2.{kind}"] = (f"{block}.body.{at + 2}.{kind}", slice(None))
            names[f"cells.{number}.downsample.1.weight"] = (f"{block}.shortcut.1.weight", slice(None))
            number, ours = number + 1, 1
        for _ in range(cells):
            cell = network.get_submodule(f"stages.{stage}.{ours}")
            for source, edges in enumerate(EDGES_FROM):
                width = len(edges) * cell.channels
                for position, edge in enumerate(edges):
                    i, j = space.edges[edge]
                    for block, name in enumerate(cell.kernels):
                        first = position * cell.channels
                        rows = slice(first, first + cell.channels)
                        norm_rows = slice(block * width + first, block * width + first + cell.channels)
                        official = f"cells.{number}.edges.{i}<-{j}.{space.operations.index(name)}.op"
                        prefix = f"stages.{stage}.{ours}"
                        names[f"{official}.1.weight"] = (f"{prefix}.convolutions.{name}.{source}.weight", rows)
                        for statistic in ("running_mean", "running_var"):
                            names[f"{official}.2.{statistic}"] = (f"{prefix}.norms.{source}.{statistic}", norm_rows)
            number, ours = number + 1, ours + 1
    return names


def share_weights(supernet, textbook, space, cells):
    """Give the textbook network the supernet's weights; its convolution biases, which cancel, become zero."""
    ours = supernet.state_dict()
    theirs = {name: torch.zeros_like(value) for name, value in textbook.state_dict().items() if name.endswith("bias")}
    norms = [f"stages.{s}.0.body.{at}" for s in (1, 2) for at in (2, 5)]
    for official, (name, rows) in official_names(supernet, space, cells).items():
        if name in ours:
            theirs[official] = ours[name][rows]
    statistics = ("running_mean", "running_var")
    for statistic in statistics:
        theirs[f"stem.1.{statistic}"] = ours[f"stem.1.{statistic}"]
        theirs[f"lastact.0.{statistic}"] = ours[f"last_norm.{statistic}"]
        blocks = (cells, cells, 2 * cells + 1, 2 * cells + 1)
        for norm, block in zip(norms, blocks, strict=True):
            conv = "conv_a" if norm.endswith("2") else "conv_b"
            theirs[f"cells.{block}.{conv}.op.2.{statistic}"] = ours[f"{norm}.{statistic}"]
    missing, unexpected = textbook.load_state_dict(theirs, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing), missing
