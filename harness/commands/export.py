"""Write the records, arrays, look-ups and sources of a results folder as one archive with a manifest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.arguments import Parser
from harness.commands import values
from harness.experiment import archive


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    manifest = archive.write(options.folder, options.archive)
    sys.stdout.write(f"{options.archive}: {manifest['runs']} runs of {', '.join(manifest['methods'])}\n")
    return 0


def parser(program: str = "python -m harness export") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    result.add_argument("folder", type=values.folder, metavar="DIR", help="a results folder")
    result.add_argument("archive", type=Path, metavar="ARCHIVE.zip")
    return result
