"""Runs side by side."""

from __future__ import annotations

import statistics

from tests.benchmarks.timing import run_all

EPOCHS = 25


def test_two_at_a_time(record, rounds, tmp_path):
    turns = rounds(2)
    methods = ["--methods", "darts,gaea-darts-bilevel", "--seeds", "4", "--set", f"protocol.epochs={EPOCHS}"]
    words = [*methods, "--figures", "none", "--controls", "none"]
    seconds = {(1, 1): [], (2, 1): [], (1, 2): []}
    for turn in range(turns):
        for jobs, threads in seconds if turn % 2 == 0 else reversed(seconds):
            results = tmp_path / f"{jobs}-{threads}-{turn}"
            options = ["--jobs", str(jobs), "--threads", str(threads), "--results", str(results)]
            ended = run_all(*words, *options)
            assert len(list((results / "runs").glob("*.json"))) == 8
            seconds[jobs, threads].append(ended.seconds)
    one, two, threaded = (statistics.median(seconds[how]) for how in seconds)
    how = (
        f"{turns} rounds, in turn; `run_all.py {' '.join(words)}`: 8 searches on digits, start-up and report included; "
        f"{one:.0f} s one at a time with a thread, {two:.0f} s two at a time with a thread each, "
        f"{threaded:.0f} s one at a time with two threads"
    )
    record("jobs", "8 runs, two at a time: time, times that of one at a time", two / one, "x", how, at_most=0.56)
    what = "8 runs, one at a time with two threads: time, times that of two at a time with one thread each"
    record("jobs", what, threaded / two, "x", how)
