"""Clocks: candidates in turn, and child processes with their own peak memory."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]


def medians(candidates: Mapping[str, Callable[[], Any]], rounds: int, warmup: int = 1) -> dict[str, float]:
    """Median seconds of each candidate. All run in every round, so that what else the machine does falls on all."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(warmup + rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def taken(rounds: int, threads: int) -> str:
    """How a figure was taken, in words."""
    return f"{rounds} round{'s' * (rounds != 1)}, {threads} thread{'s' * (threads != 1)}"


class Ended(NamedTuple):
    """A child process that has ended."""

    seconds: float
    """From before its start to its end."""
    peak_bytes: int
    """Largest resident memory of the process itself, without its own children."""
    output: str


GIB = 8
"""Memory that a child process may reserve: one that asks for more fails, before the machine runs out of memory."""

# The kernel's figure for this program alone: that of getrusage begins with what the parent had at the fork.
SAYS_ITS_PEAK = f"""
import atexit, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({GIB * 2**30}, resource.RLIM_INFINITY))
def say():
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
atexit.register(say)
"""


def python(code: str, *words: str) -> Ended:
    """Run Python code with arguments in a process of its own, in the checkout. ChildProcessError if it fails."""
    start = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-c", SAYS_ITS_PEAK + code, *words], cwd=ROOT, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.strip() and not line.startswith("VmHWM")]
        raise ChildProcessError(f"exit status {ended.returncode}, with {GIB} GiB at most: {said[-1] if said else ''}")
    peak = [line.split() for line in ended.stderr.splitlines() if line.startswith("VmHWM")]
    return Ended(seconds, 1024 * int(peak[-1][1]), ended.stdout)


def run_all(*words: str) -> Ended:
    """The command line in a process of its own."""
    return python("import run_all; sys.exit(run_all.main(sys.argv[1:]))", *words)


def exponent(sizes: list[float], costs: list[float]) -> float:
    """Least-squares slope of log cost over log size: cost grows as size to this power."""
    slope, _ = statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs])
    return slope
