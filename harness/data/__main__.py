"""Brings datasets into the data folder: python -m harness.data fetch cifar100 --data DIR."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.data.archives import BatchFiles
from harness.data.datasets import DATASETS
from harness.data.fetch import fetch

FETCHABLE = {name: source.files for name, source in DATASETS.items() if isinstance(source.files, BatchFiles)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 if the dataset is there, 2 with one line on standard error if not, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        line, status = fetch(FETCHABLE[options.dataset], options.data, progress=console.is_terminal), 0
    except (OSError, ValueError) as error:
        line, status = f"error: {error}", 2
    except KeyboardInterrupt:
        line, status = "interrupted", 130
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness.data", description="Image datasets for the data folder.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("fetch", help="download, check and unpack an official archive")
    command.add_argument("dataset", choices=FETCHABLE, help="imagenet16-120 has no archive: what to put where")
    command.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("NAS_DATA", "data")),
        metavar="DIR",
        help="folder of the image datasets (default: $NAS_DATA, else data)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
