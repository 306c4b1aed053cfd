"""A search in which no pass through the supernet is made, but each is counted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import NamedTuple

import torch
from torch import Tensor

from harness.api import Part
from harness.benchmarks import Arch
from harness.data.streams import Batch, Stream
from harness.search.loop import Search
from harness.search.problem import Source, SupernetProblem

ITERATIONS = 500
"""In all epochs together. Some methods sample operations, whose costs differ; the mean over so many is exact to a few
percent."""
FEWEST = 12
"""Iterations of every epoch."""


class Spent(NamedTuple):
    """So far in an epoch."""

    images: int = 0
    """Passed by all operations of the supernet."""
    sampled_images: int = 0
    """Passed by those of one architecture."""
    multiply_adds: float = 0.0
    seconds: float = 0.0
    """Of the method itself."""

    def since(self, before: Spent) -> Spent:
        return Spent(
            self.images - before.images,
            self.sampled_images - before.sampled_images,
            self.multiply_adds - before.multiply_adds,
            self.seconds - before.seconds,
        )


@dataclass
class DryRun:
    """What a whole search costs."""

    epochs: int = 0
    multiply_adds: float = 0.0
    """NaN if the supernet does not count them."""
    images: int = 0
    """Passed before and after the iterations of an epoch, by all operations of the supernet."""
    sampled_images: int = 0
    """The same, by those of one architecture."""
    seconds: float = 0.0
    """Of what the method does there besides."""


def dry_run(search: Search) -> DryRun:
    """Every epoch, with some of its iterations, whose cost is scaled up. Uses up the search: its method has seen no
    loss but a constant."""
    dry, found = DrySearch(search), DryRun()
    for _ in dry.epochs():
        iterations, share = dry.present.in_iterations, dry.present.few / dry.present.iterations
        elsewhere = dry.present.spent().since(iterations)
        found.epochs += 1
        found.multiply_adds += elsewhere.multiply_adds + iterations.multiply_adds / share
        found.images += elsewhere.images
        found.sampled_images += elsewhere.sampled_images
        found.seconds += elsewhere.seconds
    return found


class DrySearch(Search):
    """The same loop, over problems that make no pass."""

    present: DryProblem
    """Of the last epoch."""

    def __init__(self, search: Search) -> None:
        self.parts, self.method, self.supernet = search.parts, search.method, search.supernet
        self.protocol, self.next_epoch = search.protocol, 0
        self.image = search.problem(epoch=0).batch("held_out")[0][:1]

    def problem(self, epoch: int) -> DryProblem:
        super().problem(epoch)  # which sets the learning rate
        self.present = DryProblem(self, epoch)
        return self.present


class DryProblem(SupernetProblem):
    """Counts the passes through the supernet, and makes none. All batches are one image."""

    def __init__(self, search: DrySearch, epoch: int) -> None:
        super().__init__(search.parts, epoch)
        self.image, self.start = search.image, time.perf_counter()
        self.images = {False: 0, True: 0}
        """Passed, by whether only the operations of one architecture were computed."""
        self.few = min(self.iterations, max(FEWEST, ITERATIONS // search.protocol.epochs))
        """Iterations that are made."""
        self._train = repeat(self._batch_of(self.parts.streams.train))
        self.in_iterations = Spent()

    def spent(self) -> Spent:
        multiply_adds = float(self.counter.multiply_adds().sum())
        return Spent(self.images[False], self.images[True], multiply_adds, time.perf_counter() - self.start)

    def pairs(self) -> Iterator[None]:
        before = self.spent()
        yield from islice(super().pairs(), self.few)
        self.in_iterations = self.spent().since(before)

    def batch(self, source: Source, size: int | None = None, augmented: bool | None = None) -> Batch:
        return self._batch_of(self._stream(*self._wanted(source, size, augmented)))

    def _batch_of(self, stream: Stream) -> Batch:
        """As large as the batches of the stream are on average: the last one of a pass may be smaller."""
        return self._images(round(stream.size / len(stream)))

    def _images(self, number: int) -> Batch:
        """That many, in the memory of one."""
        return self.image.expand(number, -1, -1, -1), self.image.new_zeros(number, dtype=torch.long)

    def accuracy(
        self,
        architecture: Tensor | Arch,
        batch: Batch | None = None,
        *,
        edge_weights: Tensor | None = None,
        training: bool = False,
    ) -> float:
        validation = self._images(self.parts.streams.validation.size) if batch is None else batch
        return super().accuracy(architecture, validation, edge_weights=edge_weights, training=training)

    def _set_mode(self, training: bool) -> None:
        """No pass depends on it."""

    def _logits(
        self,
        images: Tensor,
        weights: Tensor,
        edge_weights: Tensor | None,
        sampled: bool,
        kind: str,
        fp32: bool,
        twice: bool = False,
    ) -> Tensor:
        self.counter.forward(images, weights, kind, sampled)
        self.images[sampled] += len(images)
        of_class_0 = 1e-3 * (weights.sum() + self.w[0].sum())  # no gradient is zero, as some methods divide by its norm
        others = images.new_zeros(len(images), self.parts.data.classes - 1)
        return torch.cat([of_class_0.expand(len(images), 1), others], dim=1)

    def update(self, gradients: Sequence[Tensor], *, frozen: Iterable[Part] = ()) -> None:
        """Nothing moves."""
