"""The leaderboard in short, for the README: python -m harness.report.render.excerpt results/reference README.md

Between the two marks of a Markdown file it writes one small table per space, profile and search dataset: test
accuracies of the last cells on NAS-Bench-201, with published numbers only where they are comparable, then errors of
cells that were trained from scratch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.files import write_atomically
from harness.report import retrained
from harness.report.groups import GROUP, Group
from harness.report.runs import subset_label, without_shared

MARKS = ("<!-- results -->", "<!-- end of results -->")
COLUMNS = [("cifar10", "test"), ("cifar100", "x-test"), ("imagenet16-120", "x-test")]
SIGNS = {"reproduced": "=", "differs": "≠"}


def render(leaderboard: pd.DataFrame) -> str:
    """Markdown of all groups with test accuracies, in the leaderboard's order."""
    tests = leaderboard[(leaderboard["selection"] == "last") & (leaderboard["metric"] == "test_accuracy")]
    rows = tests[[pair in COLUMNS for pair in zip(tests["dataset"], tests["split"], strict=True)]]
    parts = [_table(Group(*map(str, group)), part) for group, part in rows.groupby(GROUP, sort=False)]
    trained = leaderboard[(leaderboard["selection"] == "last") & (leaderboard["metric"] == retrained.METRIC)]
    parts += [
        _errors(Group(*map(str, group)), str(dataset), str(recipe), part)
        for (*group, dataset, recipe), part in trained.groupby([*GROUP, "dataset", "table"], sort=False)
    ]
    note = (
        "Mean ± sample standard deviation over n searches, in %, of the cell of the last epoch or query after 200 "
        "epochs of training. In brackets the published value where split, profile and search dataset are the same: = "
        "reproduced, ≠ differs († quoted from memory), by the rule under the "
        "[whole leaderboard](results/reference/tables/leaderboard.md), which has every source. Cells of the DARTS "
        "space, which no table knows, were trained here: their errors are comparable with nothing that is published."
    )
    return "\n\n".join([*parts, note])


def _table(group: Group, rows: pd.DataFrame) -> str:
    short, shared = without_shared(list(rows["method"].unique()))
    title = f"**{group.labelled_title}**" + (f", all with {shared}{subset_label(shared)}" if shared else "")
    heads = ["method", "n", *(f"{dataset}, {split}" for dataset, split in COLUMNS)]
    lines = [title, "", f"| {' | '.join(heads)} |", "|---|---:|---|---|---|"]
    for method, own in rows.groupby("method", sort=False):
        numbers = {(row.dataset, row.split): row for row in own.itertuples()}
        cells = [_number(numbers.get(column)) for column in COLUMNS]
        lines.append(f"| {short[str(method)]} | {own['n'].max()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _errors(group: Group, dataset: str, recipe: str, rows: pd.DataFrame) -> str:
    title = f"**{group.labelled_title}**, cells trained from scratch here: {recipe}"
    lines = [title, "", f"| method | n | test error on {dataset} |", "|---|---:|---|"]
    lines += [f"| {row.method} | {row.n} | {_mean(row)} |" for row in rows.itertuples()]
    return "\n".join(lines)


def _number(row: Any) -> str:
    if row is None:
        return "–"
    ours = _mean(row)
    if row.verdict not in SIGNS:
        return ours
    unverified = "†" if "recalled" in row.published_status else ""
    return f"{ours} ({SIGNS[row.verdict]} {row.published:.2f} ± {row.published_std:.2f}{unverified})"


def _mean(row: Any) -> str:
    """With its deviation, which one search does not have."""
    return f"{row.mean:.2f}" if pd.isna(row.std) else f"{row.mean:.2f} ± {row.std:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m harness.report.render.excerpt", description="Put results into a README."
    )
    parser.add_argument("results", type=Path, help="a results folder")
    parser.add_argument("file", type=Path, help=f"a Markdown file with the lines {' and '.join(MARKS)}")
    options = parser.parse_args(arguments)
    try:
        write_atomically(options.file, replaced(options.file.read_text(), options.results).encode())
    except (OSError, ValueError, LookupError) as error:
        sys.stderr.write(f"excerpt: {error}\n")
        return 2
    return 0


def replaced(text: str, results: Path) -> str:
    """A file's text with the results of a folder between its marks. OSError or ValueError, in one line, if the folder
    has no leaderboard or the text does not have the marks once each."""
    if any(text.count(mark) != 1 for mark in MARKS):
        raise ValueError(f"the file needs the lines {' and '.join(MARKS)}, once each")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    leaderboard = pd.read_csv(results / "tables" / "leaderboard.csv")
    return f"{before}{MARKS[0]}\n\n{render(leaderboard)}\n\n{MARKS[1]}{after}"


if __name__ == "__main__":
    sys.exit(main())
