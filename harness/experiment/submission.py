"""A results folder that somebody has submitted: who, and what was checked of it. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.files import write_atomically

FILE = "submission.json"
CONTENT = ("runs", "packed", "scores", "sources", "tunings")
"""Folders whose files a submission consists of; tables and page follow from them."""


@dataclass(frozen=True)
class Submission:
    """The content of `submission.json`."""

    submitter: str
    checks: dict[str, str]
    """What `python -m harness verify` has checked, and its result, in words."""
    sha256: str
    """`digest` of the files that were checked."""


def digest(folder: Path) -> str:
    """SHA-256 of the names and contents of all files of a submission."""
    paths = sorted(path for name in CONTENT for path in (folder / name).rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write(folder: Path, submitter: str, checks: dict[str, str]) -> None:
    """State the submitter and the checks. OSError if the folder cannot be written."""
    text = json.dumps(asdict(Submission(submitter, checks, digest(folder))), indent=1, ensure_ascii=False)
    write_atomically(folder / FILE, f"{text}\n".encode())


def read(folder: Path) -> Submission | None:
    """None if the folder is no submission. ValueError if its file is malformed."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content: Any = json.loads(path.read_bytes())
        submission = Submission(**content)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
    checks = submission.checks if isinstance(submission.checks, dict) else {"": None}
    texts = [submission.submitter, submission.sha256, *checks, *checks.values()]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{path}: expected texts")
    return submission
