"""`python -m harness check WORD`: does a method meet the contract? WORD is a name, file.py:Class or package:Class.

Runs the kit that the project's own methods pass in its tests (`conformance`): shapes, simplex at every epoch,
determinism, exact resume after every epoch, with and without the zero operation, on every space. Searches on a few
digits: half a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.experiment.registry import Entry, built_in, discovered, load, outside

EPOCHS = 3
IMAGES = 96
"""For each kind of step: enough to see whether a method keeps the contract."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 the contract is met or the folder converted, 1 the contract is not met, 2 bad input."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "migrate":
            from harness.experiment.migrate import migrate

            sys.stdout.write(f"{len(migrate(options.folder))} records converted\n")
            return 0
        entry = built_in().get(options.method) or discovered().get(options.method) or outside(options.method)
        reasons, found = check(entry)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"harness: {' '.join(str(error).split())}\n")
        return 2
    name = entry.target.rpartition(":")[2]
    sys.stdout.write("".join(f"- {line}\n" for line in found) or f"{name} meets the contract.\n")
    sys.stdout.write("".join(f"It does not run {line}.\n" for line in reasons))
    return int(bool(found))


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m harness", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = result.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="does a method meet the contract?").add_argument("method", metavar="WORD")
    converting = commands.add_parser("migrate", help="convert a results folder of an earlier format")
    converting.add_argument("folder", type=Path)
    return result


def check(entry: Entry) -> tuple[list[str], list[str]]:
    """Why a method does not run on some of its spaces, and what is wrong with it, in lines that say how to fix it."""
    from dataclasses import replace

    import torch

    from harness.api import BlackBox, OneShot
    from harness.benchmarks import SPACES
    from harness.benchmarks.nasbench201.table import open_table
    from harness.data import load as load_data
    from harness.data import search_data
    from harness.experiment import conformance
    from harness.profiles import QUICK_BY_SPACE, SIMULATION

    torch.set_num_threads(1)
    cls = load(entry)
    if issubclass(cls, BlackBox):
        return [], conformance.examine_black_box(cls, "nasbench201", open_table(), SIMULATION.budget_seconds)
    if issubclass(cls, OneShot) and (found := conformance.first_contract_problems(cls)):
        return [], found
    found = []
    reasons: dict[str, str] = {}
    for space in entry.spaces:
        if issubclass(cls, OneShot) and (reason := cls.unsupported(SPACES[space]())):
            reasons[space] = reason
            continue
        for zero_operation in (False, True):
            protocol = replace(QUICK_BY_SPACE[space], epochs=EPOCHS, zero_operation=zero_operation)
            data = conformance.few(search_data(load_data("digits", Path()), getattr(cls, "bilevel", True)), IMAGES)
            place = f"on {space} {'with' if zero_operation else 'without'} the zero operation"
            found += [f"{place}: {line}" for line in conformance.examine(cls, space, data, protocol)]
    return [f"on {space}: {reason}" for space, reason in reasons.items()], found


if __name__ == "__main__":
    sys.exit(main())
