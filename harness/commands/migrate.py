"""Convert a results folder of an earlier format in place."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from harness.arguments import Parser
from harness.commands import values


def main(arguments: Sequence[str], program: str) -> int:
    from harness.experiment.migrate import migrate

    records, scores = migrate(parser(program).parse_args(arguments).folder)
    sys.stdout.write(f"converted: {len(records)} records, {scores} files of accuracies\n")
    return 0


def parser(program: str = "python -m harness migrate") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    result.add_argument("folder", type=values.folder, metavar="DIR", help="a results folder")
    return result
