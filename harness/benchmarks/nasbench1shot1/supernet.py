"""The one-shot network of NAS-Bench-1Shot1 (Zela, Siems and Hutter, ICLR 2020, Section 3; automl/nasbench-1shot1).

A 3x3 stem, then cells of C channels; before the cells at one third and two thirds of the depth a max pooling halves the
resolution, and C doubles; ReLU, 1x1 convolution to C, batch norm, global average pooling and a linear classifier.
A cell projects its input once for each choice block and once for its output. Block k sums its weighted inputs and mixes
the operations on the sum; the output concatenates the weighted projection and all blocks. With partial channels (Xu et
al., "PC-DARTS", ICLR 2020) the operations see 1/n of a block's channels, the others bypass them, and all are shuffled.

One module for each operation, as in that code; the projections of a cell are one convolution. Batch norms have affine
parameters and, as there, a momentum of 0.997: running statistics are nearly those of the last batch. The last one has
neither: no affine parameters, and torch's default momentum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks.nasbench1shot1.space import OPERATIONS, NASBench1Shot1

MOMENTUM = 0.997
"""In torch's sense, of a new batch. Meant there as the decay of another framework."""
KERNEL_SIZES = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}


class Mixture(NamedTuple):
    """What a cell reads of theta."""

    operations: Sequence[Tensor]
    """(3,) for each block."""
    chosen: Sequence[int] | None
    """The sampled operation of each block; None: all run."""
    inputs: Sequence[Tensor | None]
    """(k,) for block k; None where it has no choice of parents."""
    output: Tensor
    """(blocks + 1,)."""

    @staticmethod
    def of(weights: Tensor, space: NASBench1Shot1, sampled: bool) -> Mixture:
        """weights: (R, K)."""
        rows, blocks = weights.unbind(), space.blocks
        operations = [row[: len(OPERATIONS)] for row in rows[:blocks]]
        chosen = weights[:blocks].detach().argmax(dim=1).tolist() if sampled else None
        row_of = [space.input_row(node) for node in range(1, blocks + 1)]
        inputs = [None if row is None else rows[row][:node] for node, row in enumerate(row_of, start=1)]
        return Mixture(operations, chosen, inputs, rows[-1][: blocks + 1])


