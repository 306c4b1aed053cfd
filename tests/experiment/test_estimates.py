"""How long a plan is said to take."""

from pathlib import Path

import pytest

from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.search import dry, estimate
from harness.search.problem import SupernetProblem


class Clock:
    """On which every image that passes through the supernet takes a second."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        passed = SupernetProblem._logits

        def logits(problem, images, *words, **more):
            self.now += len(images)
            return passed(problem, images, *words, **more)

        monkeypatch.setattr(SupernetProblem, "_logits", logits)
        for module in (estimate, dry):
            monkeypatch.setattr(module.time, "perf_counter", lambda: self.now)


FEW = {"enas": ["enas.steps=2", "enas.candidates=5"], "random-search-ws": ["random-search-ws.candidates=9"]}


@pytest.mark.parametrize("method", ["darts", "pc-darts", "random-search-ws", "enas", "idarts", "darts-pt"])
def test_seconds_are_those_of_all_passes(method, monkeypatch, tmp_path):
    few = ["protocol.epochs=5", "protocol.channels=4", "protocol.batch_size=73", *FEW.get(method, [])]
    (run,) = plan({method: built_in()[method]}, "nasbench201", "quick", ["digits"], [0], few, Path(), None)
    machine = Machine(tmp_path, Path(), None, "cpu", 1, None, None)
    passed = sum(log.forward_images.sum() for log in run.search(machine).epochs())
    Clock(monkeypatch)
    assert 5 * estimate.epoch_seconds(run.search(machine)) == pytest.approx(passed, rel=0.05)
