"""python -m harness data fetch cifar100 --data DIR: bring a dataset into the data folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from harness.arguments import Parser
from harness.commands.execution import add_data
from harness.data.archives import BatchFiles
from harness.data.datasets import DATASETS
from harness.data.fetch import fetch
from harness.text import verbatim

FETCHABLE = {name: source.files for name, source in DATASETS.items() if isinstance(source.files, BatchFiles)}


def main(arguments: Sequence[str], program: str) -> int:
    """Exit status: 0 if the dataset is there."""
    options = parser(program).parse_args(arguments)
    console = Console(stderr=True)
    line = fetch(FETCHABLE[options.dataset], options.data, progress=console.is_terminal)
    console.print(verbatim(line), soft_wrap=True)
    return 0


def parser(program: str = "python -m harness data") -> argparse.ArgumentParser:
    result = Parser(prog=program, description="Fetch image datasets into the data folder.")
    commands = result.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("fetch", help="download, check and unpack an official archive")
    command.add_argument(
        "dataset", choices=FETCHABLE, help="for one without a public archive, prints which files to put where"
    )
    add_data(command)
    return result
