"""Write tables, figures and the page of the runs in a results folder."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS
from harness.commands import execution, values
from harness.commands.console import Output
from harness.experiment.config import RETRAINING, Label, benchmark_name
from harness.experiment.registry import benchmark_of, built_in
from harness.experiment.store import Record, Store
from harness.experiment.tuning import drawn_keys, tunings
from harness.files import write_atomically
from harness.installation import PUBLISHED
from harness.text import verbatim

if TYPE_CHECKING:
    from harness.benchmarks.base import Benchmark, Evaluator
    from harness.report import Report

SHOWN_FAILURES = 5
"""Of evaluations, on the console."""


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    check_options(options)
    console = Output(soft_wrap=False)
    store = Store(options.results)
    if options.only:
        from harness.report import names

        names.resolved(labels(store), options.only)  # seen before anything is evaluated or drawn
    records = store.records()
    failed = score_stored(options, store, records, console)
    written = report(store, options, console, records)
    if options.only or options.metric:
        _write_selection(written, store, options)
    return int(failed > 0)


def parser(program: str = "python -m harness report") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    add_options(result)
    paper = result.add_argument_group("a table for a paper, tables/selection.tex, for \\input")
    paper.add_argument(
        "--only",
        type=_names,
        default=[],
        metavar="A,B",
        help="these methods in this order: names, or row labels in full",
    )
    paper.add_argument(
        "--metric",
        type=values.metrics,
        default=[],
        metavar="DATASET[:SPLIT],...",
        help="these columns in this order (default: the first split of every dataset)",
    )
    return result


def labels(store: Store) -> dict[str, Label]:
    """The rows of a leaderboard of what is stored; trials with drawn settings are none."""
    from harness.report import runs

    store.check()
    drawn = drawn_keys([stored for _, stored in tunings(store)])
    searches = [r for r in store.records() if r["config"]["kind"] != RETRAINING and r["key"] not in drawn]
    table = runs.tabulate(searches)
    return dict(zip(table["method"], table["label"], strict=True))


def _write_selection(written: Report, store: Store, options: argparse.Namespace) -> None:
    from harness.report import names
    from harness.report.render import selection

    only = names.resolved(written.labels, options.only) or written.methods
    text = selection.render(written, only, options.metric)
    write_atomically(store.folder / "tables" / "selection.tex", text.encode())


def _names(text: str) -> list[str]:
    from harness.report import names

    return names.split(text)


def add_options(parser: argparse._ActionsContainer) -> None:
    execution.add_results(parser)
    add_space(parser)
    parser.add_argument(
        "--table", type=Path, help="table of accuracies, made by python -m harness table (default: the bundled one)"
    )
    parser.add_argument(
        "--look-up",
        choices=("all", "found"),
        help="all: the cells of every epoch or query, which curves over time need; found: only the final and chosen "
        "cells, for a smaller folder (default: all of new searches; of stored ones only where the final cell has no "
        "accuracy)",
    )
    parser.add_argument(
        "--figures",
        type=values.formats,
        default="png,pdf,svg",
        metavar="A[,B]",
        help="formats of the figures, or none (default: %(default)s)",
    )
    parser.add_argument(
        "--bibtex",
        action="store_true",
        help="also write tables/references.bib: the methods, benchmarks and data of the tables",
    )
    parser.add_argument(
        "--submissions",
        type=values.folder,
        metavar="DIR",
        help="show the submitted results folders in DIR in a section of their own on the page",
    )


def check_options(options: argparse.Namespace) -> None:
    """ValueError if a folder of `add_options` does not exist that is only read, seen before anything runs."""
    if options.submissions and not options.submissions.is_dir():
        raise ValueError(f"no folder of submissions {options.submissions}: there is no such folder")


def add_space(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--space",
        type=values.space,
        default=next(iter(BENCHMARKS)),
        metavar="NAME",
        help=f"search space: {', '.join(BENCHMARKS)}, or your own as file.py:Class (default: %(default)s)",
    )


def score_stored(options: argparse.Namespace, store: Store, records: Sequence[Record], console: Console) -> int:
    """Evaluate the architectures of stored searches with a table that is given, as a user's own space does, or with the
    benchmark's own table: of searches that ended with an architecture of which no accuracy is stored, or with --look-up
    of all; returns for how many that failed."""
    benchmark = benchmark_of(options.space)
    store.check()
    keys = None
    if benchmark.sha256 is None and not options.table and options.look_up is None:
        keys = _without_scores(store, records, benchmark)
        if not keys:
            return 0
    return score(benchmark, benchmark.evaluator(options.table), store, options.look_up == "found", console, keys)


def _without_scores(store: Store, records: Sequence[Record], benchmark: Benchmark) -> list[str]:
    """The stored searches of a built-in benchmark whose final architecture has no accuracy."""
    known = {
        text for scores in store.scores() if scores.benchmark == benchmark.name for text in scores.frame["architecture"]
    }
    return [
        record["key"]
        for record in records
        if record["status"] == "done"
        and "cells" in record
        and benchmark_name(record["config"]) == benchmark.name
        and record["cells"]["last"] not in known
    ]


def score(
    benchmark: Benchmark,
    evaluator: Evaluator | None,
    store: Store,
    chosen_only: bool,
    console: Console,
    keys: Collection[str] | None = None,
) -> int:
    """Evaluate the architectures of stored searches, of all or of those with `keys`, where that takes no training;
    returns for how many that failed."""
    from harness.experiment.scoring import score as write_scores

    if evaluator is None:
        return 0
    store.prepare()
    failures = write_scores(store, benchmark, evaluator, chosen_only, keys)
    print_failures(failures, console)
    return len(failures)


def print_failures(failures: Sequence[str], console: Console) -> None:
    """The first lines about architectures whose evaluation failed."""
    for line in failures[:SHOWN_FAILURES]:
        console.print(verbatim(line, "yellow"))
    if len(failures) > SHOWN_FAILURES:
        console.print(f"... and {len(failures) - SHOWN_FAILURES} more", style="yellow")


def complete_tables(store: Store, space: str = "", table: Path | None = None) -> list[tuple[str, Evaluator]]:
    """The tables that rank the cells of a report, each with its space: the installed ones, and one that is given."""
    scored = {scores.benchmark for scores in store.scores()}
    paths: list[tuple[str, Path | None]] = [(name, None) for name in BENCHMARKS if name in scored]
    if space in BENCHMARKS:
        paths.append((space, table))
    tables = []
    for name, path in paths:
        with contextlib.suppress(ValueError):  # without the package of the bundled table nothing is ranked
            if evaluator := BENCHMARKS[name].evaluator(path):
                tables.append((name, evaluator))
    return tables


def report(
    store: Store, options: argparse.Namespace, console: Console, records: Sequence[Record] | None = None
) -> Report:
    """Write what is stored as tables, figures and page, and print the leaderboard. `records`: if already read."""
    from harness.report import write

    store.check()
    tables = complete_tables(store, options.space, options.table)
    written = write(store, list(built_in()), PUBLISHED, options.figures, tables, options.submissions, records)
    if options.bibtex:
        from harness.report import references

        write_atomically(store.folder / "tables" / references.FILE, references.bibtex(written).encode())
    written.show(console)
    store.warnings = [line for line in store.warnings if line not in written.warnings]
    execution.print_warnings(store, console)
    return written
