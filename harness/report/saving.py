"""Figures as files: the same figure gives the same bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from harness.store import write_atomically

_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 200, "metadata": {"Software": None}},
    "pdf": {"metadata": {"CreationDate": None}},
}


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `name`.png (200 dpi) and `name`.pdf."""
    for suffix, options in _FORMATS.items():
        buffer = io.BytesIO()
        with matplotlib.rc_context({"pdf.fonttype": 42}):  # TrueType: conferences turn Type 3 fonts away
            figure.savefig(buffer, format=suffix, **options)
        write_atomically(folder / f"{name}.{suffix}", buffer.getvalue())
