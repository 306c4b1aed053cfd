"""What searches on the table cost."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.simulation import queries
from harness.benchmarks.nasbench201.table import open_table
from harness.search.queries import simulate
from methods import FAMILIES
from tests.benchmarks.timing import medians, run_all, taken

SPACE = NASBench201()
QUERIES = 100_000


def replay(cells):
    """A method without arithmetic: it asks for known cells."""
    for cell in cells:
        _ = yield cell  # not `yield from`: a list cannot be sent an answer
    return cells[0]


def bare(cells):
    search = replay(cells)
    next(search)
    for _ in itertools.repeat(None, len(cells) - 1):
        search.send(50.0)


def test_a_query(record, rounds):
    rng = np.random.default_rng(0)
    answers = partial(queries(open_table()), rng=rng)
    cells = [SPACE.random(rng) for _ in range(QUERIES)]
    turns = rounds(15)
    time_of = medians(
        {"simulated": lambda: simulate(replay(cells), answers, 1e18), "bare": lambda: bare(cells)}, turns, warmup=2
    )
    microseconds = 1e6 * (time_of["simulated"] - time_of["bare"]) / QUERIES
    how = (
        f"{taken(turns, 1)}; the search loop over a generator of {QUERIES:,} known cells, less a bare loop over it "
        f"({1e6 * time_of['bare'] / QUERIES:.2f} µs per cell)"
    )
    record("black boxes", "a query, besides the method's own arithmetic", microseconds, "µs", how, at_most=5)


@pytest.mark.parametrize("seeds", [500])
def test_many_searches(record, tmp_path, seeds):
    names = FAMILIES["black-box"]
    words = ["--methods", "black-box", "--seeds", str(seeds), "--jobs", "2", "--threads", "1", "--figures", "none"]
    ended = run_all(*words, "--results", str(tmp_path / "results"))
    assert len(list((tmp_path / "results" / "runs").glob("*.json"))) == seeds * len(names)
    how = (
        f"1 round, 2 processes of 1 thread; `run_all.py {' '.join(words)}`: start-up, {seeds * len(names):,} searches, "
        "their records on disk, look-ups and report"
    )
    record("black boxes", f"{seeds} seeds of all {len(names)} methods", ended.seconds, "s", how, at_most=60)
