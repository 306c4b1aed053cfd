"""Figures as files: the same figure gives the same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Container
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from harness.report.groups import PROFILE_ORDER
from harness.store import write_atomically

_FORMATS: dict[str, dict[str, Any]] = {
    "png": {"dpi": 200, "metadata": {"Software": None}},
    "pdf": {"metadata": {"CreationDate": None}},
    "svg": {"metadata": {"Date": None, "Creator": None}},
}

_STYLE: Any = {
    "pdf.fonttype": 42,  # TrueType: conferences turn Type 3 fonts away
    "svg.hashsalt": "figure",  # names inside the file would be random
}

_OURS = re.compile(rf"[a-z]+-.+-({'|'.join(PROFILE_ORDER)})-.+")


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `name`.png (200 dpi), `name`.pdf and `name`.svg."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is solved now; solving it for every format would take as long again
    for suffix, options in _FORMATS.items():
        buffer = io.BytesIO()
        with matplotlib.rc_context(_STYLE):
            figure.savefig(buffer, format=suffix, **options)
        write_atomically(folder / f"{name}.{suffix}", buffer.getvalue())


def remove_others(folder: Path, names: Container[str]) -> None:
    """Remove what earlier reports drew and this one does not: figures of groups that are no more.

    A file counts as a report's figure if it is called like one, `kind-space-profile-dataset`; others stay.
    """
    for path in sorted(folder.glob("*.*")):
        if path.suffix[1:] in _FORMATS and _OURS.fullmatch(path.stem) and path.stem not in names:
            path.unlink(missing_ok=True)
