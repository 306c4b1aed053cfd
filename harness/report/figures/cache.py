"""Index of the figures in a folder: a report of the same runs does not redraw them, and a report of other runs removes
outdated figures of earlier reports but no other files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.experiment.registry import looks
from harness.files import write_atomically
from harness.report.content import Report
from harness.report.site import Picture

HARNESS = Path(__file__).parents[2]
INDEX = "index.json"
FORMATS = ("png", "pdf", "svg")
"""File formats of figures; the page embeds the PNG files."""
_LIBRARIES = ("matplotlib", "numpy", "pillow", "scikit-posthocs", "scipy", "seaborn")


def digest(report: Report, curves: Path, formats: Sequence[str]) -> str:
    """SHA-256 of everything that figures depend on: runs, accuracies, published curves, drawing code and libraries."""
    sha256 = hashlib.sha256()
    for record in report.records:
        identity = [record["key"], record["status"], record.get("arrays_sha256"), record.get("improvements")]
        sha256.update(json.dumps(identity).encode())
    sha256.update(report.accuracies.to_csv(index=False).encode())
    trained = report.retrained_finals.reindex(columns=["key", "dataset", "table", "value"])
    sha256.update(trained.to_csv(index=False).encode())
    sha256.update(repr([report.own_images, report.tunings]).encode())
    sha256.update(json.dumps([report.methods, looks(), sorted(formats), *map(version, _LIBRARIES)]).encode())
    sources = sorted(path for name in ("report", "benchmarks") for path in (HARNESS / name).rglob("*.py"))
    for path in [*sources, *([curves] if curves.exists() else [])]:
        sha256.update(path.read_bytes())
    return sha256.hexdigest()


def read(folder: Path, sha256: str) -> tuple[list[Picture], list[str]] | None:
    """The page's pictures and the warnings of the drawing, if the folder has all figures with this digest, unmodified;
    otherwise None."""
    index = _index(folder)
    if index.get("sha256") != sha256:
        return None
    try:
        if not all(_is(folder / name, expected) for name, expected in _files(index).items()):
            return None
        pictures = [Picture(caption, alt, (folder / name).read_bytes()) for name, caption, alt in index["pictures"]]
        return pictures, list(index["warnings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(
    folder: Path, sha256: str, files: Mapping[str, str], pictures: Mapping[str, Picture], warnings: Sequence[str]
) -> None:
    """Write the index of a folder and remove figures of an earlier report that this one does not have.

    A file is removed only if the earlier index lists it and its content has not changed since.

    Args:
        sha256: digest of the figures (`digest`).
        files: SHA-256 of each file.
        pictures: the pictures embedded in the page, by the name of their PNG file.
        warnings: lines about runs that the figures leave out.
    """
    for name, expected in _files(_index(folder)).items():
        if name not in files and _is(folder / name, expected):
            (folder / name).unlink(missing_ok=True)
    index = {
        "sha256": sha256,
        "files": dict(sorted(files.items())),
        "pictures": [[name, picture.caption, picture.alt] for name, picture in pictures.items()],
        "warnings": list(warnings),
    }
    write_atomically(folder / INDEX, json.dumps(index, indent=1).encode() + b"\n")


def _index(folder: Path) -> dict[str, Any]:
    """The index written by the last report; empty if it cannot be read."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def _files(index: Mapping[str, Any]) -> dict[str, str]:
    """Names and digests of the files in an index; names that point outside the folder are ignored."""
    files = index.get("files")
    entries = files.items() if isinstance(files, dict) else ()
    return {name: expected for name, expected in entries if name == Path(name).name and name != INDEX}


def _is(path: Path, sha256: str) -> bool:
    try:
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
