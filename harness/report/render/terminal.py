"""The leaderboard on the console."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import retrained
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.render import wording
from harness.report.render.wording import printable
from harness.report.verdict import NOT_PUBLISHED

SHOWN = 20
"""Lines of a list that the console gets; the files have all."""
METHODS = 40
"""Methods in a section of a table, likewise."""

_STYLES = {"reproduced": "green", "differs": "red"}
_CAPTION = "mean ± std (n); published: same split unless named; ?: not stated; †: recalled"


def show(report: Report, console: Console) -> None:
    """Test accuracies of the last epoch's cells (validation accuracies where there are none), then what went wrong."""
    rows = report.leaderboard[report.leaderboard["selection"] == "last"]
    for group, found in rows.groupby(GROUP, sort=False):
        console.print(_leaderboard(report, Group(*map(str, group)), _shown(found)))
        console.print()
    if len(rows):
        console.print(Text("Every split, selection and source: tables/leaderboard.md", style="dim"))
    _list(console, "Failed runs", report.failures, "red")
    _list(console, "Damaged files", report.warnings, "yellow")
    for note in report.notes:
        console.print(_text(note))


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    tested = rows["metric"] != "valid_accuracy"
    return rows[tested] if tested.any() else rows


def _leaderboard(report: Report, group: Group, rows: pd.DataFrame) -> Table:
    """One table: a section per dataset and split, and one of what a search costs; in each a line per method."""
    short, shared = report.short_names(rows["method"].unique())
    title = f"{group.title}; all with {shared}" if shared else group.title
    table = Table(
        title=Text.assemble((printable(title), "bold"), f"\n{printable(group.sentence)}; {SELECTIONS['last']}"),
        caption=_CAPTION,
        title_justify="left",
        caption_justify="left",
        title_style="none",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    (metric,) = set(rows["metric"].map(lambda name: METRICS[name].short or "accuracy"))
    table.add_column(f"{metric} in %", overflow="fold")
    table.add_column("ours", justify="right")
    table.add_column("published")
    table.add_column("verdict")
    recipes = rows["table"].where(rows["metric"] == retrained.METRIC, "")
    for (dataset, split, recipe), found in rows.groupby(["dataset", "split", recipes], sort=False):
        table.add_row(_text(str(dataset), "bold"), _text(str(split), "bold"), _text(str(recipe)))
        for row in found.head(METHODS).itertuples():
            method = _text(short[str(row.method)])
            table.add_row(method, wording.ours(row), wording.published(row), _verdict(str(row.verdict)))
        _rest(table, len(found))
        table.add_section()
    table.add_row(_text("search cost", "bold"), _text("per search"))
    costs = [cost for cost in report.costs if cost.group == group and cost.method in short]
    for cost in costs[:METHODS]:
        table.add_row(_text(short[cost.method]), _text(cost.ours), cost.theirs, _text(cost.verdict))
    _rest(table, len(costs))
    return table


def _rest(table: Table, methods: int) -> None:
    if methods > METHODS:
        table.add_row(_text(f"and {methods - METHODS:,} more", "dim"))


def _verdict(verdict: str) -> Text:
    return _text(wording.NOTHING if verdict == NOT_PUBLISHED else verdict, _STYLES.get(verdict, ""))


def _list(console: Console, heading: str, lines: Sequence[str], style: str) -> None:
    if not lines:
        return
    console.print(_text(heading, f"bold {style}"))
    for line in lines[:SHOWN]:
        console.print(_text(f"- {line}"))
    if len(lines) > SHOWN:
        console.print(f"  and {len(lines) - SHOWN} more: tables/leaderboard.md")


def _text(text: str, style: str = "") -> Text:
    """Text that rich prints as it is: neither markup nor control characters have an effect."""
    return Text(printable(text), style)
