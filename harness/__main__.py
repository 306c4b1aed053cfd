"""`python -m harness check WORD`: does a method meet the contract? WORD is a name, file.py:Class or package:Class.

Runs the kit that the project's own methods pass in its tests (`conformance`): shapes, simplex at every epoch,
determinism, exact resume, with and without the zero operation, on every space. Searches on a few digits: half a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.experiment.registry import Entry, discovered, load, outside

EPOCHS = 3
IMAGES = 96
"""For each kind of step: enough to see whether a method keeps the contract."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 the contract is met, 1 it is not, 2 there is no such class."""
    parser = argparse.ArgumentParser(
        prog="python -m harness", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["check"])
    parser.add_argument("method", metavar="WORD")
    options = parser.parse_args(arguments)
    try:
        entry = discovered().get(options.method) or outside(options.method)
        found = check(entry)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"harness: {' '.join(str(error).split())}\n")
        return 2
    name = entry.target.rpartition(":")[2]
    sys.stdout.write("".join(f"- {line}\n" for line in found) or f"{name} meets the contract.\n")
    return int(bool(found))


def check(entry: Entry) -> list[str]:
    """What is wrong with a method, in lines that say how to mend it."""
    from dataclasses import replace

    import torch

    from harness.api import BlackBox
    from harness.benchmarks.nasbench201.table import open_table
    from harness.data import load as load_data
    from harness.data import search_data
    from harness.experiment import conformance
    from harness.profiles import QUICK_BY_SPACE, SIMULATION

    torch.set_num_threads(1)
    cls = load(entry)
    if issubclass(cls, BlackBox):
        return conformance.examine_black_box(cls, "nasbench201", open_table(), SIMULATION.budget_seconds)
    found: list[str] = []
    for space in entry.spaces:
        for zero_operation in (False, True):
            protocol = replace(QUICK_BY_SPACE[space], epochs=EPOCHS, zero_operation=zero_operation)
            data = conformance.few(search_data(load_data("digits", Path()), getattr(cls, "bilevel", True)), IMAGES)
            place = f"on {space} {'with' if zero_operation else 'without'} the zero operation"
            found += [f"{place}: {line}" for line in conformance.examine(cls, space, data, protocol)]
    return found


if __name__ == "__main__":
    sys.exit(main())
