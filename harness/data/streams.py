"""What a search reads its images from, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Batch = tuple[Tensor, Tensor]
"""Images (B, 3, H, W) float32 in channels-last layout, labels (B,)."""


class Stream(Protocol):
    """Batches of a set of images."""

    @property
    def size(self) -> int:
        """Number of images."""

    def __len__(self) -> int:
        """Batches in one pass; the last one may be smaller."""

    def one_pass(self, generator: torch.Generator) -> Iterator[Batch]:
        """Every image once, in random order, augmented. `generator` is one of the CPU, so devices see the same."""

    def forever(self, generator: torch.Generator) -> Iterator[Batch]:
        """Pass after pass, each in a new order."""

    def plain(self) -> Iterator[Batch]:
        """Every image once, in order, without augmentation."""


class Streams(NamedTuple):
    """The three of a search."""

    weights: Stream
    """For the weight steps."""
    architecture: Stream
    """For the architecture steps."""
    scoring: Stream
    """For the accuracy of cells and of the supernet; never augmented."""
