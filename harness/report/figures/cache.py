"""Which figures stand in a folder, and of what: so that a report of the same runs does not draw them again, and one of
other runs removes those that earlier reports drew and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.files import write_atomically
from harness.report.content import Report
from harness.report.site import Picture

INDEX = "index.json"
FORMATS = ("png", "pdf", "svg")
"""Of figures. The page shows those that are PNG files."""
_LIBRARIES = ("matplotlib", "numpy", "pillow", "scikit-posthocs", "scipy", "seaborn")


def digest(report: Report, curves: Path, formats: Sequence[str]) -> str:
    """SHA-256 of all that figures depend on: runs, accuracies, published curves, and the code that draws."""
    found = hashlib.sha256()
    for record in report.records:
        asked = [record["key"], record["status"], record.get("arrays_sha256"), record.get("improvements")]
        found.update(json.dumps([*asked, record["provenance"].get("seconds")]).encode())
    found.update(report.accuracies.to_csv(index=False).encode())
    found.update(json.dumps([report.methods, sorted(formats), *map(version, _LIBRARIES)]).encode())
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    for path in [*sources, *([curves] if curves.exists() else [])]:
        found.update(path.read_bytes())
    return found.hexdigest()


def read(folder: Path, sha256: str) -> list[Picture] | None:
    """The pictures of the page, if the folder holds the figures of that digest, every one as it was drawn."""
    index = _index(folder)
    if index.get("sha256") != sha256:
        return None
    try:
        if not all(_is(folder / name, expected) for name, expected in _files(index).items()):
            return None
        return [Picture(caption, alt, (folder / name).read_bytes()) for name, caption, alt in index["pictures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, sha256: str, files: Mapping[str, str], pictures: Mapping[str, Picture]) -> None:
    """Note that the folder holds `files` (SHA-256 by name), of which `pictures`, by the name of their PNG, stand in the
    page; remove what an earlier report drew and this one does not.

    An earlier report's file is one that its index names, with the content that it had then; others stay.
    """
    for name, expected in _files(_index(folder)).items():
        if name not in files and _is(folder / name, expected):
            (folder / name).unlink(missing_ok=True)
    index = {
        "sha256": sha256,
        "files": dict(sorted(files.items())),
        "pictures": [[name, picture.caption, picture.alt] for name, picture in pictures.items()],
    }
    write_atomically(folder / INDEX, json.dumps(index, indent=1).encode() + b"\n")


def _index(folder: Path) -> dict[str, Any]:
    """What the last report noted; nothing if it cannot be read."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
    except (OSError, ValueError):
        return {}
    return index if isinstance(index, dict) else {}


def _files(index: Mapping[str, Any]) -> dict[str, str]:
    """Names and digests of an index, without what is no name of a file in its own folder."""
    files = index.get("files")
    named = files.items() if isinstance(files, dict) else ()
    return {name: expected for name, expected in named if name == Path(name).name and name != INDEX}


def _is(path: Path, sha256: str) -> bool:
    try:
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False
