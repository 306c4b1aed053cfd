"""What an epoch costs, independent of the machine: images that pass through the supernet, and multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

KINDS = ("mixture", "sampled", "evaluation")
"""Passes of all operations and passes of the chosen ones only, both in training; and those that evaluate: in evaluation
mode, or to measure an accuracy."""


class MultiplyAdds(NamedTuple):
    """Multiply-adds of the convolutions and linear layers for one image in a forward pass, as the papers write them:
    what an implementation saves or adds does not count."""

    shared: int
    """Of what runs in any case: stem, preprocessing, classifier."""
    operations: Tensor
    """(R, K) of each candidate operation of each row of theta, in all cells that read the row; further columns are of
    operations that run in mixtures only."""


class Countable(Protocol):
    """A supernet that can say what a pass costs."""

    def multiply_adds(self, height: int, width: int) -> tuple[int, Tensor]:
        """The fields of `MultiplyAdds`, for one image of that size."""


class Counter:
    """Counts the passes of an epoch. On a GPU nothing is read back before the epoch ends."""

    def __init__(self, supernet: nn.Module) -> None:
        self.supernet = supernet
        self.images = np.zeros((2, len(KINDS)), dtype=np.int64)
        """Forward and backward, by kind."""
        self._forwards: dict[tuple[int, int], list[_Passes]] = {}
        """Size of the images -> forward and backward passes, a backward pass as so many forward passes."""

    def forward(self, images: Tensor, weights: Tensor, kind: str, sampled: bool) -> None:
        """images: (B, 3, H, W); weights: (R, K), one-hot if `sampled`."""
        self._add(0, 1, images, weights, kind, sampled)

    def backward(self, images: Tensor, weights: Tensor, kind: str, sampled: bool, of_w: bool) -> None:
        """The same for the backward pass of such a forward pass; of_w: whether it has gradients of `w`."""
        self._add(1, 2 if of_w else 1, images, weights, kind, sampled)

    def _add(self, way: int, factor: int, images: Tensor, weights: Tensor, kind: str, sampled: bool) -> None:
        self.images[way, KINDS.index(kind)] += len(images)
        both = self._forwards.setdefault((images.shape[2], images.shape[3]), [_Passes(), _Passes()])
        if sampled:
            both[way].sampled += factor * len(images)
            both[way].chosen += factor * len(images) * weights.detach().float()
        else:
            both[way].mixed += factor * len(images)

    def multiply_adds(self) -> NDArray[np.float64]:
        """(2,) of the forward and of the backward passes; NaN if the supernet does not say, as a user's own may.

        A backward pass counts as one forward pass for the gradients of the features, and as one more where it has
        gradients of `w`.
        """
        if not hasattr(self.supernet, "multiply_adds"):
            return np.full(2, np.nan)
        total = np.zeros(2)
        for size, both in self._forwards.items():
            cost = MultiplyAdds(*cast(Countable, self.supernet).multiply_adds(*size))
            total += [passes.multiply_adds(cost) for passes in both]
        return total


@dataclass
class _Passes:
    """Images that passed."""

    mixed: int = 0
    sampled: int = 0
    chosen: Tensor | float = 0.0
    """(R, K): how many of the sampled ones saw each operation."""

    def multiply_adds(self, cost: MultiplyAdds) -> float:
        table = cost.operations.double()
        total = (self.mixed + self.sampled) * cost.shared + self.mixed * table.sum().item()
        if isinstance(self.chosen, Tensor):  # rounded: a straight-through sample is one-hot but for its last bits
            total += (self.chosen.double().cpu().round() * table[:, : self.chosen.shape[1]]).sum().item()
        return total
