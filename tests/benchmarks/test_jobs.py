"""Runs side by side."""

from __future__ import annotations

import statistics

from tests.benchmarks.timing import run_all, taken

EPOCHS = 25


def test_two_at_a_time(record, rounds, tmp_path):
    turns = rounds(2)
    words = [
        "--methods",
        "darts,gaea-darts-bilevel",
        "--seeds",
        "4",
        "--set",
        f"protocol.epochs={EPOCHS}",
        "--threads",
        "1",
    ]
    words += ["--figures", "none", "--controls", "none"]
    seconds = {1: [], 2: []}
    for turn in range(turns):
        for jobs in (1, 2) if turn % 2 == 0 else (2, 1):
            results = tmp_path / f"{jobs}-{turn}"
            ended = run_all(*words, "--jobs", str(jobs), "--results", str(results))
            assert len(list((results / "runs").glob("*.json"))) == 8
            seconds[jobs].append(ended.seconds)
    one, two = statistics.median(seconds[1]), statistics.median(seconds[2])
    how = (
        f"{taken(turns, 1)} per search, in turn; `run_all.py {' '.join(words)}`: 8 searches on digits, "
        f"start-up and report included; {one:.0f} s one at a time, {two:.0f} s two at a time"
    )
    record("jobs", "8 runs, two at a time: time, times that of one at a time", two / one, "x", how, at_most=0.56)
