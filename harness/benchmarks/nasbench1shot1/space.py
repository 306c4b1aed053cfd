"""The three search spaces of NAS-Bench-1Shot1 (Zela, Siems and Hutter, ICLR 2020, Section 3 and Table 1).

A cell has an input, n choice blocks and an output. A block sums its parents and applies one operation; the output
concatenates its parents. Node k (blocks 1 to n, then the output) takes a fixed number of the k nodes before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.base import Arch, Graph, Matrix, SearchSpace
from harness.benchmarks.nasbench1shot1.cell import INPUT, LABELS, OUTPUT, Cell, cell_hash, pruned

OPERATIONS = ("maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu")
LOOKS = {"maxpool3x3": "max_pool_3x3", "conv3x3-bn-relu": "nor_conv_3x3", "conv1x1-bn-relu": "nor_conv_1x1"}
"""Operation -> the name by which pictures of all spaces know it."""


class NASBench1Shot1(SearchSpace):
    """An architecture is (operations, parents): the operation of each block; the parents of each block and of the
    output, in rising order, 0 being the input of the cell.

    theta has a row for the operation of each block, one for the parents of each node that has a choice, and the
    output's. Blocks on which the output does not depend are allowed: the benchmark prunes them.
    """

    parents: ClassVar[tuple[int, ...]]
    """(n + 1,) how many parents nodes 1 to n and the output take."""
    weighs_inputs: ClassVar[bool] = True

    @property
    def blocks(self) -> int:
        return len(self.parents) - 1

    @property
    def choosing(self) -> tuple[int, ...]:
        """The nodes that have a choice of parents, n + 1 being the output."""
        return tuple(node for node, count in enumerate(self.parents, start=1) if count < node)

    @property
    def options(self) -> tuple[tuple[str, ...], ...]:
        parents = (tuple("in" if parent == 0 else str(parent) for parent in range(node)) for node in self.choosing)
        return (*(OPERATIONS,) * self.blocks, *parents)

    @property
    def keep(self) -> tuple[int, ...]:
        return (*(1,) * self.blocks, *(self.parents[node - 1] for node in self.choosing))

    @property
    def row_names(self) -> tuple[str, ...]:
        operations = (f"block {node}" for node in range(1, self.blocks + 1))
        return (*operations, *(f"inputs of {node}" for node in self.choosing[:-1]), "output")

    def input_row(self, node: int) -> int | None:
        """The row of theta with the parents of a node; None where it has no choice."""
        return self.blocks + self.choosing.index(node) if node in self.choosing else None

    # Black boxes ---------------------------------------------------------------------------------------------------

    @property
    def categories(self) -> tuple[int, ...]:
        return (*(len(OPERATIONS),) * self.blocks, *(comb(node, self.parents[node - 1]) for node in self.choosing))

    def from_categories(self, values: Iterable[int]) -> Arch:
        numbers = list(values)
        operations = tuple(OPERATIONS[number] for number in numbers[: self.blocks])
        chosen = dict(zip(self.choosing, numbers[self.blocks :], strict=True))
        nodes = range(1, self.blocks + 2)
        return operations, tuple(self._candidates(node)[chosen.get(node, 0)] for node in nodes)

    def _to_categories(self, arch: Arch) -> list[int]:
        operations, parents = arch
        chosen = (self._candidates(node).index(parents[node - 1]) for node in self.choosing)
        return [*map(OPERATIONS.index, operations), *chosen]

    def _candidates(self, node: int) -> tuple[tuple[int, ...], ...]:
        """All sets of parents of a node."""
        return _subsets(node, self.parents[node - 1])

    def random(self, rng: np.random.Generator) -> Arch:
        return self.from_categories(rng.integers(self.categories))

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """One operation, or the parents of one node, are others: drawn uniformly, and then what they become."""
        values = self._to_categories(arch)
        place = int(rng.integers(len(values)))
        others = [value for value in range(self.categories[place]) if value != values[place]]
        values[place] = others[rng.integers(len(others))]
        return self.from_categories(values)

    def neighbours(self, arch: Arch) -> Iterator[Arch]:
        """All architectures with another operation of one block or other parents of one node."""
        values = self._to_categories(arch)
        for place, (own, count) in enumerate(zip(values, self.categories, strict=True)):
            for value in range(count):
                if value != own:
                    yield self.from_categories([*values[:place], value, *values[place + 1 :]])

    # Architectures -------------------------------------------------------------------------------------------------

    def discretize(self, strength: Matrix) -> Arch:
        """The strongest operation of each block and the strongest parents of each node; of equals the first."""
        matrix = np.array(strength.tolist())
        if matrix.shape != self.shape:
            raise ValueError(f"expected strengths of shape {self.shape}, got {matrix.shape}")
        operations = tuple(OPERATIONS[k] for k in matrix[: self.blocks, : len(OPERATIONS)].argmax(axis=1))
        return operations, tuple(self._strongest(matrix, node) for node in range(1, self.blocks + 2))

    def _strongest(self, matrix: NDArray[np.float64], node: int) -> tuple[int, ...]:
        row = self.input_row(node)
        scores = np.zeros(node) if row is None else matrix[row, :node]
        return tuple(sorted(np.argsort(-scores, kind="stable")[: self.parents[node - 1]].tolist()))

    def one_hot(self, arch: Arch) -> NDArray[np.float64]:
        self._check(arch)
        operations, parents = arch
        weights = np.zeros(self.shape)
        weights[range(self.blocks), [OPERATIONS.index(name) for name in operations]] = 1.0
        for row, node in enumerate(self.choosing, start=self.blocks):
            weights[row, list(parents[node - 1])] = 1.0
        return weights

    def to_string(self, arch: Arch) -> str:
        """E.g. `conv3x3-bn-relu~0|maxpool3x3~0+1|conv1x1-bn-relu~0+2|conv3x3-bn-relu~1+3|output~2+4`."""
        operations, parents = arch
        names = (*operations, "output")
        return "|".join(f"{name}~{'+'.join(map(str, own))}" for name, own in zip(names, parents, strict=True))

    def from_string(self, text: str) -> Arch:
        try:
            names, numbers = zip(*(node.split("~") for node in text.split("|")), strict=True)
            arch = names[:-1], tuple(tuple(map(int, own.split("+"))) for own in numbers)
            self._check(arch)
            if self.to_string(arch) != text:
                raise ValueError("another spelling")
        except (TypeError, ValueError) as error:
            raise ValueError(f"not an architecture of {self.name}: {text[:200]!r}") from error
        return arch

    def graph(self, arch: Arch) -> tuple[Graph, ...]:
        """Every edge into a block carries the block's operation."""
        operations, parents = arch
        names = (*(LOOKS[name] for name in operations), "")
        edges = [
            (parent, node, name)
            for node, (name, own) in enumerate(zip(names, parents, strict=True), start=1)
            for parent in own
        ]
        return (Graph("cell", ("in", *map(str, range(1, self.blocks + 1)), "out"), tuple(edges)),)

    def cell(self, arch: Arch) -> Cell:
        """The cell of NAS-Bench-101 that an architecture is, pruned."""
        self._check(arch)
        operations, parents = arch
        edges = frozenset((parent, node) for node, own in enumerate(parents, start=1) for parent in own)
        return pruned(Cell(edges, (INPUT, *(LABELS[name] for name in operations), OUTPUT)))

    def hash(self, arch: Arch) -> str:
        """Of that cell: equal for architectures that the benchmark considers the same."""
        return cell_hash(self.cell(arch))

    def _check(self, arch: Arch) -> None:
        """ValueError unless `arch` is an architecture of this space."""
        operations, parents = arch
        if len(operations) != self.blocks or not {*operations} <= {*OPERATIONS}:
            raise ValueError(f"expected {self.blocks} operations of {', '.join(OPERATIONS)}: {str(operations)[:200]}")
        if len(parents) != self.blocks + 1:
            raise ValueError(f"expected the parents of {self.blocks + 1} nodes: {str(parents)[:200]}")
        for node, own in enumerate(parents, start=1):
            if own not in self._candidates(node):
                raise ValueError(f"node {node} takes {self.parents[node - 1]} of the nodes before it: {str(own)[:200]}")


@lru_cache
def _subsets(of: int, size: int) -> tuple[tuple[int, ...], ...]:
    return tuple(combinations(range(of), size))


class Space1(NASBench1Shot1):
    """14,580 architectures."""

    name = "nasbench1shot1-1"
    parents = (1, 2, 2, 2, 2)
    groups: ClassVar[dict[str, slice]] = {"operations": slice(0, 4), "inputs": slice(4, 6), "output": slice(6, 7)}


class Space2(NASBench1Shot1):
    """29,160 architectures."""

    name = "nasbench1shot1-2"
    parents = (1, 1, 2, 2, 3)
    groups: ClassVar[dict[str, slice]] = {"operations": slice(0, 4), "inputs": slice(4, 7), "output": slice(7, 8)}


class Space3(NASBench1Shot1):
    """1,312,200 architectures."""

    name = "nasbench1shot1-3"
    parents = (1, 1, 1, 2, 2, 2)
    groups: ClassVar[dict[str, slice]] = {"operations": slice(0, 5), "inputs": slice(5, 9), "output": slice(9, 10)}
