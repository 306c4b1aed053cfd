"""Excerpts of the leaderboard: test accuracies for the README, all groups for docs/results.md.

    E=harness.report.render.excerpt
    python -m $E results/reference results/published.csv README.md
    python -m $E --full results/reference results/published.csv docs/results.md

Writes Markdown tables between the two marks of a file: by default one small table per search dataset and profile
`paper` or `controlled` on NAS-Bench-201 (`quick` if there is no other), without rows that have overrides or images of
their own;
with `--full` every group and row, and test errors of cells retrained from scratch. Published values are shown only
where they are comparable.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.files import write_atomically
from harness.report import retrained
from harness.report.columns import EXCERPT, LEADERBOARD, shown
from harness.report.content import Report, gather
from harness.report.groups import GROUP, Group
from harness.report.render.markdown import escape
from harness.report.render.tables import evaluations, rows_of
from harness.report.render.wording import NOTHING, RELATIONS

MARKS = ("<!-- results -->", "<!-- end of results -->")
NOTE = (
    "Accuracy in % of the final cell{evaluation}: mean ± sample standard deviation over n "
    "searches. The [leaderboard]({leaderboard}) has the published values and all sources."
)
JUDGED = (
    "In brackets after a mean: the published value, where it is comparable; = agrees, ≠ differs, ~ inconclusive, by "
    "the rule under the leaderboard; † quoted from memory."
)
UNJUDGED = "None of these means could be judged against a published value."
LABELS = (
    "In brackets after a name: settings that differ from the defaults (docs/rules.md, *The config of a run*); v2: the "
    "second version of our implementation, not of the method."
)
DIGEST = "`@`: prefix of the SHA-256 of the images."
RETRAINED = (
    "Cells that are in no tabular benchmark were retrained from scratch; errors of a proxy are not comparable with "
    "published ones."
)


def render(report: Report, leaderboard: str, full: bool = False) -> str:
    """Markdown tables of the groups with test accuracies, in the leaderboard's order.

    Args:
        report: report of a results folder.
        leaderboard: link target of the full leaderboard.
        full: include all groups and rows, and the errors of retrained cells. Controls are last.
    """
    last = report.leaderboard[report.leaderboard["selection"] == "last"]
    tests = last[last["metric"] == "test_accuracy"]
    wanted = [(space, *column) for space, benchmark in BENCHMARKS.items() for column in benchmark.excerpt]
    rows = tests[pd.MultiIndex.from_frame(tests[["space", "dataset", "split"]]).isin(wanted)]
    if not full and not (large := rows[rows["profile"] != "quick"]).empty:
        rows = large
    rows = rows.sort_values("method", key=lambda methods: methods.isin(report.set_apart), kind="stable")
    groups = [(Group(*map(str, group)), part) for group, part in rows.groupby(GROUP, sort=False)]
    parts = [_accuracies(report, group, part, full) for group, part in groups]
    known = {BENCHMARKS[group.space].evaluation for group, _ in groups}
    each = "; ".join(evaluations(group.space for group, _ in groups))
    evaluation = f" ({each})" if len(known) > 1 else "".join(f" {one}" for one in known)
    notes = [NOTE.format(leaderboard=leaderboard, evaluation=evaluation)]
    notes.append(JUDGED if rows["verdict"].isin(RELATIONS).any() else UNJUDGED)
    if any(r"\[" in part for part in parts):
        notes.append(LABELS)
    if any("@" in part for part in parts):
        notes.append(DIGEST)
    if full:
        trained = last[last["metric"] == retrained.METRIC]
        errors = [
            _errors(Group(*map(str, group)), str(dataset), str(recipe), part)
            for (*group, dataset, recipe), part in trained.groupby([*GROUP, "dataset", "table"], sort=False)
        ]
        parts += errors
        notes += [RETRAINED] if errors else []
    return "\n\n".join([*parts, " ".join(notes)])


def _accuracies(report: Report, group: Group, rows: pd.DataFrame, full: bool) -> str:
    short, shared = report.short_names(rows["method"].unique())
    title = f"**{escape(group.labelled_title)}**" + (f", all with {escape(shared)}" if shared else "")
    named = rows.assign(method=rows["method"].map(short))
    if not full:
        named = named[~named["method"].str.contains("=", regex=False)]
    numbers = {column: ", ".join(column) for column in BENCHMARKS[group.space].excerpt}
    return "\n".join([title, "", *_table(named, numbers)])


def _errors(group: Group, dataset: str, recipe: str, rows: pd.DataFrame) -> str:
    title = f"**{escape(group.labelled_title)}**, cells retrained from scratch: {escape(recipe)}"
    return "\n".join([title, "", *_table(rows, {(dataset, retrained.SPLIT): f"test error on {dataset}"})])


def _table(rows: pd.DataFrame, numbers: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """A row per method; `numbers` are the headings of the (dataset, split) pairs."""
    columns = shown(LEADERBOARD, EXCERPT)
    of_method, of_number = ([column for column in columns if column.of_method is value] for value in (True, False))
    headings = [column.heading for column in of_method]
    headings += [
        f"{text}: {column.heading}" if of_number[1:] else text for text in numbers.values() for column in of_number
    ]
    aligned = [*of_method, *of_number * len(numbers)]
    yield f"| {' | '.join(map(escape, headings))} |"
    yield f"|{'|'.join('---:' if column.number else '---' for column in aligned)}|"
    for _, method_rows in rows.groupby("method", sort=False):
        by_number = {(row.dataset, row.split): row for row in rows_of(method_rows)}
        most = max(by_number.values(), key=lambda row: row.n)
        cells = [column.read(most) for column in of_method]
        for number in numbers:
            row = by_number.get(number)
            cells += [NOTHING if row is None else column.read(row) for column in of_number]
        yield f"| {' | '.join(map(escape, cells))} |"


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
    result = Parser(
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
