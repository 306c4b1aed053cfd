"""Passes of supernets against those of commit 0d323e2, whose supernets were hand-written autograd functions.

    git worktree add ../before 0d323e2
    pytest tests/benchmarks/test_before.py -n 0 --before=../before

Both codes have modules of the same names, so each candidate has a process of its own; these take turns.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.benchmarks.timing import ROOT

PASSES = Path(__file__).with_name("passes.py")
ROUNDS = 6
NASBENCH201, DARTS = ("nasbench201", 24, 8), ("darts", 16, 8)
COMPILED = pytest.mark.compiler  # programs of the DARTS space take minutes to compile, and are not the default here


@pytest.fixture
def checkout(request):
    folder = request.config.getoption("--before")
    if folder is None:
        pytest.skip("needs --before, a checkout of commit 0d323e2")
    return folder.resolve()


@pytest.mark.parametrize(
    "supernet, precision, what, mode, goal, least",
    [
        (NASBENCH201, "bf16", "weights", "compiled", 2.0, 1.35),
        (NASBENCH201, "bf16", "architecture", "compiled", None, None),
        (NASBENCH201, "bf16", "weights", "eager", None, None),
        (("nasbench201", 16, 5), "fp32", "weights", "compiled", None, None),
        (("nasbench201", 16, 5), "fp32", "weights", "eager", None, None),
        (DARTS, "bf16", "weights", "eager", 1.8, 1.25),
        (DARTS, "bf16", "architecture", "eager", None, None),
        (DARTS, "fp32", "weights", "eager", None, None),
        pytest.param(DARTS, "bf16", "weights", "compiled", 1.8, 1.25, marks=COMPILED),
    ],
)
def test_passes(record, rounds, checkout, supernet, precision, what, mode, goal, least):
    words = [*map(str, supernet), precision, what]
    before, now = seconds_of([(checkout, "before", *words, "eager"), (ROOT, "now", *words, mode)], rounds(ROUNDS))
    name, channels, cells = supernet
    title = f"{name}, C={channels}, {'N=' if name == 'nasbench201' else 'cells='}{cells}, {precision}, {mode}"
    how = f"{len(now)} rounds, 2 threads, batch 64, 32x32, a process each, in turn; "
    how += ", ".join(
        f"{age}: median {1000 * statistics.median(times):.0f} ms, least {1000 * min(times):.0f} ms"
        for age, times in (("before", before), ("now", now))
    )
    speed = statistics.median(before) / statistics.median(now)
    record("before", f"{title}, gradients of the {what}: speed", speed, "x", how, at_least=goal, least=least)
    record.assert_least()


def seconds_of(candidates, rounds):
    """Of each pass of each candidate: (checkout, arguments of passes.py ...)."""
    with ExitStack() as ending:
        processes = [ending.enter_context(started(*candidate)) for candidate in candidates]
        for process in processes:
            ending.callback(process.kill)
            assert process.stdout.readline() == "ready\n", "the process failed; its output is above"
        return list(zip(*([timed(process) for process in processes] for _ in range(rounds)), strict=True))


def started(folder, *words):
    command = [sys.executable, str(PASSES), *words]
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def timed(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())
