"""Compare the first method with each of the others: difference, interval, test, power. Writes the report as well."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness.commands import report
from harness.commands.console import Output
from harness.experiment.store import Store
from harness.text import verbatim

if TYPE_CHECKING:
    from harness.report import Report


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    console = Output(soft_wrap=False)
    store = Store(options.results)
    report.score_stored(options, store, console)
    say(report.report(store, options.figures, console), options.methods, options.table, console, options.paired)
    return 0


def parser(program: str = "python -m harness compare") -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog=program, description=__doc__)
    result.add_argument("methods", metavar="A,B", help="row labels of the leaderboard, brackets included")
    result.add_argument("--paired", action="store_true", help="pair by seed: Wilcoxon's test, not Mann-Whitney's")
    report.add_options(result)
    return result


def say(written: Report, methods: str, table: Path | None, console: Console, paired: bool = False) -> None:
    from harness.report import comparison

    for line in comparison.compare(written, comparison.names(methods), table, paired=paired).lines:
        console.print(verbatim(line))
