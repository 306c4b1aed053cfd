"""How cost grows with size: exponents fitted by least squares to logarithms."""

from __future__ import annotations

import pytest
import torch

from harness import report
from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.experiment.store import Store
from tests.benchmarks.steps import step
from tests.benchmarks.test_start_and_report import few, write_runs
from tests.benchmarks.timing import exponent, medians, taken
from tests.report.conftest import PUBLISHED
from tests.search.memory import bytes_kept

SPACE = NASBench201()
BASE = {"channels": 16, "cells": 5, "batch": 64, "side": 32}
SIZES = {"channels": [8, 16, 32], "cells": [1, 2, 5, 8], "batch": [16, 32, 64, 128], "side": [16, 24, 32, 48]}
WORDS = {
    "channels": "channels C",
    "cells": "cells per stage N",
    "batch": "images in a batch",
    "side": "side of an image",
}
RUNS = [1250, 2500, 5000, 10_000]


def uniform():
    return torch.full(SPACE.shape, 1 / SPACE.shape[1])


def task(channels, cells, batch, side):
    return NASBench201Supernet(SPACE, channels, cells, 10), torch.randn(batch, 3, side, side)


def fixed(varied):
    names = {"channels": "C=16", "cells": "N=5", "batch": "batch 64", "side": "32x32"}
    return ", ".join(text for name, text in names.items() if name != varied)


def listed(sizes, values):
    return ", ".join(f"{size:,}: {value}" for size, value in zip(sizes, values, strict=True))


@pytest.mark.parametrize("varied", SIZES)
def test_supernet(record, rounds, threads, varied):
    sizes = SIZES[varied]
    tasks = [task(**{**BASE, varied: size}) for size in sizes]
    bytes_of = [
        bytes_kept(lambda net=network, x=images: net(x, uniform(), torch.ones(len(SPACE.edge_target))))
        for network, images in tasks
    ]
    turns = rounds(5)
    time_of = medians({str(size): step(*one, uniform) for size, one in zip(sizes, tasks, strict=True)}, turns)
    seconds = list(time_of.values())
    how = f"{taken(turns, threads)}; {fixed(varied)}, fp32; {listed(sizes, [f'{1000 * s:.0f} ms' for s in seconds])}"
    what = f"NAS-Bench-201 supernet, with {WORDS[varied]}"
    record("growth", f"{what}: exponent of the time of a step", exponent(sizes, seconds), "", how)
    how = f"counted once; {fixed(varied)}, fp32; {listed(sizes, [f'{kept / 1e6:.0f} MB' for kept in bytes_of])}"
    record("growth", f"{what}: exponent of the bytes kept for backward", exponent(sizes, bytes_of), "", how)


def test_report(record, rounds, tmp_path):
    many = list(few())
    stores = {number: Store(write_runs(tmp_path / str(number), many[:: len(many) // number])) for number in RUNS}
    turns = rounds(3)
    writing = {
        str(number): lambda store=store: report.write(store, [], PUBLISHED, formats=())
        for number, store in stores.items()
    }
    seconds = list(medians(writing, turns).values())
    how = f"{taken(turns, 1)}, in one process, without figures; {listed(RUNS, [f'{value:.2f} s' for value in seconds])}"
    record("growth", "report, with stored runs: exponent of the time", exponent(RUNS, seconds), "", how)
