"""The leaderboard on the console."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.console import Group as Lines
from rich.table import Table
from rich.text import Text

from harness.report import columns, controls, retrained
from harness.report.columns import COSTS, LEADERBOARD, TABLES
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.render import tables
from harness.report.render.summary import Summary
from harness.report.render.tables import Entry, entry
from harness.report.render.wording import NOTHING, RELATIONS
from harness.report.verdict import AGREES, DIFFERS, NOT_PUBLISHED
from harness.text import printable, verbatim

SHOWN = 20
"""Maximum number of list lines printed; the files have all of them."""
METHODS = 40
"""Maximum number of methods printed in a section of a table."""

LEFT_OUT = "p_holm"
"""Column that is left out, so that a line fits 80 characters."""

_SHORTER = {NOT_PUBLISHED: NOTHING}
_STYLES = {AGREES: "green", DIFFERS: "red"}
_UNJUDGED = "mean ± std (n); no published value is comparable with these"
_CAPTION = "mean ± std (n); published: same split unless named; ?: not stated; †: quoted from memory"


def show(report: Report, console: Console) -> None:
    """Print test accuracies of the final cells (validation accuracies if there are none), then failed runs,
    corrupt files and notes."""
    rows = report.leaderboard[report.leaderboard["selection"] == "last"]
    for key, group_rows in rows.groupby([*GROUP, rows["metric"] == retrained.METRIC], sort=False):
        *group, _ = map(str, key)
        console.print(_leaderboard(report, Group(*group), _shown(group_rows)))
        console.print()
    for summary in tables.summaries(report):
        _summary(console, summary)
    if len(rows):
        console.print(Text("Every split, selection and source: tables/leaderboard.md", style="dim"))
    _list(console, "Failed runs", report.failures, "red")
    _list(console, "Corrupt files", report.warnings, "yellow")
    for note in (*controls.notes(report.budgets), *report.notes):
        console.print(verbatim(note))


def _summary(console: Console, summary: Summary) -> None:
    """A table with a line per method and number, so that it fits the console."""
    console.print(Text.assemble((printable(summary.title), "bold"), f"\n{printable(summary.notes[0])}"))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("method")
    table.add_column("")
    table.add_column("")
    for name, *texts in summary.rows:
        for place, (heading, text) in enumerate(zip(summary.headings[1:], texts, strict=True)):
            table.add_row(verbatim("" if place else name, "bold"), verbatim(heading), verbatim(text))
        table.add_section()
    console.print(table)
    console.print()


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    tested = rows["metric"] != "valid_accuracy"
    return rows[tested] if tested.any() else rows


def _leaderboard(report: Report, group: Group, rows: pd.DataFrame) -> Lines:
    """A table with a section per dataset and split and one for search costs; each has a line per method."""
    short, shared = report.short_names(rows["method"].unique())
    title = f"{group.title}; all with {shared}" if shared else group.title
    heading = Text.assemble((printable(title), "bold"), f"\n{printable(group.sentence)}; {SELECTIONS['last']}")
    caption = Text(_CAPTION if rows["verdict"].isin(RELATIONS).any() else _UNJUDGED, "italic dim")
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    (metric,) = set(rows["metric"].map(lambda name: METRICS[name].short or "accuracy"))
    table.add_column(f"{metric} in %", overflow="fold")
    shown = _columns(rows)
    for column in shown:
        table.add_column(column.heading, justify="right" if column.number else "left")
    recipes = rows["table"].where(rows["metric"] == retrained.METRIC, "")
    for (dataset, split, recipe), section in rows.groupby(["dataset", "split", recipes], sort=False):
        table.add_row(verbatim(str(dataset), "bold"), verbatim(str(split), "bold"), verbatim(str(recipe)))
        above = False  # whether a method that is no control stands above
        for row in section.head(METHODS).itertuples():
            is_control = row.method in report.set_apart
            if is_control and above:
                table.add_row(verbatim(controls.FAMILY, "dim italic"))
            above = not is_control
            _add(table, shown, short[str(row.method)], entry(LEADERBOARD, row))
        _rest(table, len(section))
        table.add_section()
    table.add_row(verbatim("search cost", "bold"), verbatim("per search"))
    costs = [cost for cost in report.costs if cost.group == group and cost.method in short]
    for cost in costs[:METHODS]:
        _add(table, shown, short[cost.method], entry(COSTS, cost))
    _rest(table, len(costs))
    return Lines(heading, table, caption)


def _columns(rows: pd.DataFrame) -> list[columns.Column]:
    """Published values and verdicts are in the files only, where no number of a table is comparable with its own."""
    judged = rows["verdict"].isin(RELATIONS).any()
    left_out = {LEFT_OUT} if judged else {LEFT_OUT, "reported", "verdict"}
    return [column for column in columns.shown(LEADERBOARD, TABLES) if column.name not in left_out]


def _add(table: Table, shown_columns: Sequence[columns.Column], method: str, lines: Entry) -> None:
    texts = [lines.get(column.heading, NOTHING) for column in shown_columns]
    styles = [_STYLES.get(text.partition(" (")[0], "") for text in texts]
    shown = [verbatim(_SHORTER.get(text, text), style) for text, style in zip(texts, styles, strict=True)]
    table.add_row(verbatim(method), *shown)


def _rest(table: Table, methods: int) -> None:
    if methods > METHODS:
        table.add_row(verbatim(f"and {methods - METHODS:,} more", "dim"))


def _list(console: Console, heading: str, lines: Sequence[str], style: str) -> None:
    if not lines:
        return
    console.print(verbatim(heading, f"bold {style}"))
    for line in lines[:SHOWN]:
        console.print(verbatim(f"- {line}"))
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN} more: tables/leaderboard.md")
