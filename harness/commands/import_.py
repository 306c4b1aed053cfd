"""Add the runs of an archive, made by `export`, to a results folder. Its files are checked against its manifest."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.arguments import Parser
from harness.commands import execution, merge
from harness.commands.console import Output
from harness.experiment import archive
from harness.experiment.merge import merge as merge_folders


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    with TemporaryDirectory() as folder:
        archive.extract(options.archive, Path(folder))
        return merge.say(merge_folders([Path(folder)], options.results), Output(soft_wrap=True))


def parser(program: str = "python -m harness import") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    result.add_argument("archive", type=Path, metavar="ARCHIVE.zip")
    execution.add_results(result)
    return result
