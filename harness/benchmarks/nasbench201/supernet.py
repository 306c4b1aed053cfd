"""The NAS-Bench-201 supernet: the benchmark's skeleton with a mixture of operations on every edge of every cell.

Dong and Yang, "NAS-Bench-201" (ICLR 2020), Section 3.1 and Figure 1: a 3x3 stem, N cells of C channels, a residual
block to 2C with stride 2, N cells, a residual block to 4C, N cells, then batch norm, ReLU, global average pooling and
a linear classifier. Node i of a cell is the sum over inputs j of the sum over operations o of theta[ij, o] * o(x_j).

Computes the same function as one module per candidate operation, in fewer calls and fewer passes over memory:
- channels-last layout throughout;
- one ReLU and one pooling per node;
- the batch norms of the cells have no affine parameters, so the mixture weight is their scale;
- a bias before a batch norm cancels, so the convolutions have none;
- on GPUs one convolution per kernel size for all edges that leave a node, on small tensors one for all kernel sizes;
- a cell with all its operations is written for a compiler, which fuses the passes over memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks import NASBench201
from harness.benchmarks.mixing import convolved_average, is_small, scaled_norm, select

LINEAR: dict[str, Callable[[Tensor], Tensor]] = {"skip_connect": lambda x: x, "avg_pool_3x3": convolved_average}
KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
NODES = 4
TARGET, SOURCE = zip(*NASBench201.edges, strict=True)
EDGES_FROM = [[edge for edge, source in enumerate(SOURCE) if source == node] for node in range(NODES - 1)]


class NASBench201Supernet(nn.Module):
    """A mixture of operations on every edge: forward(images (B, 3, H, W), weights (E, K), edge_weights (E,))
    -> logits (B, classes).

    channels: C of the first stage; cells: N per stage; track_statistics: whether the cells' batch norms keep running
    statistics. partial_channels: n, where operations see the first 1/n of a node's channels, the others bypass them,
    and both groups are shuffled (Xu et al., "PC-DARTS", ICLR 2020, Section 3.2). ValueError unless n divides C.
    auxiliary_skip: weights may have one more column, factors of an identity on every edge that is no candidate (Chu et
    al., "DARTS-", ICLR 2021, Equation 6).
    """

    def __init__(
        self,
        space: NASBench201,
        channels: int,
        cells: int,
        classes: int,
        track_statistics: bool = True,
        partial_channels: int = 1,
        auxiliary_skip: bool = False,
    ) -> None:
        super().__init__()
        self.auxiliary_skip = auxiliary_skip
        if partial_channels < 1 or channels % partial_channels:
            raise ValueError(f"partial_channels = {partial_channels} does not divide {channels} channels")
        self.space = space
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.stages = nn.ModuleList()
        for stage in range(3):
            width = channels << stage
            blocks: list[nn.Module] = [ResidualBlock(width // 2, width)] if stage else []
            blocks += [SearchCell(space, width, track_statistics, partial_channels) for _ in range(cells)]
            self.stages.append(nn.ModuleList(blocks))
        self.last_norm = nn.BatchNorm2d(4 * channels)
        self.classifier = nn.Linear(4 * channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, images: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool = False, compiled: bool = False
    ) -> Tensor:
        """weights: (E, K), or (L, E, K) with those of each of the L cells; edge_weights: (E,).

        sampled: every row of `weights` is one-hot in value, so that only the sampled operation of each edge runs.
        compiled: cells with all their operations run compiled, one program per shape and set of gradients.

        All entries of such a row may have gradients (straight-through estimators). As in the code of GDAS (Dong and
        Yang, CVPR 2019), every other weight of the row is then added to each element of the edge's output.
        """
        mixtures = self._mixtures(weights, edge_weights, sampled)
        run_cell = compiled_cell() if compiled and not sampled else SearchCell.forward
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            for block in cast(nn.ModuleList, stage):
                x = run_cell(block, x, next(mixtures)) if isinstance(block, SearchCell) else block(x)
        x = F.relu(self.last_norm(x)).mean(dim=(2, 3))
        return cast(Tensor, self.classifier(x))

    def _mixtures(self, weights: Tensor, edge_weights: Tensor, sampled: bool) -> Iterator[Mixture | Sampled]:
        """That of each cell, in turn."""
        if self.auxiliary_skip and weights.shape[-1] > len(self.space.operations):
            weights = self._with_auxiliary_skip(weights)
        if weights.dim() == 3:
            return (mixture(of_cell, edge_weights, self.space) for of_cell in weights)
        return repeat(Sampled.of(weights, edge_weights) if sampled else mixture(weights, edge_weights, self.space))

    def _with_auxiliary_skip(self, weights: Tensor) -> Tensor:
        """(..., E, K + 1) -> (..., E, K): all edges have stride 1, where the auxiliary skip connection is the same
        function as the candidate."""
        theta, auxiliary = weights.split([len(self.space.operations), 1], dim=-1)
        is_skip = torch.tensor([name == "skip_connect" for name in self.space.operations], device=weights.device)
        with_skip: Tensor = theta + auxiliary * is_skip
        return with_skip

    def cell_rows(self) -> list[slice]:
        """The rows of the mixture weights that each cell reads: all of them."""
        return [slice(0, len(TARGET)) for _ in self._search_cells()]

    def operation_rows(self) -> dict[tuple[int, int, str], list[tuple[str, slice]]]:
        """(cell, edge, operation) -> name of a parameter, and the rows of it that only this operation uses."""
        return {
            (number, edge, name): [(f"{prefix}.convolutions.{name}.{node}.weight", cell.rows(t))]
            for number, (prefix, _, cell) in enumerate(self._search_cells())
            for node, edges in enumerate(EDGES_FROM)
            for t, edge in enumerate(edges)
            for name in cell.kernels
        }

    def multiply_adds(self, height: int, width: int) -> tuple[int, Tensor]:
        """Multiply-adds of the convolutions and the classifier in a forward pass of one image: those outside of the
        cells, and (E, K) those of every operation on every edge, summed over the cells."""
        areas = [(height >> stage) * (width >> stage) for stage in range(3)]
        shared = cast(Tensor, self.stem[0].weight).numel() * areas[0] + self.classifier.weight.numel()
        for stage, blocks in enumerate(self.stages):
            residuals = [block for block in cast(nn.ModuleList, blocks) if isinstance(block, ResidualBlock)]
            shared += areas[stage] * sum(block.convolution_weights() for block in residuals)
        operations = torch.zeros(self.space.shape, dtype=torch.float64)
        stages, parameters = [stage for _, stage, _ in self._search_cells()], dict(self.named_parameters())
        for (cell, edge, name), parts in self.operation_rows().items():
            weights = sum(parameters[part][rows].numel() for part, rows in parts)
            operations[edge, self.space.operations.index(name)] += areas[stages[cell]] * weights
        return shared, operations

    def _search_cells(self) -> list[tuple[str, int, SearchCell]]:
        """Name, stage and module of every cell."""
        return [
            (f"stages.{stage}.{index}", stage, block)
            for stage, blocks in enumerate(self.stages)
            for index, block in enumerate(cast(nn.ModuleList, blocks))
            if isinstance(block, SearchCell)
        ]


class Mixture(NamedTuple):
    """Mixture weights of a cell."""

    leaving: list[dict[str, Tensor]]
    """Of the T edges that leave each node: operation -> (T,) weights."""
    edge_weights: Tensor
    """(E,)."""


def mixture(weights: Tensor, edge_weights: Tensor, space: NASBench201) -> Mixture:
    """weights: (E, K); edge_weights: (E,)."""
    rows = weights * edge_weights[:, None]
    leaving = [dict(zip(space.operations, select(rows, edges).unbind(dim=1), strict=True)) for edges in EDGES_FROM]
    return Mixture(leaving, edge_weights)


@dataclass(frozen=True)
class Sampled:
    """One sampled operation per edge, the same in all cells."""

    edge_weights: Tensor
    """(E,)."""
    operations: list[int]
    """(E,) indices of the operations."""
    weights: list[Tensor]
    """(E,) scalars: weights of these operations, times the edge weights."""
    offsets: list[Tensor] | None
    """(E,) scalars: sum of an edge's other weights, times its edge weight; zero in value. None without gradients."""

    @staticmethod
    def of(weights: Tensor, edge_weights: Tensor) -> Sampled:
        product = weights * edge_weights[:, None]
        indices = weights.detach().argmax(dim=1, keepdim=True)
        offsets = None
        if weights.requires_grad and torch.is_grad_enabled():
            offsets = list(product.scatter(1, indices, 0).sum(dim=1).unbind())
        return Sampled(edge_weights, indices.flatten().tolist(), list(product.gather(1, indices).unbind()), offsets)


