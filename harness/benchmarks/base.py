"""What every cell search space provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Arch = tuple[Any, ...]
"""One cell. It holds operation *names*, so that spaces with and without the zero operation speak of the same cell."""


class Matrix(Protocol):
    """A numpy array or a torch tensor; the spaces need only its numbers."""

    def tolist(self) -> Any: ...


class SearchSpace(ABC):
    """E edges, each with the same K candidate operations; both cell types count together."""

    name: ClassVar[str]
    target: ClassVar[tuple[int, ...]]
    """(E,) the node that each edge enters, unique across cell types."""
    cell_types: ClassVar[dict[str, slice]]
    """The edges of each cell type, e.g. {"normal": slice(0, 14), "reduce": slice(14, 28)}."""

    operations: tuple[str, ...]
    """K operation names, in the order of the columns of every (E, K) matrix."""

    @property
    def shape(self) -> tuple[int, int]:
        """(E, K)."""
        return len(self.target), len(self.operations)

    @property
    def keeps_every_edge(self) -> bool:
        """Whether a cell has an operation on each of the E edges: then one operation for every edge is a cell."""
        cell = self.one_hot(self.random(np.random.default_rng(0)))
        return bool(cell.any(axis=1).all())

    @abstractmethod
    def without(self, operation: str) -> SearchSpace:
        """The same space with one candidate operation less. ValueError if it has no such operation."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Arch:
        """A cell drawn uniformly."""

    @abstractmethod
    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """A cell that differs from `arch` on exactly one edge."""

    def neighbours(self, arch: Arch) -> Iterable[Arch]:
        """All cells that differ from `arch` on exactly one edge. NotImplementedError where a space does not list them:
        only local search asks for it."""
        raise NotImplementedError(f"space {self.name} does not list the neighbours of a cell")

    @abstractmethod
    def discretize(self, strength: Matrix) -> Arch:
        """The cell that an (E, K) matrix of operation strengths stands for, by the space's own rule."""

    @abstractmethod
    def one_hot(self, arch: Arch) -> NDArray[np.float64]:
        """(E, K) weights under which the supernet is this cell."""

    @abstractmethod
    def to_string(self, arch: Arch) -> str:
        """The field's own notation."""

    @abstractmethod
    def from_string(self, text: str) -> Arch:
        """Inverse of `to_string`. ValueError if `text` is not a cell of this space."""
