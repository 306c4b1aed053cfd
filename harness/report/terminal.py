"""The leaderboard on the console."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.report import wording
from harness.report.accuracies import METRICS
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group

FAILURES_SHOWN = 20

_VERDICT_STYLES = {"reproduced": "green", "differs": "red"}


def show(report: Report, console: Console) -> None:
    """Test accuracies of the last epoch's cells (validation accuracies where there are none), then what went wrong."""
    rows = report.leaderboard[report.leaderboard["selection"] == "last"]
    for group, found in rows.groupby(GROUP, sort=False):
        console.print(_leaderboard(Group(*group), _shown(found)))
    if len(rows):
        console.print(Text("Every split, selection and source: tables/leaderboard.md", style="dim"))
    _list(console, "Failed runs", _failures(report.failed), "red")
    _list(console, "Damaged files", report.warnings, "yellow")
    for note in report.notes:
        console.print(_text(note))


def _shown(rows: pd.DataFrame) -> pd.DataFrame:
    tested = rows["metric"] == "test_accuracy"
    return rows[tested] if tested.any() else rows


def _leaderboard(group: Group, rows: pd.DataFrame) -> Table:
    caption = "ours: mean ± std (n); published: same split unless named; ? not stated, † recalled"
    table = Table(
        title=Text.assemble((wording.printable(group.title), "bold"), f"\n{wording.printable(group.sentence)}"),
        caption=caption,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        padding=(0, 1),
        pad_edge=False,
    )
    table.add_column("method", overflow="fold")
    table.add_column("ours", justify="right", no_wrap=True)
    table.add_column("published", justify="right")
    table.add_column("verdict")
    for (dataset, split), found in rows.groupby(["dataset", "split"], sort=False):
        table.add_row(Text(f"{dataset} {split}, accuracy in %", style="bold italic"))
        for row in found.itertuples():
            table.add_row(
                _text(row.method), wording.ours(row), _text(wording.published(row)), Text(row.verdict, _VERDICT_STYLES.get(row.verdict, ""))
            )
        table.add_section()
    return table


def _failures(failed: pd.DataFrame) -> list[str]:
    ...
