"""The NAS-Bench-201 cell space (Dong and Yang, ICLR 2020): 4 nodes, 6 edges, 5 operations, 15,625 cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.base import ZERO, Arch, Graph, Matrix, SearchSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS = len(OPERATIONS) ** 6


@dataclass(frozen=True)
class NASBench201(SearchSpace):
    """A cell is a tuple of six operation names, one per edge, in the order of `edges`."""

    operations: tuple[str, ...] = OPERATIONS

    name: ClassVar[str] = "nasbench201"
    edges: ClassVar[tuple[tuple[int, int], ...]] = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
    """(target, source) nodes, in the benchmark's order; node 0 is the input and node 3 the output of the cell."""
    edge_target: ClassVar[tuple[int, ...]] = tuple(target for target, _ in edges)
    groups: ClassVar[dict[str, slice]] = {"normal": slice(0, 6)}

    @property
    def row_names(self) -> tuple[str, ...]:
        return tuple(f"{source}→{target}" for target, source in self.edges)

    def without(self, operation: str) -> NASBench201:
        self._column(operation)
        return replace(self, operations=tuple(name for name in self.operations if name != operation))

    def random(self, rng: np.random.Generator) -> Arch:
        return tuple(self.operations[k] for k in rng.integers(len(self.operations), size=len(self.edges)))

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """Another operation on one edge: a random node first, then one of its incoming edges, as in the evolution of
        D-X-Y/AutoDL-Projects (R_EA). The edge into node 1 changes in a third of the cases, each into node 3 in a ninth.
        """
        node = rng.choice(sorted(set(self.edge_target)))
        edge = int(rng.choice([edge for edge, target in enumerate(self.edge_target) if target == node]))
        others = [name for name in self.operations if name != arch[edge]]
        return (*arch[:edge], others[rng.integers(len(others))], *arch[edge + 1 :])

    def neighbours(self, arch: Arch) -> list[Arch]:
        """All cells that differ from `arch` on exactly one edge, edge by edge."""
        return [
            (*arch[:edge], name, *arch[edge + 1 :])
            for edge, own in enumerate(arch)
            for name in self.operations
            if name != own
        ]

    def discretize(self, strength: Matrix) -> Arch:
        """The strongest operation of each edge; ties go to the first one (so a uniform matrix decodes to the first
        operation everywhere: the all-skip cell when the zero operation is left out)."""
        matrix = np.array(strength.tolist())
        if matrix.shape != self.shape:
            raise ValueError(f"expected strengths of shape {self.shape}, got {matrix.shape}")
        return tuple(self.operations[k] for k in matrix.argmax(axis=1))

    def discretize_sparsely(self, strength: Matrix, threshold: float) -> Arch:
        """The zero operation, where it is a candidate, on edges of which no operation reaches the threshold. A cell of
        which nothing would remain is that of `discretize`."""
        arch = self.discretize(strength)
        strongest = np.array(strength.tolist()).max(axis=1)
        if ZERO not in self.operations or (strongest < threshold).all():
            return arch
        return tuple(ZERO if weak else name for name, weak in zip(arch, strongest < threshold, strict=True))

    def one_hot(self, arch: Arch) -> NDArray[np.float64]:
        weights = np.zeros(self.shape)
        weights[np.arange(len(self.edges)), [self._column(name) for name in arch]] = 1.0
        return weights

    def to_string(self, arch: Arch) -> str:
        """E.g. `|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|`."""
        nodes: dict[int, str] = {}
        for (target, source), name in zip(self.edges, arch, strict=True):
            nodes[target] = nodes.get(target, "|") + f"{name}~{source}|"
        return "+".join(nodes.values())

    def from_string(self, text: str) -> Arch:
        arch = tuple(re.findall(r"\|?([a-z0-9_]+)~[0-2]\|", text))
        if len(arch) != len(self.edges) or self.to_string(arch) != text:
            raise ValueError(f"not a NAS-Bench-201 cell: {text[:200]!r}")
        for name in arch:
            self._column(name)
        return arch

    def graph(self, arch: Arch) -> tuple[Graph, ...]:
        edges = ((source, target, name) for (target, source), name in zip(self.edges, arch, strict=True))
        return (Graph("cell", ("in", "1", "2", "out"), tuple(edges)),)

    def _column(self, operation: str) -> int:
        if operation not in self.operations:
            raise ValueError(f"no operation {operation!r} among {', '.join(self.operations)}")
        return self.operations.index(operation)


def index(arch: Arch) -> int:
    """Number of a cell, 0 to 15,624: its operations as the digits of a base-5 number, the first edge the highest.

    This is the project's own order, computed from the cell; the benchmark's files number cells in another one.
    """
    code = 0
    for name in arch:
        code = code * len(OPERATIONS) + OPERATIONS.index(name)
    return code


def all_cells() -> Iterator[Arch]:
    """Every cell of the full space, in the order of `index`."""
    return product(OPERATIONS, repeat=6)


def isomorphism_class(arch: Arch) -> str:
    """The benchmark's isomorphism string: two cells share it exactly if it counts them as the same (6,466 classes).

    The output node written as an expression of the input `0`: a skip connection is its argument, any operation on
    a zero `#` is zero, the order of the terms in a sum does not matter. The benchmark neither drops zeros from sums
    nor opens nested sums, so some cells that compute the same function stay apart; we count as it does.
    """
    expressions = ["0"]
    for node in (1, 2, 3):
        terms = [
            _expression(name, expressions[source])
            for (target, source), name in zip(NASBench201.edges, arch, strict=True)
            if target == node
        ]
        expressions.append("+".join(sorted(terms)))
    return expressions[-1]


def _expression(operation: str, argument: str) -> str:
    if operation == "none" or argument == "#":
        return "#"
    return argument if operation == "skip_connect" else f"({argument})@{operation}"
