"""Cells of NAS-Bench-101 (Ying et al., ICML 2019): pruning, and the hash under which the benchmark stores a cell."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import NamedTuple

INPUT, OUTPUT = -1, -2
LABELS = {"conv3x3-bn-relu": 0, "conv1x1-bn-relu": 1, "maxpool3x3": 2}
"""Operation -> the number by which the hash knows it."""
MOST_VERTICES, MOST_EDGES = 7, 9
"""Of a cell of the benchmark, after pruning."""

Edges = frozenset[tuple[int, int]]
"""(source, target) vertices, source below target."""


class Cell(NamedTuple):
    """A directed acyclic graph. Vertex 0 is the input and the last one the output."""

    edges: Edges
    labels: tuple[int, ...]
    """(V,) `INPUT`, values of `LABELS`, `OUTPUT`."""

    @staticmethod
    def of_matrix(matrix: Sequence[Sequence[int]], operations: Sequence[str]) -> Cell:
        """From an upper triangular 0/1 matrix (V, V) and the names of the V vertices, as the benchmark's files have
        them. ValueError if they are anything else."""
        vertices = range(len(operations))
        if operations[0] != "input" or operations[-1] != "output" or not {*operations[1:-1]} <= LABELS.keys():
            raise ValueError(f"not the operations of a cell: {', '.join(operations)[:200]}")
        if [len(row) for row in matrix] != [len(vertices)] * len(vertices):
            raise ValueError("the matrix of a cell has a row and a column for each vertex")
        if any(matrix[v][w] not in (0, 1) or (matrix[v][w] and w <= v) for v in vertices for w in vertices):
            raise ValueError("the matrix of a cell is upper triangular, with zeros and ones")
        edges = frozenset((v, w) for v in vertices for w in vertices if matrix[v][w])
        return Cell(edges, (INPUT, *(LABELS[name] for name in operations[1:-1]), OUTPUT))


def pruned(cell: Cell) -> Cell:
    """Without the vertices that are on no path from the input to the output. ValueError if there is no path."""
    edges, kept = _pruned(cell.edges, len(cell.labels))
    return Cell(edges, tuple(cell.labels[vertex] for vertex in kept))


@lru_cache(maxsize=10_000)  # spaces have many labellings of few graphs
def _pruned(edges: Edges, vertices: int) -> tuple[Edges, tuple[int, ...]]:
    """The remaining edges, with the new numbers of their vertices, and the old numbers of the remaining vertices."""
    last = vertices - 1
    kept = sorted(_reached(edges, 0) & _reached(frozenset((w, v) for v, w in edges), last))
    if last not in kept:
        raise ValueError("the output of the cell does not depend on its input")
    number = {vertex: position for position, vertex in enumerate(kept)}
    return frozenset((number[v], number[w]) for v, w in edges if v in number and w in number), tuple(kept)


def _reached(edges: Edges, start: int) -> set[int]:
    reached, border = {start}, [start]
    while border:
        vertex = border.pop()
        following = {w for v, w in edges if v == vertex} - reached
        reached |= following
        border += following
    return reached


@lru_cache(maxsize=100_000)
def cell_hash(cell: Cell) -> str:
    """The benchmark's hash, 32 hexadecimal digits: equal for isomorphic cells. The cell must be pruned.

    Every vertex starts with the digest of its degrees and label; in as many rounds as there are vertices it becomes the
    digest of the sorted values of its predecessors, those of its successors, and its own (Ying et al. 2019; rule of
    google-research/nasbench, `graph_util.hash_module`).
    """
    vertices = range(len(cell.labels))
    before = [[v for v, w in cell.edges if w == vertex] for vertex in vertices]
    after = [[w for v, w in cell.edges if v == vertex] for vertex in vertices]
    values = [_digest(str((len(after[v]), len(before[v]), cell.labels[v]))) for v in vertices]
    for _ in vertices:
        values = [
            _digest("|".join([_joined(values, before[v]), _joined(values, after[v]), values[v]])) for v in vertices
        ]
    return _digest(str(sorted(values)))


def _digest(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _joined(values: Sequence[str], vertices: Sequence[int]) -> str:
    return "".join(sorted(values[vertex] for vertex in vertices))


def all_cells(vertices: int) -> Iterator[Cell]:
    """Every cell of so many vertices, isomorphic ones included: 1,293,208 with 2 to 7 vertices."""
    for edges in all_graphs(vertices):
        for labels in product(LABELS.values(), repeat=vertices - 2):
            yield Cell(edges, (INPUT, *labels, OUTPUT))


def all_graphs(vertices: int) -> Iterator[Edges]:
    """Every graph of so many vertices, all of them on a path from the input to the output, and at most 9 edges."""
    pairs = list(combinations(range(vertices), 2))
    for count in range(vertices - 1, MOST_EDGES + 1):
        for edges in combinations(pairs, count):
            # Edges point upwards, so all vertices are on a path where each but the ends has an edge in and one out.
            if len({v for v, _ in edges}) == len({w for _, w in edges}) == vertices - 1:
                yield frozenset(edges)
