"""Measurements, apart from the tests: `pytest tests/benchmarks -n 0 --benchmark-enable --write-table FILE`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.experiment.memory import tune_malloc
from tests.benchmarks import table
from tests.benchmarks.table import Row

ROWS: pytest.StashKey[list[Row]] = pytest.StashKey()
FACTS: pytest.StashKey[list[tuple[str, str]]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("table of measurements")
    group.addoption("--write-table", type=Path, metavar="FILE", help="write all measured figures as Markdown")
    group.addoption("--rounds", type=int, metavar="N", help="rounds of every measurement, instead of its own number")
    group.addoption("--before", type=Path, metavar="FOLDER", help="a checkout of commit 0d323e2, to compare with")
    group.addoption("--threads", type=int, metavar="N", default=2, help="threads of torch (default: 2)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs a CUDA device; skipped without one")
    if config.getoption("--write-table") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--write-table needs -n 0: measurements must not run side by side")
    config.stash[ROWS] = []
    arguments = shlex.join(config.invocation_params.args)
    config.stash[FACTS] = table.facts(f"pytest {arguments}")  # now: later the load is our own


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    path = config.getoption("--write-table")
    if not path:
        return
    text = table.render(config.stash[ROWS], list(_skipped_and_failed(terminalreporter)), config.stash[FACTS])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    terminalreporter.write_line(f"{len(config.stash[ROWS])} figures in {path}")


def _skipped_and_failed(reporter: Any) -> Iterator[tuple[str, str]]:
    for report in reporter.getreports("skipped"):
        name, _, _ = _name(report.nodeid).partition("[")
        yield name, str(report.longrepr[2]).removeprefix("Skipped: ")
    for kind in ("failed", "error"):
        for report in reporter.getreports(kind):
            yield _name(report.nodeid), f"{kind}: {_reason(report)}"


def _reason(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else report.longreprtext).strip().splitlines()
    return lines[0].removeprefix("AssertionError: ")


def _name(nodeid: str) -> str:
    return nodeid.rpartition("/")[2].replace(".py::", ": ").removeprefix("test_").replace("test_", "").replace("_", " ")


class Recorder:
    """Adds rows to the table and prints each."""

    def __init__(self, rows: list[Row], write: Callable[[str], None]) -> None:
        self.rows = rows
        self.write = write
        self.own: list[Row] = []

    def __call__(self, goal: str, what: str, value: float, unit: str, how: str, **limits: float | None) -> Row:
        if goal not in table.GOALS:
            raise ValueError(f"no goal {goal!r}")
        row = Row(goal, what, float(value), unit, how, **limits)
        self.rows.append(row)
        self.own.append(row)
        self.write(f"  {row.what}: {' | '.join(cell for cell in row.cells()[1:-1] if cell)}")
        return row

    def assert_least(self) -> None:
        """Fail if a row of this test misses its limit."""
        short = [f"{row.what}: {row.cells()[1]}, limit: {row.cells()[3]}" for row in self.own if not row.acceptable]
        assert not short, "; ".join(short)


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Recorder:
    """record(goal, what, value, unit, how, at_most=, at_least=, least=) adds one row."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    write = reporter.write_line if reporter else lambda _: None  # workers of xdist have none
    return Recorder(request.config.stash[ROWS], write)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """rounds(usual): how many rounds to measure, which --rounds may change."""
    chosen: int | None = request.config.getoption("--rounds")
    return lambda usual: chosen or usual


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Threads that torch computes with, in a process that keeps freed memory, as those of the harness do.

    By default page faults would fall on whichever candidate follows the one with the largest peak.
    """
    tune_malloc()
    before = torch.get_num_threads()
    torch.set_num_threads(request.config.getoption("--threads"))
    yield torch.get_num_threads()
    torch.set_num_threads(before)
