"""Put the records of finished black-box searches into one compressed file per row."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from harness.arguments import Parser
from harness.commands import values
from harness.experiment.store import Store


def main(arguments: Sequence[str], program: str) -> int:
    store = Store(parser(program).parse_args(arguments).folder)
    store.check()
    store.prepare()
    moved = store.pack()
    sys.stdout.write("".join(f"{line}\n" for line in store.warnings))
    sys.stdout.write(f"packed: {moved} records\n")
    return 0


def parser(program: str = "python -m harness pack") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    result.add_argument("folder", type=values.folder, metavar="DIR", help="a results folder")
    return result
