"""The DARTS cell space (Liu, Simonyan and Yang, ICLR 2019, Section 2.1 and 3.1): a normal and a reduction cell.

A cell has two input states, 0 and 1 (the outputs of the two cells before it), and four nodes, states 2 to 5. Node k
has k incoming edges, one from every state before it, so 14 in all; the cell's output joins the four nodes. A found
cell keeps two edges per node, with one operation on each.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.base import ZERO, Arch, Graph, Matrix, SearchSpace

OPERATIONS = (
    "none",
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)
STATES = range(2, 6)
"""The four nodes of a cell, by state number; state k can take its inputs from states 0 to k - 1."""

CELL_EDGES = tuple((state, source) for state in STATES for source in range(state))
KEPT = [(state, source) for state in STATES for source in (0, 1)]
LONGEST = 2000
"""Characters; a genotype has about 550."""


@dataclass(frozen=True)
class DARTS(SearchSpace):
    """A cell is a pair (normal, reduce); each is a tuple of eight (operation, input state) pairs, two per node.

    The order of a node's two pairs means nothing for the network. `discretize` and the field's genotypes put the
    stronger edge first; `random` draws them in the order of their inputs. A node with fewer inputs has the zero
    operation in its pairs, whether or not it is a candidate; only `discretize_sparsely` makes such cells.
    """

    operations: tuple[str, ...] = OPERATIONS

    name: ClassVar[str] = "darts"
    edges: ClassVar[tuple[tuple[int, int], ...]] = (*CELL_EDGES, *CELL_EDGES)
    """(node, source) state numbers of the 14 edges of the normal cell, then of the 14 of the reduction cell."""
    edge_target: ClassVar[tuple[int, ...]] = (
        *(state for state, _ in CELL_EDGES),
        *(state + len(STATES) for state, _ in CELL_EDGES),
    )
    """Nodes 2 to 5 of the normal cell; 6 to 9 are nodes 2 to 5 of the reduction cell."""
    competing: ClassVar[bool] = True
    groups: ClassVar[dict[str, slice]] = {"normal": slice(0, 14), "reduce": slice(14, 28)}

    @property
    def row_names(self) -> tuple[str, ...]:
        return tuple(f"{group[0]} {source}→{node}" for group in self.groups for node, source in CELL_EDGES)

    def without(self, operation: str) -> DARTS:
        self._column(operation)
        return replace(self, operations=tuple(name for name in self.operations if name != operation))

    @property
    def choices(self) -> tuple[str, ...]:
        """The operations that a cell can be made of: all but the zero operation."""
        return tuple(name for name in self.operations if name != ZERO)

    def random(self, rng: np.random.Generator) -> Arch:
        """Each node draws two distinct inputs, in rising order, and a non-zero operation for each."""
        return tuple(tuple(pair for state in STATES for pair in self._random_node(state, rng)) for _ in self.groups)

    def _random_node(self, state: int, rng: np.random.Generator) -> list[tuple[str, int]]:
        pairs_of_inputs = list(combinations(range(state), 2))
        inputs = pairs_of_inputs[rng.integers(len(pairs_of_inputs))]
        return [(self.choices[rng.integers(len(self.choices))], source) for source in inputs]

    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """One operation or one input of one node is another one: drawn uniformly from all cells that differ so
        (with seven non-zero operations 120: 96 by an operation, 24 by an input)."""
        neighbours = list(self.neighbours(arch))
        return neighbours[rng.integers(len(neighbours))]

    def neighbours(self, arch: Arch) -> Iterator[Arch]:
        """All cells with exactly one other operation or one other input."""
        for cell, pairs in enumerate(arch):
            for place, (operation, source) in enumerate(pairs):
                state, taken = KEPT[place][0], pairs[place ^ 1][1]
                others = [(name, source) for name in self.choices if name != operation]
                others += [(operation, other) for other in range(state) if other not in (source, taken)]
                for pair in others:
                    changed = (*pairs[:place], pair, *pairs[place + 1 :])
                    yield (*arch[:cell], changed, *arch[cell + 1 :])

    def discretize(self, strength: Matrix) -> Arch:
        """Each node keeps the two inputs whose best non-zero operation is strongest, with that operation.

        Liu et al., Section 2.4. The stronger input comes first; on ties the lower input and the first operation win,
        as in the official code.
        """
        return self._strongest(strength, -np.inf)

    def discretize_sparsely(self, strength: Matrix, threshold: float) -> Arch:
        """Of the two inputs, those with an operation that reaches the threshold.

        Chu, Zhou, Zhang, Li, "Fair DARTS" (ECCV 2020), as in the authors' code. A cell of which nothing would remain
        is that of `discretize`, which is our own choice.
        """
        return self._strongest(strength, threshold)

    def _strongest(self, strength: Matrix, threshold: float) -> Arch:
        matrix = np.array(strength.tolist())
        if matrix.shape != self.shape:
            raise ValueError(f"expected strengths of shape {self.shape}, got {matrix.shape}")
        scores = matrix[:, [self.operations.index(name) for name in self.choices]]
        return tuple(
            self._pairs(scores[edges], threshold if (scores[edges] >= threshold).any() else -np.inf)
            for edges in self.groups.values()
        )

    def _pairs(self, scores: NDArray[np.float64], threshold: float) -> tuple[tuple[str, int], ...]:
        """The eight pairs of one cell from the (14, non-zero operations) scores of its edges."""
        pairs = []
        for state in STATES:
            into = scores[[target == state for target, _ in CELL_EDGES]]
            kept = np.argsort(-into.max(axis=1), kind="stable")[:2]
            weak = into.max(axis=1) < threshold
            pairs += [(ZERO if weak[source] else self.choices[into[source].argmax()], int(source)) for source in kept]
        return tuple(pairs)

    def one_hot(self, arch: Arch) -> NDArray[np.float64]:
        """Rows of edges that the cell does not keep are all zero (also where the space has the zero operation), so
        the matrix is not on the simplex: a supernet leaves such an edge out. ValueError if `arch` is no cell."""
        self._check(arch)
        weights = np.zeros(self.shape)
        for pairs, edges in zip(arch, self.groups.values(), strict=True):
            for (state, _), (operation, source) in zip(KEPT, pairs, strict=True):
                if operation != ZERO:
                    weights[edges.start + CELL_EDGES.index((state, source)), self._column(operation)] = 1.0
        return weights

    def to_string(self, arch: Arch) -> str:
        """The field's genotype, e.g. `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), ...)`."""
        fields = (
            f"{name}={list(pairs)!r}, {name}_concat={STATES!r}" for name, pairs in zip(self.groups, arch, strict=True)
        )
        return f"Genotype({', '.join(fields)})"

    def from_string(self, text: str) -> Arch:
        """Reads a genotype in the field's notation; the joined states may be a range or a list."""
        try:
            fields = _genotype_fields(text)
            concatenated = [list(fields.pop(f"{name}_concat")) for name in self.groups]
            arch = tuple(tuple((op, source) for op, source in fields.pop(name)) for name in self.groups)
            known = not fields and all(states == list(STATES) for states in concatenated)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a DARTS genotype: {text[:200]!r}") from error
        if not known:
            raise ValueError(f"not a DARTS genotype, which joins the states 2 to 5: {text[:200]!r}")
        self._check(arch)
        return arch

    def graph(self, arch: Arch) -> tuple[Graph, ...]:
        nodes = ("k-2", "k-1", *(str(state - STATES.start) for state in STATES), "out")
        graphs = []
        for title, pairs in zip(self.groups, arch, strict=True):
            placed = zip(KEPT, pairs, strict=True)
            edges = [(source, node, name) for (node, _), (name, source) in placed if name != ZERO]
            joined = [(state, STATES.stop, "") for state in STATES if any(node == state for _, node, _ in edges)]
            graphs.append(Graph(title, nodes, (*edges, *joined)))
        return tuple(graphs)

    def _check(self, arch: Arch) -> None:
        """ValueError unless `arch` is a cell of this space."""
        if len(arch) != len(self.groups) or any(len(pairs) != len(KEPT) for pairs in arch):
            raise ValueError(f"a DARTS cell has {len(KEPT)} edges of each cell type: {str(arch)[:200]}")
        for pairs in arch:
            for (state, place), (operation, source) in zip(KEPT, pairs, strict=True):
                if operation not in (*self.choices, ZERO):
                    raise ValueError(f"no operation {operation!r} among {', '.join(self.choices)}")
                if (
                    type(source) is not int
                    or source not in range(state)
                    or source == pairs[2 * (state - 2) + 1 - place][1]
                ):
                    raise ValueError(f"node {state} needs two different inputs below {state}: {str(pairs)[:200]}")

    def _column(self, operation: str) -> int:
        if operation not in self.operations:
            raise ValueError(f"no operation {operation!r} among {', '.join(self.operations)}")
        return self.operations.index(operation)


def _genotype_fields(text: str) -> dict[str, Any]:
    """The keyword arguments of `Genotype(...)`: literals and ranges, parsed and never evaluated."""
    if len(text) > LONGEST:
        raise ValueError("too long")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("not an expression") from error
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Genotype"):
        raise ValueError("not a genotype")
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        raise ValueError("unnamed fields")
    return {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}


def _value(node: ast.expr) -> Any:
    """A literal, or `range(...)` of two small literals."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and not node.keywords:
        first, last = (ast.literal_eval(argument) for argument in node.args)
        return list(STATES) if (first, last) == (STATES.start, STATES.stop) else []
    return ast.literal_eval(node)
