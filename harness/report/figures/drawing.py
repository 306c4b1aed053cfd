"""Drawing and writing the figures of a report, in several processes if there are many."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path

import joblib
import matplotlib
from joblib.externals.loky import get_reusable_executor

from harness.report.figures.description import Drawing
from harness.report.figures.saving import save
from harness.report.site import Picture

_WORTH = 30
"""Minimum number of files for which starting processes saves time."""


@dataclass(frozen=True)
class Drawn:
    """A figure that has been written."""

    png: str
    """Name of its PNG file, whether or not it is written."""
    digests: dict[str, str]
    """SHA-256 of each of its files."""
    picture: Picture | None
    """The figure as the page embeds it; None if the page does not or no PNG is written."""


def draw(
    drawings: Iterable[Drawing], folder: Path, formats: Sequence[str], processes: int | None = None
) -> list[Drawn]:
    """Draw and write the figures.

    The same drawings give the same bytes, whatever the number of processes.

    Args:
        processes: number of processes; by default one per core if there are enough files, else one.
    """
    drawings = iter(drawings)
    first: list[Drawing] = []
    if processes is None:
        cores = joblib.cpu_count()
        # Look ahead only on several cores, and only as far as needed to decide whether processes pay off.
        first = list(islice(drawings, -(-_WORTH // len(formats)))) if cores > 1 else []
        processes = cores if len(first) * len(formats) >= _WORTH else 1
    all_drawings = chain(first, drawings)
    if processes == 1:
        return [_draw(drawing, folder, formats) for drawing in all_drawings]
    # Dispatch eagerly, so that workers draw while the data of the next figures is gathered.
    parallel = joblib.Parallel(processes, batch_size=1, pre_dispatch="all")
    try:
        return list(parallel(joblib.delayed(_draw)(drawing, folder, formats) for drawing in all_drawings))
    finally:
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)  # workers would idle for minutes


@contextmanager
def _uncollected() -> Iterator[None]:
    """Disable garbage collection, which the many objects of a figure would trigger repeatedly."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _draw(drawing: Drawing, folder: Path, formats: Sequence[str]) -> Drawn:
    with matplotlib.rc_context(), _uncollected():
        matplotlib.rcdefaults()  # ignore the user's matplotlib settings
        figure = drawing.figure()
        files = save(figure, folder, drawing.name, formats)
    png = files.get(f"{drawing.name}.png")
    picture = Picture.of(figure, png) if png is not None and drawing.on_page else None
    return Drawn(f"{drawing.name}.png", {name: sha256(content).hexdigest() for name, content in files.items()}, picture)
