"""The values of every epoch for TensorBoard, where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from harness.experiment.store import Arrays


class Scalars(Protocol):
    def __call__(self, epoch: int, values: Arrays) -> None:
        """Add the values, each an array (1,), after an epoch, which counts from 1."""


@contextmanager
def ignored() -> Iterator[Scalars]:
    """Writes nothing."""
    yield lambda _epoch, _values: None


@contextmanager
def scalars(folder: Path, first_epoch: int) -> Iterator[Scalars]:
    """Writes to `folder`, over what a killed process wrote from `first_epoch` on; nothing without TensorBoard."""
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
