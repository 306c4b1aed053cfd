"""Write tables, figures and the page of the runs in a results folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness.benchmarks import BENCHMARKS
from harness.commands import execution, values
from harness.commands.console import Output
from harness.experiment.registry import benchmark_of, built_in
from harness.experiment.store import Store
from harness.text import verbatim

if TYPE_CHECKING:
    from harness.benchmarks.base import Benchmark, Evaluator
    from harness.report import Report

SHOWN_FAILURES = 5
"""Of evaluations, on the console."""
PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published.csv"


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    console = Output(soft_wrap=False)
    store = Store(options.results)
    failed = score_stored(options, store, console)
    report(store, options.figures, console)
    return int(failed > 0)


def parser(program: str = "python -m harness report") -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog=program, description=__doc__)
    add_options(result)
    return result


def add_options(parser: argparse._ActionsContainer) -> None:
    execution.add_results(parser)
    add_space(parser)
    parser.add_argument(
        "--table", type=Path, help="table of accuracies, made by python -m harness table (default: the installed one)"
    )
    parser.add_argument(
        "--look-up",
        choices=("all", "found"),
        default="all",
        help="all: the cells of every epoch or query, which curves over time need; found: only the final and chosen "
        "cells, for a smaller folder (default: all)",
    )
    parser.add_argument(
        "--figures",
        type=values.formats,
        default="png,pdf,svg",
        metavar="A[,B]",
        help="formats of the figures, or none (default: %(default)s)",
    )


def add_space(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--space",
        type=values.space,
        default=next(iter(BENCHMARKS)),
        metavar="NAME",
        help=f"search space: {', '.join(BENCHMARKS)}, or your own as file.py:Class (default: %(default)s)",
    )


def score_stored(options: argparse.Namespace, store: Store, console: Console) -> int:
    """Evaluate the architectures of stored searches with a table that is given, or as a user's own space does; returns
    for how many that failed."""
    benchmark = benchmark_of(options.space)
    if benchmark.sha256 is None and not options.table:  # the searches stored what the benchmark's own table has
        return 0
    if not store.folder.is_dir():
        raise ValueError(f"no results folder {store.folder}")
    return score(benchmark, benchmark.evaluator(options.table), store, options.look_up == "found", console)


def score(benchmark: Benchmark, evaluator: Evaluator | None, store: Store, chosen_only: bool, console: Console) -> int:
    """Evaluate the architectures of stored searches, where that takes no training; returns for how many that failed."""
    from harness.experiment.scoring import score as write_scores

    if evaluator is None:
        return 0
    store.prepare()
    failures = write_scores(store, benchmark, evaluator, chosen_only)
    for line in failures[:SHOWN_FAILURES]:
        console.print(verbatim(line, "yellow"))
    if len(failures) > SHOWN_FAILURES:
        console.print(f"... and {len(failures) - SHOWN_FAILURES} more", style="yellow")
    return len(failures)


def report(store: Store, formats: Sequence[str], console: Console) -> Report:
    """Write what is stored as tables, figures and page, and print the leaderboard."""
    from harness.report import write

    if not store.folder.is_dir():
        raise ValueError(f"no results folder {store.folder}")
    written = write(store, list(built_in()), PUBLISHED, formats)
    written.show(console)
    store.warnings = [line for line in store.warnings if line not in written.warnings]
    execution.print_warnings(store, console)
    return written
