"""The leaderboard as files: one long CSV for programs, and tables for people in Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.report import costs, leaderboard, regret, retrained
from harness.report.content import Report
from harness.report.costs import Cost, Size
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.render import wording
from harness.report.verdict import RULE


@dataclass(frozen=True)
class Lines:
    """What one method has in every column of a table: three lines."""

    method: str
    ours: tuple[str, ...]
    published: tuple[str, ...]
    verdict: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One group, selection and metric, of errors one recipe. Rows are methods; columns are datasets with their split,
    then the cells' sizes where they were trained, and in a group's first table what a search costs."""

    group: Group
    caption: str
    columns: tuple[str, ...]
    """E.g. `cifar100 x-test`."""
    rows: tuple[Lines, ...]


Entries = tuple[str, str, str]
"""Of a method in a column: ours, published, verdict."""

_NO_ENTRIES = (wording.NOTHING,) * 3


def csv(report: Report) -> str:
    """The leaderboard as it is."""
    return report.leaderboard[leaderboard.COLUMNS].to_csv(index=False, lineterminator="\n")


def runs_csv(report: Report) -> str:
    """Every run's cell, with its accuracy and regret, to a ten thousandth of a point."""
    return report.found.drop(columns="isomorphism_class").round(4).to_csv(index=False, lineterminator="\n")


def regret_csv(report: Report) -> str:
    """Mean regret and hit rate of every method."""
    return regret.summary(report.found).to_csv(index=False, lineterminator="\n")


def tables(report: Report) -> Iterator[Table]:
    """The leaderboard as tables for people, in its order."""
    board = report.leaderboard
    trained = board["metric"] == retrained.METRIC
    seen: set[Group] = set()
    for key, rows in board.groupby([*GROUP, "selection", "metric", board["table"].where(trained, "")], sort=False):
        *names, selection, metric, recipe = map(str, key)
        group = Group(*names)
        columns = _numbers(rows)
        if recipe:
            columns |= _sizes(report, group, recipe)
        if group not in seen:
            columns["search cost"] = _costs(report, group)
        seen.add(group)
        short, shared = report.short_names(dict.fromkeys(rows["method"]))
        caption = _caption(report, selection, metric, recipe, set(rows["dataset"]))
        caption += f"; all with {shared}" if shared else ""
        lines = tuple(_lines(method, name, columns.values()) for method, name in short.items())
        yield Table(group, caption, tuple(columns), lines)


def remarks(report: Report) -> list[tuple[str, list[str]]]:
    """What stands below the tables: headings, each with its lines."""
    sections = [
        ("How to read the tables", reading(report)),
        ("Tables that were looked up", [f"{table}: {source}" for table, source in report.tables.items()]),
        ("Published values", list(report.citations)),
        ("Cells of the DARTS space, trained from scratch", _trained(report)),
        ("The paper's own leaderboard", _headlines(report) if len(report.leaderboard) else []),
        ("Failed runs", report.failures),
        ("Notes", list(report.notes)),
        ("Damaged files", list(report.warnings)),
    ]
    return [(heading, lines) for heading, lines in sections if lines]


def reading(report: Report) -> list[str]:
    """How to read whatever numbers the report has."""
    if report.leaderboard.empty:
        return []
    lines = [wording.ACCURACIES] if len(report.finals) else []
    lines += [wording.ERRORS] if len(report.trained_finals) else []
    return [*lines, wording.PUBLISHED, costs.READING, f"verdict: {RULE}"]


def costs_csv(report: Report) -> str:
    """What a search of every method costs, ours and published."""
    return costs.frame(report.costs).to_csv(index=False, lineterminator="\n")


def darts_space_csv(report: Report) -> str:
    """Errors of retrained cells of the DARTS space next to all published numbers."""
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
    """One line per method, dataset and recipe, with everything that is published."""
    notes = retrained.notes(report.trained_finals, report.trainings)
    lines = []
    rows: Iterator[Any] = report.trained.itertuples()
    for row in rows:
        note = ", ".join(filter(None, [row.recipe, notes[row.dataset, row.recipe]]))
        spread = "" if pd.isna(row.std) else f" ± {row.std:.2f}"
        sizes = "" if pd.isna(row.params_millions) else f" {row.params_millions:.3f} million parameters;"
        lines.append(
            f"{row.method}: {row.mean:.2f}{spread} % test error on {row.dataset} (n = {row.n}; {note});{sizes}"
            f" published, not comparable: {row.published}"
        )
    return lines


def _caption(report: Report, selection: str, metric: str, recipe: str, datasets: set[str]) -> str:
    caption = f"{SELECTIONS[selection].capitalize()}: {METRICS[metric].name} in %"
    notes = retrained.notes(report.trained_finals, report.trainings)
    said = {notes[dataset, recipe] for dataset in datasets} - {""} if recipe else set()
    proxy = f" ({', '.join(sorted(said))})" if said else ""
    return f"{caption}; recipe: {recipe}{proxy}" if recipe else caption


def _numbers(rows: pd.DataFrame) -> dict[str, dict[str, Entries]]:
    """By column and method."""
    columns: dict[str, dict[str, Entries]] = {}
    found: Iterator[Any] = rows.itertuples()
    for row in found:
        entries = (wording.ours(row), wording.published(row), str(row.verdict))
        columns.setdefault(f"{row.dataset} {row.split}", {})[row.method] = entries
    return columns


def _sizes(report: Report, group: Group, recipe: str) -> dict[str, dict[str, Entries]]:
    columns: dict[str, dict[str, Entries]] = {}
    for size in report.sizes:
        if (size.group, size.recipe) == (group, recipe):
            columns.setdefault(f"{size.dataset} parameters", {})[size.method] = _entries(size)
    return columns


def _costs(report: Report, group: Group) -> dict[str, Entries]:
    return {cost.method: _entries(cost) for cost in report.costs if cost.group == group}


def _entries(found: Cost | Size) -> Entries:
    return found.ours, found.theirs, found.verdict


def _lines(method: str, name: str, columns: Iterable[Mapping[str, Entries]]) -> Lines:
    """`name`: what the method is called in this table."""
    entries = [column.get(method, _NO_ENTRIES) for column in columns]
    ours, published, verdict = zip(*entries, strict=True)
    return Lines(name, ours, published, verdict)
