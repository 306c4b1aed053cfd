"""Add the runs of results folders to another one. Runs that both have with different results are named; the target's
stay. Exit status 1 if there are any."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from harness.arguments import Parser
from harness.commands import values
from harness.commands.console import Output
from harness.experiment import submission
from harness.experiment.merge import Merged, merge
from harness.text import verbatim


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    console = Output(soft_wrap=True)
    for folder in options.folders:
        if stated := submission.read(folder):
            line = f"{folder} was submitted by {stated.submitter}: nothing will tell its rows from others in the target"
            console.print(verbatim(line, "yellow"))
    return say(merge(options.folders, options.into), console)


def parser(program: str = "python -m harness merge") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__)
    result.add_argument("folders", nargs="+", type=values.folder, metavar="DIR")
    result.add_argument("--into", required=True, type=values.folder, metavar="DIR", help="made if it does not exist")
    return result


def say(merged: Merged, console: Console) -> int:
    """Print what a merge has done; returns the exit status."""
    console.print(f"{merged.added} runs added, {merged.equal} were there already")
    for heading, lines in (("conflict, the target's result stays", merged.conflicts), ("corrupt", merged.corrupt)):
        for line in lines:
            console.print(verbatim(f"{heading}: {line}", "yellow"))
    return int(bool(merged.conflicts or merged.corrupt))
