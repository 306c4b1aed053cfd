"""The figures of a report, drawn and written: in several processes where there is much to draw."""

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

from harness.report.figures.gallery import Drawing
from harness.report.figures.saving import save
from harness.report.site import Picture

_WORTH = 30
"""Files; to start processes for fewer takes longer than it saves."""


@dataclass(frozen=True)
class Drawn:
    """A figure that has been written."""

    png: str
    """Name of its PNG, whether it is written or not."""
    digests: dict[str, str]
    """SHA-256 of each of its files."""
    picture: Picture | None
    """As it stands in the page, if it does and is there as PNG."""


def draw(
    drawings: Iterable[Drawing], folder: Path, formats: Sequence[str], processes: int | None = None
) -> list[Drawn]:
    """Draw and write the figures. `processes`: None for as many as pay.

    The same drawings give the same bytes, whatever the number of processes.
    """
    drawings = iter(drawings)
    known: list[Drawing] = []
    if processes is None:
        most = joblib.cpu_count()
        # One process where there is one core, and none is needed to find out that there is little to draw.
        known = list(islice(drawings, -(-_WORTH // len(formats)))) if most > 1 else []
        processes = most if len(known) * len(formats) >= _WORTH else 1
    everything = chain(known, drawings)
    if processes == 1:
        return [_draw(drawing, folder, formats) for drawing in everything]
    # All at once, so that workers draw what is described while the next is being gathered.
    parallel = joblib.Parallel(processes, batch_size=1, pre_dispatch="all")
    try:
        return list(parallel(joblib.delayed(_draw)(drawing, folder, formats) for drawing in everything))
    finally:
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)  # they would idle for minutes


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without searches for unused objects, which the many objects of a figure set off again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _draw(drawing: Drawing, folder: Path, formats: Sequence[str]) -> Drawn:
    with matplotlib.rc_context(), _uncollected():
        matplotlib.rcdefaults()  # a user's own settings change no figure
        figure = drawing.figure()
        files = save(figure, folder, drawing.name, formats)
    png = files.get(f"{drawing.name}.png")
    picture = Picture.of(figure, png) if png is not None and drawing.on_page else None
    return Drawn(f"{drawing.name}.png", {name: sha256(content).hexdigest() for name, content in files.items()}, picture)
