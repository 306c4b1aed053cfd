"""What a plan is said to take."""

from pathlib import Path

import pytest

from harness.benchmarks.nasbench201.table import open_table
from harness.experiment import estimates
from harness.experiment.plan import plan
from harness.experiment.runner import Machine, prepare
from methods import METHODS


@pytest.mark.parametrize(
    "method, architecture_steps",
    [("darts", 46), ("pc-darts", 46 * 0.7), ("random-search-ws", 46), ("enas", 46 + 1000)],
)
def test_an_epoch_is_its_weight_steps_and_as_many_architecture_steps_as_the_method_makes(
    method, architecture_steps, monkeypatch, tmp_path
):
    (run,) = plan({method: METHODS[method]}, "nasbench201", "quick", ["digits"], [0], [], Path(), open_table())
    machine = Machine(tmp_path, Path(), None, "cpu", 1, None, None)
    search = prepare(run, machine)
    assert len(search.parts.streams.weights) == 46
    monkeypatch.setattr(estimates, "_seconds", lambda _step, _device: 1.0)
    monkeypatch.setattr(estimates.time, "perf_counter", lambda: 0.0)
    assert estimates._of_search(search) == pytest.approx(46 + architecture_steps, rel=0.02)  # a last batch is smaller
