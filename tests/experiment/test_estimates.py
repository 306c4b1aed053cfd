"""What a plan is said to take."""

from pathlib import Path

import pytest

from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.search import estimate


@pytest.mark.parametrize(
    "method, architecture_steps",
    [("darts", 46), ("pc-darts", 46 * 0.7), ("random-search-ws", 46), ("enas", 46 + 5 * 20)],
)
def test_an_epoch_is_its_weight_steps_and_as_many_architecture_steps_as_the_method_makes(
    method, architecture_steps, monkeypatch, tmp_path
):
    few = ["enas.steps=5"] if method == "enas" else []  # of 20 samples
    (run,) = plan({method: built_in()[method]}, "nasbench201", "quick", ["digits"], [0], few, Path(), None)
    machine = Machine(tmp_path, Path(), None, "cpu", 1, None, None)
    search = run.search(machine)
    assert len(search.parts.streams.train) == 46
    monkeypatch.setattr(estimate, "measured_seconds", lambda _step, _device: 1.0)
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: 0.0)
    assert estimate.epoch_seconds(search) == pytest.approx(46 + architecture_steps, rel=0.02)  # a last batch is smaller
