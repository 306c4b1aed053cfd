"""Start-up, and the report of very many runs."""

from __future__ import annotations

import math
import shutil
import statistics
from itertools import product

import numpy as np
import pandas as pd
import pytest

from harness.benchmarks import NASBench201
from harness.benchmarks.base import SCORE_COLUMNS
from harness.experiment.store import Scores, Store
from tests.benchmarks.timing import Ended, python, run_all
from tests.browser.test_many_runs import SPLITS, _record, _runs


def test_help(record, rounds):
    turns = rounds(9)
    seconds = [run_all("--help").seconds for _ in range(turns + 1)][1:]
    how = f"median of {turns}, each a process of its own, after one that is not counted"
    record("start", "`python run_all.py --help`", statistics.median(seconds), "s", how, at_most=0.5)


def test_help_without_torch(record):
    code = (
        "import contextlib, io, run_all\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): run_all.main(['--help'])\n"
        "print(sum(name.split('.')[0] == 'torch' for name in sys.modules))"
    )
    record(
        "start", "modules of torch that --help imports", int(python(code).output), "", "counted in a process", at_most=0
    )


def few():
    """(method, learning rate, seed): ten methods with 1,000 seeds each."""
    return product([f"method-{number}" for number in range(10)], [0.1], range(1000))


def very_many():
    return product([f"method-{number}" for number in range(10)], [0.1], range(10_000))


def test_report_of_100_000_runs(record, tmp_path):
    folder = write_runs(tmp_path, list(very_many()))
    ended = run_all("--report-only", "--figures", "none", "--results", str(folder))
    how = "one attempt; `run_all.py --report-only --figures none` in a process of its own, start included"
    what = "ten methods with 10,000 seeds each, without figures"
    record("report", f"{what}: time", ended.seconds, "s", how, at_most=60)
    record("report", f"{what}: peak resident memory", ended.peak_bytes / 1e6, "MB", how, at_most=2000)


KINDS = {"ten methods with 1,000 seeds": few, "1,260 configurations of ten methods": _runs}


@pytest.fixture(scope="module", params=KINDS.values(), ids=["methods", "configurations"])
def stored(request, tmp_path_factory):
    """What 10,000 runs are of, and a results folder with them."""
    kind = next(name for name, runs in KINDS.items() if runs is request.param)
    return kind, write_runs(tmp_path_factory.mktemp("many"), list(request.param()))


def write_runs(folder, runs):
    """Fill a results folder with searches on the table, as black boxes are recorded, and look-ups of their cells."""
    store = Store(folder)
    store.prepare()
    rng, space, cells = np.random.default_rng(0), NASBench201(), set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # a minute for what need not outlive a power cut
        for method, lr, seed in runs:
            found = [space.to_string(space.random(rng)) for _ in range(4)]
            cells.add(found[-1])
            store.write(_record(method, lr, seed, found, rng))
    rows = [
        (cell, dataset, split, "valid_accuracy" if "valid" in split else "test_accuracy", value, 3)
        for cell, (dataset, split) in product(sorted(cells), SPLITS)
        for value in [round(rng.uniform(10, 95), 4)]
    ]
    store.write_scores(Scores("nasbench201", "a" * 64, "a table", pd.DataFrame(rows, columns=SCORE_COLUMNS), True))
    return folder


@pytest.mark.parametrize("formats", ["none", "png,pdf,svg"])
def test_report_only(record, rounds, stored, formats):
    kind, folder = stored
    words = ["--report-only", "--figures", formats]
    what = f"{kind}, {'without figures' if formats == 'none' else f'with figures ({formats})'}"
    turns = rounds(3)
    how = f"median of {turns}; `run_all.py {' '.join(words)}` in a process of its own, start included"
    ended = []
    for _ in range(turns):
        shutil.rmtree(folder / "figures", ignore_errors=True)  # so that they are drawn
        try:
            ended.append(run_all(*words, "--results", str(folder)))
        except ChildProcessError as error:
            ended, how = [Ended(math.nan, math.nan, "")], f"one attempt: {error}"
            break
    record("report", f"{what}: time", statistics.median(one.seconds for one in ended), "s", how, at_most=10)
    megabytes = statistics.median(one.peak_bytes for one in ended) / 1e6
    record("report", f"{what}: peak resident memory", megabytes, "MB", how, at_most=1000)
