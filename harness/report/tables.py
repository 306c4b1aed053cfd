"""The leaderboard as files: one long CSV for programs, and tables for people in Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.report import regret, wording
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.verdict import RULE

METRIC_NAMES = {
    "test_accuracy": "test accuracy",
    "valid_accuracy": "validation accuracy",
    "test_error": "test error of the cell, trained from scratch",
}


@dataclass(frozen=True)
class Lines:
    """What one method has in every column of a table."""

    method: str
    ours: tuple[str, ...]
    published: tuple[str, ...]
    verdict: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One group, selection and metric: rows are methods, columns are datasets with their split."""

    group: Group
    selection: str
    metric: str
    columns: tuple[str, ...]
    """E.g. `cifar100 x-test`."""
    rows: tuple[Lines, ...]

    @property
    def caption(self) -> str:
        return f"{SELECTIONS[self.selection].capitalize()}: {METRIC_NAMES[self.metric]} in %"


def csv(report: Report) -> str:
    """The leaderboard as it is."""
    return report.leaderboard.to_csv(index=False, lineterminator="\n")


def runs_csv(report: Report) -> str:
    """Every run's cell, with its accuracy, regret and isomorphism class."""
    return report.found.to_csv(index=False, lineterminator="\n")


def regret_csv(report: Report) -> str:
    """Mean regret and hit rate of every method."""
    return regret.summary(report.found).to_csv(index=False, lineterminator="\n")


def tables(report: Report) -> Iterator[Table]:
    """The leaderboard as tables for people, in its order."""
    for key, rows in report.leaderboard.groupby([*GROUP, "selection", "metric"], sort=False):
        *group, selection, metric = map(str, key)
        columns = tuple(dict.fromkeys(zip(rows["dataset"], rows["split"], strict=True)))
        lines = tuple(_lines(str(method), own, columns) for method, own in rows.groupby("method", sort=False))
        yield Table(Group(*group), selection, metric, tuple(map(" ".join, columns)), lines)


def remarks(report: Report) -> list[tuple[str, list[str]]]:
    """What stands below the tables: headings, each with its lines."""
    sections = [
        ("How to read the tables", [*wording.LEGEND, f"verdict: {RULE}"] if len(report.leaderboard) else []),
        ("Tables that were looked up", [f"{table}: {source}" for table, source in report.tables.items()]),
        ("Published values", list(report.citations)),
        ("Cells of the DARTS space, trained from scratch", _trained(report)),
        ("The paper's own leaderboard", _headlines(report) if len(report.leaderboard) else []),
        ("Failed runs", report.failures),
        ("Notes", list(report.notes)),
        ("Damaged files", list(report.warnings)),
    ]
    return [(heading, lines) for heading, lines in sections if lines]


def darts_space_csv(report: Report) -> str:
    """Errors of trained cells of the DARTS space beside all published numbers."""
    return report.trained.to_csv(index=False, lineterminator="\n")


def headlines_csv(report: Report) -> str:
    """The numbers of the paper's own leaderboard, published and ours."""
    return report.headlines.to_csv(index=False, lineterminator="\n")


def _headlines(report: Report) -> list[str]:
    """One line per number: how far we are, and the command that reproduces it."""
    lines = []
    rows: Iterator[Any] = report.headlines.itertuples()
    for row in rows:
        ours = "not run yet" if pd.isna(row.ours) else f"ours {row.ours:.2f} (n = {row.n}), {row.verdict}"
        place = f"{row.method} on {row.dataset}, {row.metric} ({row.split})"
        lines.append(f"{place}: published {row.published:g} ({row.published_status}); {ours}: {row.command}")
    return lines


def _trained(report: Report) -> list[str]:
    """One line per method; a training on digits is a proxy and is called one."""
    lines = []
    rows: Iterator[Any] = report.trained.itertuples()
    for row in rows:
        proxy = ", a short schedule on digits: a proxy" if row.dataset == "digits" else ""
        spread = "" if pd.isna(row.std) else f" ± {row.std:.2f}"
        lines.append(
            f"{row.method}: {row.mean:.2f}{spread} % test error on {row.dataset} (n = {row.n}; {row.recipe}{proxy}); "
            f"{row.params_millions:.3f} million parameters; published, not comparable: {row.published}"
        )
    return lines


def _lines(method: str, rows: pd.DataFrame, columns: tuple[tuple[str, str], ...]) -> Lines:
    found = {(row.dataset, row.split): row for row in rows.itertuples()}
    shown = [found.get(column) for column in columns]
    return Lines(
        method,
        tuple(wording.ours(row) if row else wording.NOTHING for row in shown),
        tuple(wording.published(row) if row else wording.NOTHING for row in shown),
        tuple(str(row.verdict) if row else wording.NOTHING for row in shown),
    )
