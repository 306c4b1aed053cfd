"""The tables of a report: CSV files for programs, and the leaderboard for people in Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.report import columns, controls, costs, regret, retrained
from harness.report.columns import COSTS, LEADERBOARD, SIZES, TABLES, Column
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.published import STATUSES, UNCERTAIN
from harness.report.render import own_images, tuning, wording
from harness.report.render.summary import Summary
from harness.report.verdict import RULE

_SHOWN = [f"{status} ({meaning})" for status, meaning in STATUSES.items() if status != UNCERTAIN]
STATUS = f"status of a published value: {', '.join(_SHOWN)}."


def _runs(report: Report) -> pd.DataFrame:
    return regret.of_every_run(report.finals, report.regrets).round(4)  # to a ten thousandth of a point


FILES: Mapping[str, tuple[list[Column], Callable[[Report], pd.DataFrame | Sequence[Any]]]] = {
    "leaderboard.csv": (LEADERBOARD, lambda report: report.leaderboard),
    "runs.csv": (columns.RUNS, _runs),
    "regret.csv": (columns.REGRET, lambda report: regret.summary(report.regrets)),
    "headlines.csv": (columns.HEADLINE, lambda report: report.headlines),
    "search_cost.csv": (COSTS, lambda report: report.costs),
    "retrained.csv": (columns.RETRAINED, lambda report: report.retrained),
}
"""Columns and rows of each CSV file, by file name."""


def csv(name: str, report: Report) -> str:
    """The content of one of `FILES`."""
    file_columns, rows = FILES[name]
    return columns.frame(file_columns, rows(report)).to_csv(index=False, lineterminator="\n")


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """The rows of a frame as objects with an attribute per column."""
    return list(frame.itertuples(index=False))


Entry = Mapping[str, str]
"""Texts of one method in one column of a table, by the heading of the line: ours, published, verdict, ..."""


@dataclass(frozen=True)
class Lines:
    """The lines of one method in a table: each a heading and its texts, one per column."""

    method: str
    control: bool
    """Whether it is set apart, below the others."""
    lines: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Table:
    """Results of one group, selection and metric; for errors, of one recipe.

    Rows are methods. Columns are datasets with their split, then the sizes of retrained cells, and in the first table
    of a group the search cost.
    """

    group: Group
    caption: str
    columns: tuple[str, ...]
    """E.g. `cifar100 x-test`."""
    rows: tuple[Lines, ...]


def begins_controls(rows: Sequence[Lines], number: int) -> bool:
    """Whether a row of a table is the first of the controls that other methods stand above."""
    return number > 0 and rows[number].control and not rows[number - 1].control


def entry(of: Sequence[Column], row: Any) -> Entry:
    """Texts of a leaderboard row, a cost or a size, by heading."""
    return {column.heading: column.read(row) for column in columns.shown(of, TABLES)}


def headings() -> list[str]:
    """Headings of the lines under every number."""
    return [column.heading for column in columns.shown(LEADERBOARD, TABLES)]


def tables(report: Report) -> Iterator[Table]:
    """The leaderboard as tables for people, in leaderboard order."""
    board = report.leaderboard
    trained = board["metric"] == retrained.METRIC
    seen: set[Group] = set()
    for key, rows in board.groupby([*GROUP, "selection", "metric", board["table"].where(trained, "")], sort=False):
        *names, selection, metric, recipe = map(str, key)
        group = Group(*names)
        table_columns = _numbers(rows)
        if recipe:
            table_columns |= _sizes(report, group, recipe)
        if group not in seen:
            costs_of_group = [cost for cost in report.costs if cost.group == group]
            table_columns["search cost"] = {cost.method: entry(COSTS, cost) for cost in costs_of_group}
        seen.add(group)
        short, shared = report.short_names(dict.fromkeys(rows["method"]))
        caption = _caption(report, selection, metric, recipe, set(rows["dataset"]))
        caption += f"; all with {shared}" if shared else ""
        lines = tuple(
            Lines(name, method in report.set_apart, _lines(method, table_columns)) for method, name in short.items()
        )
        yield Table(group, caption, tuple(table_columns), lines)


def summaries(report: Report) -> list[Summary]:
    """Tables beside the leaderboard."""
    return [*own_images.summaries(report.own_images), *tuning.summaries(report.tunings)]


def remarks(report: Report) -> list[tuple[str, list[str]]]:
    """The sections below the tables: headings, each with its lines."""
    sections = [
        ("How to read the tables", reading(report)),
        ("Controls", list(controls.notes(report.budgets))),
        ("Look-up tables", [f"{table}: {source}" for table, source in report.tables.items()]),
        ("Published values", list(report.citations)),
        ("Retrained cells", _trained(report)),
        ("The paper's own leaderboard", _headlines(report) if len(report.leaderboard) else []),
        ("Failed runs", report.failures),
        ("Notes", list(report.notes)),
        ("Corrupt files", list(report.warnings)),
    ]
    return [(heading, lines) for heading, lines in sections if lines]


def reading(report: Report) -> list[str]:
    """Explanations of the kinds of numbers in the report."""
    if report.leaderboard.empty:
        return []
    evaluated = "; ".join(evaluations(report.finals["space"]))
    lines = [wording.ACCURACIES.format(f", {evaluated}" if evaluated else "")] if len(report.finals) else []
    lines += [wording.ERRORS] if len(report.retrained_finals) else []
    return [*lines, wording.PUBLISHED, STATUS, costs.READING, f"verdict: {RULE}", *_margins(report)]


def evaluations(spaces: Iterable[str]) -> list[str]:
    """How accuracies in built-in spaces came about: `on nasbench201 after 200 epochs of training`."""
    found: dict[str, list[str]] = {}
    for space in dict.fromkeys(spaces):
        if space in BENCHMARKS:
            found.setdefault(BENCHMARKS[space].evaluation, []).append(space)
    return [f"on {', '.join(sorted(names))} {evaluation}" for evaluation, names in found.items()]


def _margins(report: Report) -> Iterator[str]:
    """A line per benchmark with the margins of the judged numbers."""
    judged = report.leaderboard[report.leaderboard["margin"].notna()]
    for space, rows in judged.groupby("space", sort=False):
        margins = dict.fromkeys(f"{row.dataset} {row.split} {row.margin:.2f}" for row in rows_of(rows))
        yield f"margin: {', '.join(margins)} ({BENCHMARKS[str(space)].margin_source})"


def _headlines(report: Report) -> list[str]:
    """One line per headline number: published, ours if it was run, and the command that reproduces it."""
    lines = []
    for row in rows_of(report.headlines):
        ours = "not run yet" if pd.isna(row.ours) else f"ours {row.ours:.2f} (n = {row.n}), {row.verdict}"
        title = f"{row.method} on {row.dataset}, {row.metric} ({row.split})"
        lines.append(f"{title}: published {row.published:g} ({row.published_status}); {ours}: {row.command}")
    return lines


def _trained(report: Report) -> list[str]:
    """One line per method, dataset and recipe of retrained cells, with all published values."""
    notes = retrained.notes(report.retrained_finals, report.retrainings)
    lines = []
    for row in rows_of(report.retrained):
        note = ", ".join(filter(None, [row.recipe, notes[row.dataset, row.recipe]]))
        sizes = "" if pd.isna(row.params_millions) else f" {row.params_millions:.3f} million parameters;"
        lines.append(
            f"{row.method}: {wording.spread(row.mean, row.std)} % test error on {row.dataset}"
            f" (n = {row.n}; {note});{sizes}"
            f" published, not comparable: {row.published}"
        )
    return lines


def _caption(report: Report, selection: str, metric: str, recipe: str, datasets: set[str]) -> str:
    caption = f"{SELECTIONS[selection].capitalize()}: {METRICS[metric].name} in %"
    notes = retrained.notes(report.retrained_finals, report.retrainings)
    dataset_notes = {notes[dataset, recipe] for dataset in datasets} - {""} if recipe else set()
    proxy = f" ({', '.join(sorted(dataset_notes))})" if dataset_notes else ""
    return f"{caption}; recipe: {recipe}{proxy}" if recipe else caption


def _numbers(rows: pd.DataFrame) -> dict[str, dict[str, Entry]]:
    """Entries of leaderboard rows, by column and method."""
    table_columns: dict[str, dict[str, Entry]] = {}
    for row in rows_of(rows):
        table_columns.setdefault(f"{row.dataset} {row.split}", {})[row.method] = entry(LEADERBOARD, row)
    return table_columns


def _sizes(report: Report, group: Group, recipe: str) -> dict[str, dict[str, Entry]]:
    """Entries of the sizes of retrained cells, by column and method."""
    table_columns: dict[str, dict[str, Entry]] = {}
    for size in report.sizes:
        if (size.group, size.recipe) == (group, recipe):
            table_columns.setdefault(f"{size.dataset} parameters", {})[size.method] = entry(SIZES, size)
    return table_columns


def _lines(method: str, table_columns: Mapping[str, Mapping[str, Entry]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    entries = [column.get(method, {}) for column in table_columns.values()]
    return tuple((line, tuple(texts.get(line, wording.NOTHING) for texts in entries)) for line in headings())
