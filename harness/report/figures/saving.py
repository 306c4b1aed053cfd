"""Figures as files: the same figure gives the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Container
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.image import imsave

from harness.files import write_atomically
from harness.report.figures.cache import FORMATS
from harness.report.groups import PROFILE_ORDER

_DPI = 200

_STYLE: Any = {
    "pdf.fonttype": 42,  # TrueType: conferences turn Type 3 fonts away
    "svg.hashsalt": "figure",  # names inside the file would be random
}

_OURS = re.compile(rf"[a-z]+-.+-({'|'.join(PROFILE_ORDER)})-.+")


def save(figure: Figure, folder: Path, name: str, formats: Container[str] = FORMATS) -> list[str]:
    """Write `name`.png (200 dpi), `name`.pdf and `name`.svg, those that `formats` has; returns the names of the files.

    The same figure has the same bytes in a format, whatever the others are.
    """
    files = []
    with matplotlib.rc_context(_STYLE):
        # Not `savefig`, which draws everything twice for each format.
        for suffix, draw in zip(FORMATS, (_png, _pdf, _svg), strict=True):
            if suffix not in formats and suffix != FORMATS[0]:  # the first solves the layout for all
                continue
            buffer = io.BytesIO()
            draw(figure, buffer)
            if suffix in formats:
                write_atomically(folder / f"{name}.{suffix}", buffer.getvalue())
                files.append(f"{name}.{suffix}")
    return files


def _png(figure: Figure, buffer: io.BytesIO) -> None:
    """The first to be drawn: solves the layout, which then holds for all formats."""
    figure.set_dpi(_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")
    plain: Any = {"Software": None}
    imsave(buffer, canvas.buffer_rgba(), format="png", dpi=_DPI, metadata=plain)


def _pdf(figure: Figure, buffer: io.BytesIO) -> None:
    canvas: Any = FigureCanvasPdf(figure)
    canvas.print_pdf(buffer, metadata={"CreationDate": None})


def _svg(figure: Figure, buffer: io.BytesIO) -> None:
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})


def remove_others(folder: Path, files: Container[str]) -> None:
    """Remove what earlier reports drew and this one does not: figures of groups that are no more.

    A file counts as a report's figure if it is called like one, `kind-space-profile-dataset`; others stay.
    """
    for path in sorted(folder.glob("*.*")):
        if path.suffix[1:] in FORMATS and _OURS.fullmatch(path.stem) and path.name not in files:
            path.unlink(missing_ok=True)