class SearchCell(nn.Module):
    """A cell of four nodes with all candidate operations on every edge.

    Per kernel size, the kernels of all T edges that leave a node are one tensor (T*C, C, k, k), in the order of
    EDGES_FROM; the node's batch norm has J*T*C channels, ordered by kernel size.
    """

    def __init__(self, space: NASBench201, channels: int, track_statistics: bool, partial_channels: int = 1) -> None:
        super().__init__()
        self.partial_channels = partial_channels
        self.channels = channels // partial_channels
        self.operations = space.operations
        self.kernels = [name for name in KERNEL_SIZES if name in space.operations]
        self.convolutions = nn.ModuleDict()
        widths = [len(edges) * self.channels for edges in EDGES_FROM]
        for name in self.kernels:
            size = KERNEL_SIZES[name]
            self.convolutions[name] = nn.ModuleList(
                nn.Conv2d(self.channels, width, size, padding=size // 2, bias=False) for width in widths
            )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(len(self.kernels) * width, affine=False, track_running_stats=track_statistics)
            for width in widths
        )

    def forward(self, x: Tensor, mixture: Mixture | Sampled) -> Tensor:
        """(B, C, H, W) -> the same shape; the operations see the first C / partial_channels channels of each node."""
        self._count_batch()
        nodes, heads = [x], [self._head(x)]
        arriving: list[list[Tensor]] = [[] for _ in range(NODES)]
        for node in range(NODES - 1):
            if isinstance(mixture, Mixture):
                leaving = [[term] for term in self._mixed(heads[node], node, mixture.leaving[node])]
            else:
                leaving = self._sampled(heads[node], node, mixture)
            for edge, terms in zip(EDGES_FROM[node], leaving, strict=True):
                arriving[TARGET[edge]] += terms
            nodes.append(self._node(node + 1, arriving[node + 1], nodes, mixture.edge_weights))
            heads.append(self._head(nodes[-1]))
        return nodes[-1]

    def _count_batch(self) -> None:
        for norm in cast(list[nn.BatchNorm2d], self.norms):
            if norm.training and norm.num_batches_tracked is not None:
                norm.num_batches_tracked.add_(1)

    def _head(self, x: Tensor) -> Tensor:
        if self.partial_channels == 1:
            return x
        return x[:, : self.channels].contiguous(memory_format=torch.channels_last)

    def _node(self, node: int, terms: list[Tensor], nodes: list[Tensor], edge_weights: Tensor) -> Tensor:
        """The sum of the terms that arrive at a node; with partial channels followed by the weighted channels that
        bypass the operations, both groups interleaved (channel shuffle)."""
        x = nodes[0]
        if not terms:
            terms = [torch.zeros_like(x[:, : self.channels])]
        mixed = sum(terms[1:], start=terms[0]).to(x.dtype)
        if self.partial_channels == 1:
            return mixed.contiguous(memory_format=torch.channels_last)
        edges = [edge for edge, target in enumerate(TARGET) if target == node]
        factors = edge_weights.unbind()
        bypass = sum(factors[edge] * nodes[SOURCE[edge]][:, self.channels :] for edge in edges)
        joined = torch.cat([mixed, cast(Tensor, bypass)], dim=1)
        return F.channel_shuffle(joined, self.partial_channels).contiguous(memory_format=torch.channels_last)

    # All operations ------------------------------------------------------------------------------------------------

    def _mixed(self, x: Tensor, node: int, weights: dict[str, Tensor]) -> list[Tensor]:
        """The mixed operations of each edge that leaves a node. weights: operation -> (T,)."""
        edges = len(EDGES_FROM[node])
        at_once = edges if is_small(x) or x.is_cuda else 1  # a CPU reads the slices of a wide tensor slowly
        activated = F.relu(x)
        linear = {name: operation(x)[:, None] for name, operation in LINEAR.items() if name in weights}
        terms: list[Tensor] = []
        for first in range(0, edges, at_once):
            chosen = {name: column[first : first + at_once] for name, column in weights.items()}
            convolve = self._convolved_in_one_call if is_small(x) else self._convolved
            total = convolve(activated, node, first, chosen)
            for name, y in linear.items():
                total = total + chosen[name][:, None, None, None] * y
            terms += total.unbind(dim=1)
        return terms

    def _convolved(self, activated: Tensor, node: int, first: int, weights: dict[str, Tensor]) -> Tensor:
        """(B, T, C, H, W) the weighted convolutions, summed over kernel sizes, of T of the edges that leave a node,
        from its `first` on. weights: operation -> (T,)."""
        edges = len(next(iter(weights.values())))
        terms = []
        for position, name in enumerate(self.kernels):
            convolution, norm = self._layers(name, node)
            rows = slice(first * self.channels, (first + edges) * self.channels)
            y = F.conv2d(activated, convolution.weight[rows], padding=convolution.padding)
            offset = position * convolution.out_channels
            y = scaled_norm(y, norm, self._per_channel(weights[name]), slice(offset + rows.start, offset + rows.stop))
            terms.append(y.unflatten(1, (edges, self.channels)))
        if not terms:
            return torch.zeros_like(activated)[:, None].expand(-1, edges, -1, -1, -1)
        return cast(Tensor, sum(terms[1:], start=terms[0]))

    def _convolved_in_one_call(self, activated: Tensor, node: int, first: int, weights: dict[str, Tensor]) -> Tensor:
        """The same for all edges that leave a node, with the small kernels zero-padded to the size of the largest."""
        if len(self.kernels) < 2:
            return self._convolved(activated, node, first, weights)
        largest = max(KERNEL_SIZES[name] for name in self.kernels)
        kernels = []
        for name in self.kernels:
            convolution, norm = self._layers(name, node)
            margin = (largest - KERNEL_SIZES[name]) // 2
            kernels.append(F.pad(convolution.weight, [margin] * 4) if margin else convolution.weight)
        y = F.conv2d(activated, torch.cat(kernels), padding=largest // 2)
        scale = self._per_channel(torch.cat([weights[name] for name in self.kernels]))
        terms = scaled_norm(y, norm, scale).unflatten(1, (len(kernels), -1, self.channels)).unbind(dim=1)
        return cast(Tensor, sum(terms[1:], start=terms[0]))

    def _per_channel(self, weights: Tensor) -> Tensor:
        """(T,) -> (T*C,) contiguous."""
        return weights[:, None].expand(-1, self.channels).reshape(-1).contiguous()

    def rows(self, t: int) -> slice:
        """Rows of a node's kernels that belong to the t-th edge that leaves it."""
        return slice(t * self.channels, (t + 1) * self.channels)

    def _layers(self, name: str, node: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """The convolution of one kernel size on all edges that leave a node, and the node's batch norm."""
        convolutions = cast(nn.ModuleList, self.convolutions[name])
        return cast(nn.Conv2d, convolutions[node]), cast(nn.BatchNorm2d, self.norms[node])

    # Sampled operations only ---------------------------------------------------------------------------------------

    def _sampled(self, x: Tensor, node: int, sampled: Sampled) -> list[list[Tensor]]:
        """For each edge that leaves a node: the weighted sampled operation, unless it is zero, and the offset."""
        return [self._sampled_edge(edge, t, x, node, sampled) for t, edge in enumerate(EDGES_FROM[node])]

    def _sampled_edge(self, edge: int, t: int, x: Tensor, node: int, sampled: Sampled) -> list[Tensor]:
        name, weight = self.operations[sampled.operations[edge]], sampled.weights[edge]
        terms = []
        if name in self.kernels:
            terms.append(self._convolved_edge(t, name, x, node, weight))
        elif name in LINEAR:
            terms.append(weight * LINEAR[name](x))
        if sampled.offsets is not None:
            terms.append(sampled.offsets[edge].expand_as(x))
        return terms

    def _convolved_edge(self, t: int, name: str, x: Tensor, node: int, weight: Tensor) -> Tensor:
        """The weighted convolution on the t-th edge that leaves a node."""
        convolution, norm = self._layers(name, node)
        rows = self.rows(t)
        first = self.kernels.index(name) * convolution.out_channels
        output = F.conv2d(F.relu(x), convolution.weight[rows], padding=convolution.padding)
        return scaled_norm(output, norm, weight.repeat(self.channels), slice(first + rows.start, first + rows.stop))


@cache
def compiled_cell() -> Callable[[SearchCell, Tensor, Mixture | Sampled], Tensor]:
    """`SearchCell.forward`, compiled."""
    return torch.compile(SearchCell.forward, dynamic=False)


class ResidualBlock(nn.Module):
    """Halves the resolution: two 3x3 convolutions with a pooled shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.shortcut(x) + self.body(x))

    def convolution_weights(self) -> int:
        """Number of convolution weights; all of the convolutions have the block's output resolution."""
        return sum(module.weight.numel() for module in self.modules() if isinstance(module, nn.Conv2d))
