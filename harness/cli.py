"""python -m harness COMMAND: the command line. run_all.py is the command `run`."""

from __future__ import annotations

import argparse
import importlib
import io
import keyword
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS
from harness.files import EarlierFormatError
from harness.text import printable

COMMANDS = {
    "run": "search with several methods and seeds, evaluate, report (run_all.py)",
    "report": "write tables, figures and the page of stored runs",
    "tune": "tune settings of methods at an equal budget, and compare what they reach",
    "compare": "compare one method with others: difference, interval, test",
    "scores": "training-free scores of architectures, next to their accuracies",
    "check": "check a method against the contract",
    "retrain": "train architectures from scratch",
    "data": "fetch image datasets",
    "merge": "add the runs of results folders to another one",
    "export": "write a results folder as one archive",
    "import": "add the runs of an archive to a results folder",
    "verify": "check results that are to be published or submitted",
    "migrate": "convert a results folder of an earlier format",
    "pack": "put the records of black-box searches into a few compressed files",
}
"""By name. `module` has the module of each."""
RESUMABLE = ("run", "tune", "retrain")
"""Those that keep checkpoints."""


def module(command: str) -> str:
    """Of one of `COMMANDS`; a keyword of Python has an underscore behind it."""
    return f"harness.commands.{command}{'_' * keyword.iskeyword(command)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all well, 1 a run failed, 2 bad input or results that cannot be written, 128 + n signal n."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    tools = sorted({name for benchmark in BENCHMARKS.values() for name in benchmark.tools})
    parser = Parser(
        prog="python -m harness",
        description="A benchmark harness for neural architecture search.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(
            [f"  {name:10}{text}" for name, text in COMMANDS.items()]
            + [f"  {name:10}{_text_of(name)}" for name in tools]
            + ["\npython -m harness COMMAND --help describes a command."]
        ),
    )
    parser.add_argument("command", choices=[*COMMANDS, *tools], metavar="COMMAND")
    if not words:
        parser.print_help(sys.stderr)
        return 2
    command = parser.parse_args(words[:1]).command
    if command in COMMANDS:
        return run(command, words[1:], f"python -m harness {command}")
    return _tool(command, words[1:])


def run(command: str, arguments: Sequence[str], program: str) -> int:
    """One of `COMMANDS`; `program` is how usage and errors call it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks ± is no reason to stop
    try:
        with _signals_heeded():
            status: int = importlib.import_module(module(command)).main(arguments, program)
            return status
    except (ValueError, OSError, EarlierFormatError) as error:
        reason = printable(" ".join(_reason(error).split()))
        print(f"{program.removesuffix('.py').split()[-1]}: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        line = " The same command continues from the last checkpoints." if command in RESUMABLE else ""
        print(f"\nStopped by {number.name}.{line}", file=sys.stderr)
        return 128 + number


def _reason(error: Exception) -> str:
    """Without the number that the system has for a failed call on a file."""
    if isinstance(error, OSError) and error.filename and error.strerror and error.filename2 is None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _tool(name: str, words: list[str]) -> int:
    """A command that only some benchmarks have: of the first one that has it, or with `--space NAME` of that one."""
    spaces = [space for space, benchmark in BENCHMARKS.items() if name in benchmark.tools]
    parser = Parser(prog=f"python -m harness {name}", add_help=False, allow_abbrev=False)
    parser.add_argument("--space", choices=spaces, metavar="NAME")
    options, words = parser.parse_known_args(words)
    if len(spaces) > 1 and options.space is None and {"-h", "--help"} & set(words):
        others = ", ".join(spaces[1:])
        print(f"This help is for {spaces[0]}. For {others}: python -m harness {name} --space NAME --help\n")
    module = BENCHMARKS[options.space or spaces[0]].tools[name][0]
    status: int = importlib.import_module(module).main(words)
    return status


def _text_of(tool: str) -> str:
    return next(benchmark.tools[tool][1] for benchmark in BENCHMARKS.values() if tool in benchmark.tools)


def run_all() -> int:
    """The console script of the same name: the command `run`."""
    return run("run", sys.argv[1:], "run-all")


@contextmanager
def _signals_heeded() -> Iterator[None]:
    """Within, a signal that asks this process to end raises KeyboardInterrupt with its number; more of them do not
    disturb the clean-up. A signal that is ignored (SIGHUP under nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:  # noqa: ARG001 - the form of a signal handler
        for name in before:
            signal.signal(name, signal.SIG_IGN)
        # Torch's handler would raise in the middle of the clean-up, where the same signal ends a decoding process.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        raise KeyboardInterrupt(signal.Signals(number))

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = (signal.SIG_DFL, signal.default_int_handler)
    before = {name: now for name in names if (now := signal.getsignal(name)) in heeded}
    try:
        for name in before:
            signal.signal(name, stop)
        yield
    finally:
        for name, now in before.items():
            signal.signal(name, now)
