"""Submitted results, each a leaderboard of its own that is never mixed with other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.experiment import submission
from harness.experiment.merge import ForeignStore
from harness.report.content import Report, gather
from harness.report.groups import GROUP, Group
from harness.report.render import wording
from harness.report.render.tables import rows_of

UNCHECKED = "nothing: there is no submission.json, which python -m harness verify --submitter NAME writes"
CHANGED = "nothing: its files were changed after python -m harness verify"


@dataclass(frozen=True)
class Submitted:
    """One submission."""

    name: str
    """Of its folder."""
    submitter: str
    """Empty if it does not say."""
    checks: tuple[str, ...]
    """What was checked, in words."""
    searches: int
    rows: tuple[tuple[str, ...], ...]
    """As `HEADINGS`, one per method, dataset and split."""


HEADINGS = ("method", "searches", "evaluated on", "mean ± std (n), %")


def load(folder: Path, order: Sequence[str], published: Path) -> list[Submitted]:
    """The submissions in a folder, one per subfolder, by name. ValueError if there is no such folder, or if one is
    malformed."""
    if not folder.is_dir():
        raise ValueError(f"no folder of submissions {folder}")
    found = sorted(path for path in folder.iterdir() if any((path / name).is_dir() for name in ("runs", "packed")))
    return [_submitted(path, gather(ForeignStore(path), order, published)) for path in found]


def _submitted(folder: Path, report: Report) -> Submitted:
    stated = submission.read(folder)
    verified = stated is not None and stated.sha256 == submission.digest(folder)
    if stated is None:
        checks = [UNCHECKED]
    elif verified:
        checks = [f"{what}: {outcome}" for what, outcome in stated.checks.items()]
    else:
        checks = [CHANGED]
    searches = int((report.runs["failure"] == "").sum())
    return Submitted(folder.name, stated.submitter if stated else "", tuple(checks), searches, tuple(_rows(report)))


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    """The final cells: test results, or validation accuracies of a group that has no others."""
    board = report.leaderboard[report.leaderboard["selection"] == "last"]
    for key, rows in board.groupby(GROUP, sort=False):
        group = Group(*map(str, key))
        tested = rows["metric"] != "valid_accuracy"
        for row in rows_of(rows[tested] if tested.any() else rows):
            yield _row(group, row)


def _row(group: Group, row: Any) -> tuple[str, ...]:
    return row.method, group.labelled_title, f"{row.dataset}, {wording.measured(row)}", wording.ours(row)
