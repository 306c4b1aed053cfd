"""Writes the values of every epoch for TensorBoard, if it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from harness.experiment.store import Arrays


class Scalars(Protocol):
    def __call__(self, epoch: int, values: Arrays) -> None:
        """Add the values, each an array (1,), of an epoch, counted from 1."""


@contextmanager
def ignored() -> Iterator[Scalars]:
    """A writer that discards all values."""
    yield lambda _epoch, _values: None


@contextmanager
def scalars(folder: Path, first_epoch: int) -> Iterator[Scalars]:
    """A writer to `folder` that replaces what a killed process wrote from `first_epoch` on; discards all values without
    TensorBoard."""
    if find_spec("tensorboard") is None:
        with ignored() as add_nothing:
            yield add_nothing
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder), purge_step=first_epoch)

    def add(epoch: int, values: Arrays) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value.item(), epoch)
        writer.flush()

    try:
        yield add
    finally:
        writer.close()
