"""The interface through which a search reads its images, in memory or in files."""

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
        """Number of batches in one pass; the last one may be smaller."""

    def one_pass(self, generator: torch.Generator) -> Iterator[Batch]:
        """Every image once, in random order, augmented. `generator`: of the CPU, so that all devices see the same."""

    def infinite(self, generator: torch.Generator) -> Iterator[Batch]:
        """Endless passes, each in a new order."""

    def in_order(self) -> Iterator[Batch]:
        """Every image once, in order, without augmentation."""


class Streams(NamedTuple):
    """The three streams of a search."""

    train: Stream
    """For the weight steps."""
    held_out: Stream
    """For the architecture steps; single-level search holds nothing out, and they see the training images."""
    validation: Stream
    """For the accuracy of architectures and of the supernet; never augmented."""
