"""Which figures stand in a folder, and of what: so that a report of the same runs does not draw them again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from harness.files import write_atomically
from harness.report.content import Report
from harness.report.site import Picture

INDEX = "index.json"
FORMATS = ("png", "pdf", "svg")
"""Of figures. The page shows those that are PNG files."""


def digest(report: Report, curves: Path, formats: Sequence[str]) -> str:
    """SHA-256 of all that figures depend on: runs, accuracies, published curves, and the code that draws."""
    found = hashlib.sha256()
    for record in report.records:
        asked = [record["key"], record["status"], record.get("arrays_sha256"), record.get("improvements")]
        found.update(json.dumps([*asked, record["provenance"].get("seconds")]).encode())
    found.update(report.accuracies.to_csv(index=False).encode())
    found.update(json.dumps([report.methods, sorted(formats), version("matplotlib")]).encode())
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    for path in [*sources, *([curves] if curves.exists() else [])]:
        found.update(path.read_bytes())
    return found.hexdigest()


def read(folder: Path, sha256: str) -> list[Picture] | None:
    """The pictures of the page, if the folder holds the figures of that digest, every one of them."""
    try:
        index = json.loads((folder / INDEX).read_bytes())
        if index["sha256"] != sha256 or not all((folder / name).exists() for name in index["files"]):
            return None
        return [Picture(caption, alt, (folder / name).read_bytes()) for name, caption, alt in index["pictures"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, sha256: str, files: list[str], pictures: dict[str, Picture]) -> None:
    """Note that the folder holds `files`, of which `pictures` (by the name of their PNG) stand in the page."""
    index = {
        "sha256": sha256,
        "files": sorted(files),
        "pictures": [[name, picture.caption, picture.alt] for name, picture in pictures.items()],
    }
    write_atomically(folder / INDEX, json.dumps(index, indent=1).encode() + b"\n")