class NASBench1Shot1Supernet(nn.Module):
    """forward(images (B, 3, H, W), weights (R, K) or (L, R, K) for L cells, edge_weights) -> logits (B, classes).

    channels: C of the first cells; cells: all of them; track_statistics: whether batch norms keep running statistics;
    partial_channels: n, where operations see 1/n of the channels. ValueError if n does not divide C.
    """

    def __init__(
        self,
        space: NASBench1Shot1,
        channels: int,
        cells: int,
        classes: int,
        track_statistics: bool = True,
        partial_channels: int = 1,
    ) -> None:
        super().__init__()
        if channels % partial_channels:
            raise ValueError(f"{channels} channels cannot be divided by partial_channels={partial_channels}")
        self.space = space
        self.halvings = {cells // 3, 2 * cells // 3}
        self.stem = ConvNormRelu(3, channels, 3, track_statistics)
        self.cells = nn.ModuleList()
        inputs = channels
        for number in range(cells):
            channels *= 2 if number in self.halvings else 1
            self.cells.append(Cell(space.blocks, inputs, channels, track_statistics, partial_channels))
            inputs = (space.blocks + 1) * channels
        self.last = nn.Conv2d(inputs, channels, 1, bias=False)
        self.last_norm = nn.BatchNorm2d(channels, affine=False, track_running_stats=track_statistics)
        self.classifier = nn.Linear(channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool = False) -> Tensor:
        """sampled: rows of `weights` have as many ones as their choice keeps, so that only one operation of each block
        runs. Its other weights, zero in value, are added to the block's output as numbers (straight-through). Weights
        of inputs multiply what they weigh in any case, as it is there. `edge_weights` are none here."""
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        for number, cell in enumerate(self.cells):
            if number in self.halvings:
                x = F.max_pool2d(x, 2, stride=2, padding=1)
            x = cell(x, Mixture.of(weights[number] if weights.dim() == 3 else weights, self.space, sampled))
        x = self.last_norm(self.last(F.relu(x)))
        return cast(Tensor, self.classifier(x.mean(dim=(2, 3))))

    def cell_rows(self) -> list[slice]:
        """The rows of the mixture weights that each cell reads: all of them."""
        return [slice(0, self.space.shape[0]) for _ in self.cells]

    def operation_rows(self) -> dict[tuple[int, int, str], list[tuple[str, slice]]]:
        """(cell, row of the mixture weights, operation) -> names of parameters, whole tensors."""
        return {
            (number, block, name): [
                (f"cells.{number}.blocks.{block}.operations.{name}.{part}", slice(None))
                for part in ("convolution.weight", "norm.weight", "norm.bias")
            ]
            for number in range(len(self.cells))
            for block in range(self.space.blocks)
            for name in KERNEL_SIZES
        }

    def multiply_adds(self, height: int, width: int) -> tuple[int, Tensor]:
        """Multiply-adds of the convolutions and the classifier in a forward pass of one image: those that always run,
        and (R, K) those of every operation of every block, summed over the cells."""
        operations = torch.zeros(self.space.shape, dtype=torch.float64)
        shared = height * width * self.stem.convolution.weight.numel()
        for number, cell in enumerate(cast(Iterable[Cell], self.cells)):
            if number in self.halvings:
                height, width = height // 2 + 1, width // 2 + 1
            shared += height * width * cell.projections.convolution.weight.numel()
            for row, block in enumerate(cast(Iterable[Block], cell.blocks)):
                for name, convolution in block.convolutions():
                    operations[row, OPERATIONS.index(name)] += height * width * convolution.weight.numel()
        return shared + height * width * self.last.weight.numel() + self.classifier.weight.numel(), operations


class Cell(nn.Module):
    """inputs: channels of its input; channels: C of each block."""

    def __init__(self, blocks: int, inputs: int, channels: int, track_statistics: bool, partial_channels: int) -> None:
        super().__init__()
        self.projections = ConvNormRelu(inputs, (blocks + 1) * channels, 1, track_statistics)
        self.blocks = nn.ModuleList(Block(channels, track_statistics, partial_channels) for _ in range(blocks))

    def forward(self, x: Tensor, mixture: Mixture) -> Tensor:
        """(B, inputs, H, W) -> (B, (blocks + 1) C, H, W)."""
        *for_blocks, for_output = self.projections(x).chunk(len(self.blocks) + 1, dim=1)
        outputs: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            parents, weights = [for_blocks[number], *outputs], mixture.inputs[number]
            summed = sum(parents[1:], start=parents[0]) if weights is None else weighted_sum(weights, parents)
            chosen = mixture.chosen[number] if mixture.chosen else None
            outputs.append(block(summed, mixture.operations[number], chosen))
        states = zip(mixture.output.unbind(), [for_output, *outputs], strict=True)
        return torch.cat([weight * state for weight, state in states], dim=1)


class Block(nn.Module):
    """A mixture of the operations."""

    def __init__(self, channels: int, track_statistics: bool, partial_channels: int) -> None:
        super().__init__()
        self.partial_channels, self.active = partial_channels, channels // partial_channels
        self.operations = nn.ModuleDict(
            {
                name: ConvNormRelu(self.active, self.active, KERNEL_SIZES[name], track_statistics)
                if name in KERNEL_SIZES
                else nn.MaxPool2d(3, stride=1, padding=1)
                for name in OPERATIONS
            }
        )

    def forward(self, x: Tensor, weights: Tensor, chosen: int | None) -> Tensor:
        """x: (B, C, H, W); weights: (3,)."""
        seen, operations = x[:, : self.active], list(self.operations.values())
        if chosen is None:
            mixed = weighted_sum(weights, [operation(seen) for operation in operations])
        else:
            mixed = weights[chosen] * operations[chosen](seen) + (weights.sum() - weights[chosen])
        if self.partial_channels == 1:
            return mixed
        return F.channel_shuffle(torch.cat([mixed, x[:, self.active :]], dim=1), self.partial_channels)

    def convolutions(self) -> Iterator[tuple[str, nn.Conv2d]]:
        """By operation."""
        for name in KERNEL_SIZES:
            yield name, cast(ConvNormRelu, self.operations[name]).convolution


class ConvNormRelu(nn.Module):
    """Convolution that keeps the resolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, track_statistics: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, momentum=MOMENTUM, track_running_stats=track_statistics)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


def weighted_sum(weights: Tensor, terms: Sequence[Tensor]) -> Tensor:
    products = [weight * term for weight, term in zip(weights.unbind(), terms, strict=True)]
    return sum(products[1:], start=products[0])
