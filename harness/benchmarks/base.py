"""What every cell search space provides."""

from __future__ import annotations

from abc import ABC, abstractmethod
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

    @abstractmethod
    def without(self, operation: str) -> SearchSpace:
        """The same space with one candidate operation less. ValueError if it has no such operation."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Arch:
        """A cell drawn uniformly."""

    @abstractmethod
    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """A cell that differs from `arch` on exactly one edge."""

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
