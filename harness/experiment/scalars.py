"""Writes the values of every epoch for TensorBoard, if it is installed."""

from __future__ import annotations

import io
import os
import re
import socket
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event

FOLDER = "tensorboard"
"""Within a results folder; it has a folder per run."""
Values = Mapping[str, float]
"""Of an epoch, by name."""

_DIGITS = 12
_LONGEST = 120


def folder(results: Path, key: str, name: str) -> Path:
    """Of a run. Its name, which TensorBoard shows, says what the run is; digits of the key tell equal names apart."""
    readable = re.sub(r"[^A-Za-z0-9.=_@-]+", "-", name)[:_LONGEST].strip("-")
    return results / FOLDER / f"{readable}-{key[:_DIGITS]}"


def written(results: Path, key: str) -> list[Path]:
    """The folders of a run, whatever it was called."""
    return sorted((results / FOLDER).glob(f"*{key[:_DIGITS]}*"))


def installed() -> bool:
    return find_spec("tensorboard") is not None


class Scalars(Protocol):
    def __call__(self, epoch: int, values: Values) -> None:
        """Add the values of an epoch, counted from 1."""


def ignored(epoch: int, values: Values) -> None:
    """Discards all values."""


def scalars(folder: Path, before: Sequence[Values] = (), warn: Callable[[str], object] = warnings.warn) -> Scalars:
    """A writer to `folder`; discards all values without TensorBoard.

    It begins with the epochs `before`, which replace whatever the folder has: a process that was killed may have
    written one more than its checkpoint has, or one less. Where the files cannot be written (full disk), it warns once,
    in one line, and writes no more: a run does not depend on them.
    """
    if not installed():
        return ignored
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog

    path = folder / f"events.out.tfevents.{time.time():010.0f}.{socket.gethostname()}.{os.getpid()}"
    begun = failed = False

    def add(*events: Event) -> None:
        nonlocal begun, failed
        if failed:
            return
        try:
            if not begun:
                _clear(folder)
            _append(path, events)
            begun = True
        except OSError as error:
            if error.errno is None:  # the TimeoutError of a time limit
                raise
            failed = True
            warn(f"TensorBoard lacks epochs of this run: {path}: {error.strerror}")

    # For a TensorBoard that has read the files that were replaced: what it has from step 1 on is obsolete.
    start = Event(wall_time=time.time(), step=1, session_log=SessionLog(status=SessionLog.START))
    add(Event(wall_time=time.time(), file_version="brain.Event:2"), start)
    for epoch, values in enumerate(before, start=1):
        add(_event(epoch, values))
    return lambda epoch, values: add(_event(epoch, values))


def _event(epoch: int, values: Values) -> Event:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    shown = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
    return Event(wall_time=time.time(), step=epoch, summary=Summary(value=shown))


def _clear(folder: Path) -> None:
    """Make an empty folder: files of one second are read in any order."""
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("events.out.tfevents.*"):
        earlier.unlink(missing_ok=True)


def _append(path: Path, events: Sequence[Event]) -> None:
    # Not with torch's SummaryWriter, in whose thread a full disk is a traceback.
    from tensorboard.summary.writer.record_writer import RecordWriter

    content = io.BytesIO()
    records = RecordWriter(content)
    for event in events:
        records.write(event.SerializeToString())
    with path.open("ab") as file:
        file.write(content.getvalue())
