"""Check a results folder that is to be published: records and sources are complete, no run used modified code, the
accuracies are those of the tables they name, the tables in tables/ follow from the records, and one search, run again,
gives the same result: bit for bit on the same torch, CPU capability and threads, elsewhere the difference is reported.
With --submitter, and if nothing is wrong, submission.json in the folder says who submits it and what was checked.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console

from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS
from harness.commands import execution, values
from harness.commands.console import Output
from harness.experiment import submission, verification
from harness.experiment.merge import ForeignStore, named
from harness.experiment.registry import built_in
from harness.experiment.store import Record, Store
from harness.installation import PUBLISHED
from harness.text import verbatim

RANKS = ("rank", "rank_of")
"""Columns of runs.csv."""
SHOWN = 20
"""Of the problems of one kind, on the console."""


def main(arguments: Sequence[str], program: str) -> int:
    """Exit status: 0 nothing is wrong, 1 something is."""
    options = parser(program).parse_args(arguments)
    console = Output(soft_wrap=True)
    tables_at_hand = verification.tables_at_hand(list(BENCHMARKS.values()), options.table)
    store = ForeignStore(options.folder)
    store.check()
    records = store.records()
    list(store.scores())  # which warns of corrupt files
    failed = _say(console, f"{len(records)} records and their sources", verification.problems(store, records))
    failed |= _say(console, "accuracies", verification.score_problems(store, records, tables_at_hand))
    checks = {"records and sources": "complete", "accuracies": "those of the tables they name"}
    if unchecked := verification.unchecked_tables(store, tables_at_hand):
        checks["accuracies"] = f"not checked where they are from {', '.join(unchecked)}"
        console.print(verbatim(f"- {checks['accuracies']}"))
    if (options.folder / "tables").is_dir():
        failed |= _say(console, "tables", tables(options.folder))
    checks["rerun"] = "left out"
    if not options.no_rerun:
        repeated = _rerun(store, records, options)
        checks["rerun"] = repeated.outcome
        failed |= repeated.failed
        console.print(verbatim(f"rerun: {repeated.outcome}"))
        for line in repeated.differences:
            console.print(verbatim(f"- {line}", "yellow"))
    if options.submitter and failed:
        console.print(verbatim(f"{submission.FILE} is not written, as something is wrong", "yellow"))
    elif options.submitter:
        submission.write(options.folder, options.submitter, checks)
        console.print(verbatim(f"{options.folder / submission.FILE} written"))
    return int(failed)


def parser(program: str = "python -m harness verify") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("folder", type=values.folder, metavar="DIR", help="a results folder")
    result.add_argument("--no-rerun", action="store_true", help="run no search again")
    result.add_argument("--submitter", type=values.text, metavar="NAME", help="who submits it; writes submission.json")
    result.add_argument("--trust", action="store_true", help="run external code of the folder again too")
    result.add_argument(
        "--table",
        type=Path,
        help="a table of accuracies besides the bundled one: confirms "
        "stored accuracies that name it, and is queried if a black-box method is run again",
    )
    execution.add_data(result)
    return result


def tables(folder: Path) -> list[str]:
    """The files of tables/ that do not follow from the records. Ranks are left out: they need the complete table of the
    accuracies, which is not always at hand."""
    from harness.report import gather
    from harness.report.render import tables as rendered
    from harness.report.render.tuning import trials_csv

    report = gather(ForeignStore(folder), list(built_in()), PUBLISHED)
    expected = {name: rendered.csv(name, report) for name in rendered.FILES}
    if report.tunings:
        expected["tuning.csv"] = trials_csv(report.tunings)
    stored = {name: folder / "tables" / name for name in expected}
    return [
        f"tables/{name} is missing or does not follow from the records: python -m harness report writes it"
        for name, path in stored.items()
        if not path.is_file() or _unranked(path.read_text()) != _unranked(expected[name])
    ]


def _unranked(text: str) -> str:
    import pandas as pd

    try:
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except ValueError:  # an empty file, for example
        return text
    return str(frame.drop(columns=frame.columns.intersection(list(RANKS))).to_csv(index=False))


def _say(console: Console, what: str, problems: Sequence[str]) -> bool:
    """Print one check; returns whether anything is wrong."""
    console.print(verbatim(f"{what}: {'wrong' if problems else 'ok'}"))
    for line in problems[:SHOWN]:
        console.print(verbatim(f"- {line}", "yellow"))
    if len(problems) > SHOWN:
        console.print(f"  and {len(problems) - SHOWN} more")
    return bool(problems)


class Repeated(NamedTuple):
    """The search that was run again."""

    outcome: str
    differences: tuple[str, ...] = ()
    failed: bool = False


def _rerun(store: Store, records: Sequence[Record], options: argparse.Namespace) -> Repeated:
    from harness.experiment.rerun import UnrepeatableError, again, outdated

    own = [each for each in records if options.trust or not each["provenance"].get("sources")]
    present = [each for each in own if "cells" in each and not outdated(each)]
    record = verification.quickest(present) or verification.quickest(own) or verification.quickest(records)
    if record is None:
        return Repeated("none, there is no search of the quick profile and none of a black-box method")
    if record["provenance"].get("sources") and not options.trust:
        return Repeated(f"none, {named(record)} would run external code; --trust allows it")
    if reason := outdated(record):
        return Repeated(f"none, {named(record)} cannot be repeated: {reason}")
    with TemporaryDirectory() as folder:
        try:
            repeated = again(store, record, Path(folder), options.data, options.table)
        except UnrepeatableError as error:
            return Repeated(f"none, {named(record)} cannot be repeated here: {error}")
    if not repeated.differences:
        return Repeated(f"{named(record)}: the same, bit for bit")
    explained = repeated.surroundings
    why = f"other surroundings ({'; '.join(explained)})" if explained else "the same torch, CPU capability and threads"
    return Repeated(f"{named(record)}: differs under {why}", repeated.differences, not explained)
