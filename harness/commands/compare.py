"""Compare the first method with each of the others: a summary, then difference, interval, test and power of each pair.
Writes the report as well, and tables/comparison.csv and .tex."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness.arguments import Parser
from harness.commands import report
from harness.commands.console import Output
from harness.experiment.store import Store
from harness.files import write_atomically
from harness.text import verbatim

if TYPE_CHECKING:
    from harness.report import Report
    from harness.report.matrix import Matrix


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    report.check_options(options)
    console = Output(soft_wrap=False)
    store = Store(options.results)
    check(store, options.methods)
    records = store.records()
    failed = report.score_stored(options, store, records, console)
    written = report.report(store, options, console, records)
    say(written, store, options.methods, console, options.paired)
    return int(failed > 0)


def check(store: Store, methods: str) -> None:
    """ValueError if the stored runs have not all of the methods, seen before anything is evaluated or drawn."""
    from harness.report import names

    names.resolved(report.labels(store), names.several(methods))


def parser(program: str = "python -m harness compare") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    result.add_argument(
        "methods", metavar="A,B", help="names of methods, or row labels in full where a name is ambiguous"
    )
    result.add_argument("--paired", action="store_true", help="pair by seed: Wilcoxon instead of Mann-Whitney")
    report.add_options(result)
    return result


def say(written: Report, store: Store, methods: str, console: Console, paired: bool = False) -> None:
    """Print who wins where, then the details; write them as tables/comparison.csv and .tex."""
    from harness.report import comparison, names
    from harness.report.matrix import CAPTION, matrix
    from harness.report.render import compared

    labels = names.several(methods)
    found = comparison.compare(written, labels, paired=paired)
    wins = matrix(written, labels, paired=paired) if len(labels) > 2 else None
    for line in ["", *found.summary, ""]:
        console.print(verbatim(line))
    if wins:
        console.print(_wins(wins))
        console.print(verbatim(CAPTION))
        console.print()
    for line in found.lines:
        console.print(verbatim(line))
    for name, text in (("csv", compared.csv(found)), ("tex", compared.latex(found, wins))):
        write_atomically(store.folder / "tables" / f"comparison.{name}", text.encode())


def _wins(wins: Matrix) -> Table:
    """A short table of numbers, whose columns are called by the number of their method."""
    places = range(len(wins.methods))
    shown = Table("", "method", *(str(place + 1) for place in places), box=SIMPLE_HEAD, show_edge=False)
    for place, method in enumerate(wins.methods):
        shown.add_row(str(place + 1), verbatim(method), *(wins.text(place, column) for column in places))
    return shown
