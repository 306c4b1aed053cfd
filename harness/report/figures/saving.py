"""Figures as files: the same figure gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Container
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from harness.files import write_atomically
from harness.report.figures.cache import FORMATS

_DPI = 200

_STYLE: Any = {
    "pdf.fonttype": 42,  # TrueType: conferences turn Type 3 fonts away
    "svg.hashsalt": "figure",  # names inside the file would be random
}


def save(figure: Figure, folder: Path, name: str, formats: Container[str] = FORMATS) -> dict[str, bytes]:
    """Write `name`.png (200 dpi), `name`.pdf and `name`.svg, those that `formats` has; returns their contents by name.

    The same figure has the same bytes in a format, whatever the others are.
    """
    files = {}
    with matplotlib.rc_context(_STYLE):
        # Not `savefig`, which draws everything twice for each format.
        for suffix, draw in zip(FORMATS, (_png, _pdf, _svg), strict=True):
            if suffix in formats:
                buffer = io.BytesIO()
                draw(figure, buffer)
                files[f"{name}.{suffix}"] = buffer.getvalue()
    for file, content in files.items():
        write_atomically(folder / file, content)
    return files


def _png(figure: Figure, buffer: io.BytesIO) -> None:
    figure.set_dpi(_DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    opaque = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
    # Three times as fast as the highest compression, and as small.
    opaque.save(buffer, format="png", dpi=(_DPI, _DPI), compress_level=3)


def _pdf(figure: Figure, buffer: io.BytesIO) -> None:
    canvas: Any = FigureCanvasPdf(figure)
    canvas.print_pdf(buffer, metadata={"CreationDate": None})


def _svg(figure: Figure, buffer: io.BytesIO) -> None:
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
