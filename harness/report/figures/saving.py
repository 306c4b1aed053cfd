"""Writing figures to files with reproducible bytes."""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from fontTools import subset  # type: ignore[import-untyped]
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from harness.files import write_atomically
from harness.report.figures.cache import FORMATS

_DPI = 200

_STYLE: Any = {
    "pdf.fonttype": 42,  # TrueType: conferences reject Type 3 fonts
    "text.parse_math": False,  # for what is laid out only when it is drawn
    "svg.hashsalt": "figure",  # without it, identifiers inside the file are random
}


def save(figure: Figure, folder: Path, name: str, formats: Container[str] = FORMATS) -> dict[str, bytes]:
    """Write `name`.png (200 dpi), `name`.pdf and `name`.svg as selected by `formats`; return file contents by name.

    The bytes of a format do not depend on which other formats are written.
    """
    files = {}
    with matplotlib.rc_context(_STYLE):
        # Instead of `savefig`, which draws the figure twice per format.
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
    # Three times as fast as the highest compression level, and equally small.
    opaque.save(buffer, format="png", dpi=(_DPI, _DPI), compress_level=3)


def _pdf(figure: Figure, buffer: io.BytesIO) -> None:
    canvas: Any = FigureCanvasPdf(figure)
    with _bare_fonts():
        canvas.print_pdf(buffer, metadata={"CreationDate": None})


@contextmanager
def _bare_fonts() -> Iterator[None]:
    """Embed fonts without layout tables: PDF readers do not use them, and subsetting them takes two thirds of the time
    of font embedding, a quarter of the time of writing a PDF."""
    options: Any = subset.Options
    default = getattr(options, "_drop_tables_default", [])  # matplotlib does not expose this option
    options._drop_tables_default = [*default, "GDEF", "GPOS", "GSUB", "MATH", "kern"]
    try:
        yield
    finally:
        options._drop_tables_default = default


def _svg(figure: Figure, buffer: io.BytesIO) -> None:
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
