"""The supernet of the DARTS space: every candidate operation on each of the 14 edges of every cell.

Liu, Simonyan and Yang, "DARTS" (ICLR 2019), Sections 2.1 and 3.1: a stem of 3 C channels, then cells of C channels;
the cells at one third and at two thirds of the depth reduce the resolution and double C; global average pooling and a
linear classifier. State i of a cell is the sum over its inputs j of the sum over operations o of theta[ij, o] * o(x_j).
With partial channels (Xu et al., "PC-DARTS", ICLR 2020, Section 3.2) the operations see the first 1/n of the channels,
the others bypass them, and the channels are shuffled; every edge then has an edge weight, which also scales its bypass.
With an auxiliary skip connection (Chu et al., "DARTS-", ICLR 2021, Equation 6) every edge has one more operation, which
is no candidate: the identity, or with stride 2 a factorized reduction with weights of its own.

Computes the same function as one module per candidate operation, with fewer passes over memory:
- channels-last layout, one ReLU per state;
- each operation of all edges that leave a state is one call (`harness.benchmarks.darts.operations`);
- poolings of a state, their batch norms and the state itself are mixed for all its edges by one matrix product;
- the batch norms of the cells have no affine parameters, so the mixture weight is their scale;
- dilated convolutions run as ordinary ones on the four phases of a state;
- the shuffle and the sum over a node's edges commute, so a node is shuffled once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks.darts.operations import (
    Convolution,
    FactorizedReduction,
    Projection,
    Separable,
    batch_norm,
    edge_norm,
    mix,
    shuffle_channels,
    stems,
    undilated,
)
from harness.benchmarks.darts.space import CELL_EDGES, DARTS, STATES
from harness.benchmarks.mixing import average_pool, select

SEPARABLE = {"sep_conv_3x3": 3, "sep_conv_5x5": 5}
DILATED = {"dil_conv_3x3": 3, "dil_conv_5x5": 5}
POOLS = ("max_pool_3x3", "avg_pool_3x3")
SOURCES = range(5)
AUXILIARY_SKIP = "auxiliary_skip"
SKIPS = ("skip_connect", AUXILIARY_SKIP)
LEAVING = [[e for e, (_, source) in enumerate(CELL_EDGES) if source == state] for state in SOURCES]
"""For each state, the indices (among a cell's 14 edges) of the edges that leave it, in the order of their targets."""
INPUTS = list(STATES)
"""Number of edges into each node, in the order of a cell's 14 edges: state k has k."""


class Leaving(NamedTuple):
    """The mixture on the n edges that leave one state."""

    weights: dict[str, Tensor]
    """operation -> (n,) weights."""
    edges: dict[str, tuple[int, ...]]
    """operation -> indices of the edges, among the n, on which it runs."""
    bypass: Tensor
    """(n,) factors of the channels that bypass the operations."""


class Mixture(NamedTuple):
    """The mixture on all edges of one cell type."""

    leaving: list[Leaving]
    """States 0 to 4."""
    scalars: list[Tensor] | None
    """Per node, the scalar added to every element: the summed weights of the operations that did not run."""


class DARTSSupernet(nn.Module):
    """forward(images (B, 3, H, W), weights (28, K), edge_weights (28,)) -> logits (B, classes). With `auxiliary_skip`
    the weights may have one more column, that of the auxiliary skip connections, which is zero otherwise.

    With `sampled`, every row of `weights` must be one-hot in value. Only the sampled operation of an edge runs; every
    other weight of the row is added to the edge's output as a scalar, which is zero in value and whose gradient is the
    sum of the incoming gradient over all elements, as in the code of GDAS (Dong and Yang, CVPR 2019). A row of zeros
    removes the edge and its bypass, sampled or not.

    channels: C of the first cells; partial_channels: n, where operations see 1/n of the channels (ValueError if n does
    not divide C); track_statistics: whether the cells' batch norms keep running statistics; stem: "cifar", or
    "imagenet" for one that divides the resolution by 8.
    """

    def __init__(
        self,
        space: DARTS,
        channels: int,
        cells: int,
        classes: int,
        track_statistics: bool = True,
        partial_channels: int = 1,
        stem: str = "cifar",
        auxiliary_skip: bool = False,
    ) -> None:
        super().__init__()
        if channels % partial_channels:
            raise ValueError(f"{channels} channels cannot be divided by partial_channels={partial_channels}")
        self.candidates = space.operations
        self.operations = (*space.operations, AUXILIARY_SKIP) if auxiliary_skip else space.operations
        self.cell_types = tuple(space.groups.values())
        self.stem, self.second_stem = stems(stem, channels)
        reductions = {cells // 3, 2 * cells // 3}
        self.halvings = len(reductions) + (3 if stem == "imagenet" else 0)
        self.cells = nn.ModuleList()
        before_last = last = 3 * channels if stem == "cifar" else channels
        reduced = stem == "imagenet"  # the second stem also halves the resolution
        for number in range(cells):
            reduces = number in reductions
            channels *= 2 if reduces else 1
            cell = SearchCell(
                self.operations, (before_last, last), channels, reduced, reduces, track_statistics, partial_channels
            )
            self.cells.append(cell)
            before_last, last, reduced = last, len(STATES) * channels, reduces
        self.classifier = nn.Linear(last, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, images: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool = False, compiled: bool = False
    ) -> Tensor:
        """weights: (28, K), or (L, 28, K) with those of each of the L cells, which reads the rows of its type;
        edge_weights: (28,).

        sampled: every row of `weights` (28, K) is one-hot in value, or zero, which is not checked here, so that only
        the sampled operations run.
        compiled: cells with all their operations run compiled, one program per shape and set of gradients.
        """
        if images.shape[2] % 2**self.halvings or images.shape[3] % 2**self.halvings:
            raise ValueError(f"images of {images.shape[2]}x{images.shape[3]} cannot be halved {self.halvings} times")
        if weights.dim() == 3:
            mixtures = [
                self._mixture(of_cell[rows], edge_weights[rows])
                for of_cell, rows in zip(weights, self.cell_rows(), strict=True)
            ]
        else:
            chosen = self._chosen(weights) if sampled else None
            of_types = [
                self._mixture(weights[rows], edge_weights[rows], chosen[rows] if chosen else None)
                for rows in self.cell_types
            ]
            mixtures = [of_types[cast(SearchCell, cell).reduces] for cell in self.cells]
        run_cell = compiled_cell() if compiled and not sampled else SearchCell.forward
        before_last = self.stem(images.contiguous(memory_format=torch.channels_last))
        last = self.second_stem(before_last)
        for cell, mixture in zip(cast(Iterable[SearchCell], self.cells), mixtures, strict=True):
            before_last, last = last, run_cell(cell, before_last, last, mixture)
        return cast(Tensor, self.classifier(last.mean(dim=(2, 3))))

    def cell_rows(self) -> list[slice]:
        """The rows of the mixture weights that each cell reads: those of its type."""
        return [self.cell_types[cast(SearchCell, cell).reduces] for cell in self.cells]

    def operation_rows(self) -> dict[tuple[int, int, str], list[tuple[str, slice]]]:
        """(cell, row of the mixture weights, operation) -> names of parameters, and the rows of each that only this
        operation uses."""
        parameter_rows: dict[tuple[int, int, str], list[tuple[str, slice]]] = {}
        for number, rows in enumerate(self.cell_rows()):
            for state, edges in enumerate(LEAVING):
                prefix = f"cells.{number}.outgoing.{state}.convolutions"
                for name, module in cast(nn.ModuleDict, self.get_submodule(prefix)).items():
                    for t, edge in enumerate(edges):
                        parameter_rows[number, rows.start + edge, name] = [
                            (f"{prefix}.{name}.{part}", _part(len(weight), t, len(edges)))
                            for part, weight in module.named_parameters()
                        ]
        return parameter_rows

    def multiply_adds(self, height: int, width: int) -> tuple[int, Tensor]:
        """Multiply-adds of the convolutions and the classifier in a forward pass of one image: those outside of the
        edges, and (28, K) those of every operation on every edge, summed over the cells; (28, K + 1) with auxiliary
        skip connections."""
        area, shared = height * width, self.classifier.weight.numel()
        for module in [*self.stem.modules(), *self.second_stem.modules()]:
            if isinstance(module, nn.Conv2d):
                area //= module.stride[0] ** 2
                shared += area * module.weight.numel()
        operations = torch.zeros(sum(rows.stop - rows.start for rows in self.cell_types), len(self.operations))
        operations, areas = operations.double(), []
        for cell in cast(Iterable[SearchCell], self.cells):
            shared += area * sum(weight.numel() for weight in cell.preprocess.parameters())
            area //= 4 if cell.reduces else 1
            areas.append(area)
        parameters = dict(self.named_parameters())
        for (number, row, name), parts in self.operation_rows().items():
            weights = sum(parameters[part][rows].numel() for part, rows in parts)
            operations[row, self.operations.index(name)] += areas[number] * weights
        return shared, operations

    def _mixture(self, weights: Tensor, edge_weights: Tensor, chosen: list[str | None] | None = None) -> Mixture:
        """The mixture of one cell type. weights: (14, K); edge_weights: (14,); chosen: the operations that run, None:
        all."""
        operations = self.operations if weights.shape[1] == len(self.operations) else self.candidates
        factors = weights * edge_weights[:, None]
        bypass = edge_weights * (weights.detach() != 0).any(dim=1)
        leaving = []
        for rows in LEAVING:
            columns = dict(zip(operations, select(factors, rows).unbind(1), strict=True))
            edges = {
                name: tuple(n for n, row in enumerate(rows) if chosen is None or chosen[row] == name)
                for name in operations
            }
            leaving.append(Leaving(columns, edges, select(bypass, rows)))
        scalars = None
        if chosen is not None and factors.requires_grad:
            ran = [[name == choice or choice is None for name in operations] for choice in chosen]
            others = factors.masked_fill(torch.tensor(ran, device=factors.device), 0).sum(dim=1)
            scalars = [edges_of_node.sum() for edges_of_node in others.split(INPUTS)]
        return Mixture(leaving, scalars)

    def _chosen(self, weights: Tensor) -> list[str | None]:
        """The sampled operation of each edge, None for a removed edge. weights: (28, K)."""
        weights = weights.detach()
        numbers = weights.argmax(dim=1).where((weights != 0).any(dim=1), -1)
        names = (*self.operations, None)
        return [names[number] for number in numbers.tolist()]  # the only values that are read back from the device


class SearchCell(nn.Module):
    """States 0 and 1 from the two preceding cells, and four nodes of mixed operations, which are concatenated.

    inputs: channels of the last cell but one and of the last cell; reduced: whether the last cell has half the
    resolution of the one before; reduces: whether this cell halves the resolution.
    """

    def __init__(
        self,
        operations: tuple[str, ...],
        inputs: tuple[int, int],
        channels: int,
        reduced: bool,
        reduces: bool,
        track_statistics: bool,
        partial_channels: int,
    ) -> None:
        super().__init__()
        self.reduces = reduces
        self.partial_channels = partial_channels
        self.active = channels // partial_channels
        self.preprocess = nn.ModuleList(
            [
                FactorizedReduction(inputs[0], channels, track_statistics=track_statistics)
                if reduced
                else Projection(inputs[0], channels, track_statistics=track_statistics),
                Projection(inputs[1], channels, track_statistics=track_statistics),
            ]
        )
        self.outgoing = nn.ModuleList(
            Outgoing(operations, self.active, len(LEAVING[state]), 1 + (reduces and state < 2), track_statistics)
            for state in SOURCES
        )

    def forward(self, before_last: Tensor, last: Tensor, mixture: Mixture) -> Tensor:
        states = [self.preprocess[0](F.relu(before_last)), self.preprocess[1](F.relu(last))]
        arriving: list[list[Tensor]] = [[] for _ in range(STATES.stop)]
        bypassing: list[list[Tensor]] = [[] for _ in range(STATES.stop)]
        for state in range(STATES.stop):
            if state in STATES:
                states.append(self._node(state, states[0], arriving[state], bypassing[state], mixture))
            if state in SOURCES:
                targets = [CELL_EDGES[edge][0] for edge in LEAVING[state]]
                seen, others = self._parts(state, states[state])
                for edge, term in self.outgoing[state](seen, mixture.leaving[state]):
                    arriving[targets[edge]].append(term)
                if others is not None:
                    terms = mix(mixture.leaving[state].bypass[:, None], [others])
                    for target, term in zip(targets, terms, strict=True):
                        bypassing[target].append(term)
        return torch.cat(states[STATES.start :], dim=1)

    def _parts(self, state: int, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The channels that the operations see, and those that bypass them, pooled where operations have a stride."""
        if self.partial_channels == 1:
            return x, None
        seen, others = x.split([self.active, x.shape[1] - self.active], dim=1)
        if self.reduces and state not in STATES:
            others = F.max_pool2d(others, 2, 2)
        return seen.contiguous(memory_format=torch.channels_last), others

    def _node(self, state: int, x: Tensor, arriving: list[Tensor], bypassing: list[Tensor], mixture: Mixture) -> Tensor:
        """The sum of the terms that arrive at a node. x: an input state, for the shape of an empty sum."""
        if not arriving:
            stride = 1 + self.reduces
            arriving = [torch.zeros_like(x[:, : self.active, ::stride, ::stride])]
        node = _sum(arriving)
        if mixture.scalars is not None:
            node = node + mixture.scalars[state - STATES.start]
        if bypassing:
            node = shuffle_channels(torch.cat([node, _sum(bypassing)], dim=1), self.partial_channels)
        return node


@cache
def compiled_cell() -> Callable[[SearchCell, Tensor, Tensor, Mixture], Tensor]:
    """`SearchCell.forward`, compiled."""
    return torch.compile(SearchCell.forward, dynamic=False)


class Outgoing(nn.Module):
    """All candidate operations on the edges that leave one state.

    A pooling and its batch norm have no parameters, so these edges share them and their statistics.
    """

    def __init__(
        self, operations: tuple[str, ...], channels: int, edges: int, stride: int, track_statistics: bool
    ) -> None:
        super().__init__()
        self.channels, self.edges, self.stride = channels, edges, stride
        self.convolutions = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        track = {"track_statistics": track_statistics}
        for name in operations:
            if name in POOLS:
                self.norms[name] = batch_norm(channels, affine=False, **track)
            elif name in SEPARABLE:
                self.convolutions[name] = Separable(channels, edges, SEPARABLE[name], stride, **track)
            elif name in DILATED:
                self.convolutions[name] = Convolution(channels, edges, DILATED[name], **track)
            elif name in SKIPS and stride == 2:
                self.convolutions[name] = FactorizedReduction(channels, channels, edges, **track)

    def forward(self, x: Tensor, leaving: Leaving) -> list[tuple[int, Tensor]]:
        """x: (B, C, H, W). Returns terms (edge, (B, C, H / stride, W / stride)); an edge may have several or none."""
        return [*self._convolved(x, leaving), *self._linear(x, leaving)]

    def _convolved(self, x: Tensor, leaving: Leaving) -> Iterable[tuple[int, Tensor]]:
        """Operations with parameters; those on the same edges are summed before they are split by edge."""
        x = F.relu(x)
        names = [name for name in self.convolutions if leaving.edges.get(name)]
        sums = self._summed([name for name in names if name not in DILATED], x, leaving)
        if any(name in DILATED for name in names):
            phases, dilation, rearrange = undilated(x, self.stride)
            dilated = self._summed([name for name in names if name in DILATED], phases, leaving, dilation)
            for edges, y in dilated.items():
                y = rearrange(y)
                sums[edges] = sums[edges] + y if edges in sums else y
        return [
            (edge, part)
            for edges, y in sums.items()
            for edge, part in zip(edges, y.split(self.channels, dim=1), strict=True)
        ]

    def _summed(self, names: list[str], x: Tensor, leaving: Leaving, *dilation: int) -> dict[tuple[int, ...], Tensor]:
        """edges -> sum over the operations that run on exactly these edges, with the edges' channels concatenated."""
        repeated: dict[int, Tensor] = {}
        sums: dict[tuple[int, ...], Tensor] = {}
        for name in names:
            edges, scale, subset = leaving.edges[name], leaving.weights[name], None
            if len(edges) < self.edges:
                scale, subset = scale[list(edges)], edges
            if len(edges) not in repeated and name not in SKIPS:
                repeated[len(edges)] = torch.cat([x] * len(edges), dim=1)
            inputs = x if name in SKIPS else repeated[len(edges)]
            y = self.convolutions[name](inputs, subset, scale, *dilation)
            sums[edges] = sums[edges] + y if edges in sums else y
        return sums

    def _linear(self, x: Tensor, leaving: Leaving) -> Iterable[tuple[int, Tensor]]:
        """Poolings, each with its batch norm, and with stride 1 the identity; the zero operation adds nothing."""
        outputs_on: dict[tuple[int, ...], list[tuple[str, Tensor]]] = {}
        for name, edges in leaving.edges.items():
            if not edges or not (name in POOLS or (name in SKIPS and self.stride == 1)):
                continue
            outputs_on.setdefault(edges, []).append((name, self._parameter_free(name, x)))
        terms: list[tuple[int, Tensor]] = []
        for edges, outputs in outputs_on.items():
            weights = torch.stack([leaving.weights[name] for name, _ in outputs], dim=1)
            weights = weights if len(edges) == self.edges else weights[list(edges)]
            terms += zip(edges, mix(weights, [y for _, y in outputs]), strict=True)
        return terms

    def _parameter_free(self, name: str, x: Tensor) -> Tensor:
        if name in SKIPS:
            return x
        pooled = F.max_pool2d(x, 3, self.stride, 1) if name == "max_pool_3x3" else average_pool(x, self.stride)
        return edge_norm(pooled, cast(nn.BatchNorm2d, self.norms[name]))


def _part(length: int, part: int, parts: int) -> slice:
    """One of `parts` equal parts of `length` rows."""
    return slice(part * length // parts, (part + 1) * length // parts)


def _sum(terms: list[Tensor]) -> Tensor:
    return sum(terms[1:], start=terms[0])
