"""Excerpts of the leaderboard: test accuracies for the README, all groups for docs/results.md.

    E=harness.report.render.excerpt
    python -m $E results/reference results/published.csv README.md
    python -m $E --full results/reference results/published.csv docs/results.md

Writes Markdown tables between the two marks of a file: by default one small table per search dataset and profile
`paper` or `controlled` on NAS-Bench-201 (`quick` if there is no other), without rows that have their own overrides;
with `--full` every group and row, and test errors of cells retrained from scratch. Published values are shown only
where they are comparable.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.files import write_atomically
from harness.report import retrained
from harness.report.content import Report, gather
from harness.report.groups import GROUP, Group
from harness.report.render import wording

MARKS = ("<!-- results -->", "<!-- end of results -->")
SIGNS = {"reproduced": "=", "differs": "≠"}
NOTE = (
    "Mean ± sample standard deviation over n searches, in %, of the cell of the last epoch or query{evaluation}. In "
    "brackets: the published value, where it is comparable; = reproduced, ≠ differs, † quoted from "
    "memory, by the rule under the [leaderboard]({leaderboard}), which also has all sources."
)
RETRAINED = (
    "Cells that no tabular benchmark covers were retrained from scratch; errors of a proxy are not comparable to "
    "published ones."
)


def render(report: Report, leaderboard: str, full: bool = False) -> str:
    """Markdown tables of the groups with test accuracies, in the leaderboard's order.

    Args:
        report: report of a results folder.
        leaderboard: link target of the full leaderboard.
        full: include all groups and rows, and the errors of retrained cells.
    """
    last = report.leaderboard[report.leaderboard["selection"] == "last"]
    tests = last[last["metric"] == "test_accuracy"]
    wanted = [(space, *column) for space, benchmark in BENCHMARKS.items() for column in benchmark.excerpt]
    rows = tests[pd.MultiIndex.from_frame(tests[["space", "dataset", "split"]]).isin(wanted)]
    if not full and not (large := rows[rows["profile"] != "quick"]).empty:
        rows = large
    groups = [(Group(*map(str, group)), part) for group, part in rows.groupby(GROUP, sort=False)]
    parts = [_table(report, group, part, full) for group, part in groups]
    evaluations = {f" {BENCHMARKS[group.space].evaluation}" for group, _ in groups}
    notes = [NOTE.format(leaderboard=leaderboard, evaluation=" or".join(sorted(evaluations)))]
    if full:
        trained = last[last["metric"] == retrained.METRIC]
        errors = [
            _errors(Group(*map(str, group)), str(dataset), str(recipe), part)
            for (*group, dataset, recipe), part in trained.groupby([*GROUP, "dataset", "table"], sort=False)
        ]
        parts += errors
        notes += [RETRAINED] if errors else []
    return "\n\n".join([*parts, " ".join(notes)])


def _table(report: Report, group: Group, rows: pd.DataFrame, full: bool) -> str:
    short, shared = report.short_names(rows["method"].unique())
    title = f"**{group.labelled_title}**" + (f", all with {shared}" if shared else "")
    columns = BENCHMARKS[group.space].excerpt
    heads = ["method", "n", *(f"{dataset}, {split}" for dataset, split in columns)]
    lines = [title, "", f"| {' | '.join(heads)} |", f"|---|---:{'|---' * len(columns)}|"]
    for method, method_rows in rows.groupby("method", sort=False):
        name = short[str(method)]
        if not full and "[" in name:
            continue
        numbers = {(row.dataset, row.split): row for row in method_rows.itertuples()}
        cells = [_number(numbers.get(column)) for column in columns]
        lines.append(f"| {name} | {method_rows['n'].max()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _errors(group: Group, dataset: str, recipe: str, rows: pd.DataFrame) -> str:
    title = f"**{group.labelled_title}**, cells retrained from scratch: {recipe}"
    lines = [title, "", f"| method | n | test error on {dataset} |", "|---|---:|---|"]
    errors: Iterator[Any] = rows.itertuples()
    lines += [f"| {row.method} | {row.n} | {wording.spread(row.mean, row.std)} |" for row in errors]
    return "\n".join(lines)


def _number(row: Any) -> str:
    if row is None:
        return "–"
    ours = wording.spread(row.mean, row.std)
    if row.verdict not in SIGNS:
        return ours
    return f"{ours} ({SIGNS[row.verdict]} {wording.spread(row.published, row.published_std)}{wording.recalled(row)})"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        report = gather(Store(options.results), list(built_in()), options.published)
        leaderboard = options.results.absolute() / "tables" / "leaderboard.md"
        link = Path(os.path.relpath(leaderboard, options.file.absolute().parent)).as_posix()
        text = replaced(options.file.read_text(), render(report, link, options.full))
        write_atomically(options.file, text.encode())
    except (OSError, ValueError, LookupError) as error:
        sys.stderr.write(f"excerpt: {error}\n")
        return 2
    return 0


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m harness.report.render.excerpt", description="Put result tables into a Markdown file."
    )
    result.add_argument("results", type=Path, help="a results folder")
    result.add_argument("published", type=Path, help="a table of published results")
    result.add_argument("file", type=Path, help=f"a Markdown file with the lines {' and '.join(MARKS)}")
    result.add_argument("--full", action="store_true", help="all groups and rows, also errors of retrained cells")
    return result


def replaced(text: str, tables: str) -> str:
    """Replace the text between the marks by `tables`. Raises ValueError unless each mark occurs exactly once."""
    if any(text.count(mark) != 1 for mark in MARKS):
        raise ValueError(f"the file needs the lines {' and '.join(MARKS)}, once each")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n\n{tables}\n\n{MARKS[1]}{after}"


if __name__ == "__main__":
    sys.exit(main())
