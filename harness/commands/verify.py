"""Check a results folder that is to be published: records and sources are complete, no run used modified code, the
accuracies are those of the tables they name, the tables in tables/ follow from the records, and one search, run again,
gives the same result: bit for bit on the same torch, CPU capability and threads, elsewhere the difference is reported.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS
from harness.commands import execution, values
from harness.commands.console import Output
from harness.commands.report import PUBLISHED
from harness.experiment import verification
from harness.experiment.merge import ForeignStore, named
from harness.experiment.registry import built_in
from harness.experiment.store import Record, Store
from harness.text import verbatim

SHOWN = 20
"""Of the problems of one kind, on the console."""


def main(arguments: Sequence[str], program: str) -> int:
    """Exit status: 0 nothing is wrong, 1 something is."""
    options = parser(program).parse_args(arguments)
    console = Output(soft_wrap=True)
    if not (options.folder / "runs").is_dir():
        raise ValueError(f"no results folder {options.folder}")
    store = ForeignStore(options.folder)
    records = store.records()
    list(store.scores())  # which warns of corrupt files
    failed = _say(console, f"{len(records)} records and their sources", verification.problems(store, records))
    found = verification.score_problems(store, records, list(BENCHMARKS.values()))
    failed |= _say(console, "accuracies", found)
    failed |= _say(console, "tables", tables(options.folder))
    if not options.no_rerun:
        failed |= _rerun(store, records, options, console)
    return int(failed)


def parser(program: str = "python -m harness verify") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("folder", type=values.folder, metavar="DIR", help="a results folder")
    result.add_argument("--no-rerun", action="store_true", help="run no search again")
    result.add_argument("--trust", action="store_true", help="run external code of the folder again too")
    execution.add_data(result)
    return result


def tables(folder: Path) -> list[str]:
    """The files of tables/ that do not follow from the records."""
    from harness.report import gather
    from harness.report.render import tables as rendered

    report = gather(ForeignStore(folder), list(built_in()), PUBLISHED)
    stored = {name: folder / "tables" / name for name in rendered.FILES}
    return [
        f"tables/{name} is missing or does not follow from the records: python -m harness report writes it"
        for name, path in stored.items()
        if not path.is_file() or path.read_bytes() != rendered.csv(name, report).encode()
    ]


def _say(console: Console, what: str, problems: Sequence[str]) -> bool:
    """Print one check; returns whether anything is wrong."""
    console.print(verbatim(f"{what}: {'wrong' if problems else 'ok'}"))
    for line in problems[:SHOWN]:
        console.print(verbatim(f"- {line}", "yellow"))
    if len(problems) > SHOWN:
        console.print(f"  and {len(problems) - SHOWN} more")
    return bool(problems)


def _rerun(store: Store, records: Sequence[Record], options: argparse.Namespace, console: Console) -> bool:
    record = verification.quickest(records)
    if record is None:
        console.print("rerun: none, there is no search of the quick profile and none by queries")
        return False
    if record["provenance"].get("sources") and not options.trust:
        console.print(verbatim(f"rerun: none, {named(record)} would run external code; --trust allows it"))
        return False
    from harness.experiment.rerun import again

    with TemporaryDirectory() as folder:
        repeated = again(store, record, Path(folder), options.data.absolute())
    if not repeated.differences:
        console.print(verbatim(f"rerun: {named(record)}: the same, bit for bit"))
        return False
    explained = repeated.surroundings
    why = f"other surroundings ({'; '.join(explained)})" if explained else "the same torch, CPU capability and threads"
    console.print(verbatim(f"rerun: {named(record)}: differs under {why}"))
    for line in repeated.differences:
        console.print(verbatim(f"- {line}", "yellow"))
    return not explained
