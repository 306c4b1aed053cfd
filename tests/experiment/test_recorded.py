"""What a record names is what ran: executors compare every input with the one that was planned."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.data import load, search_split
from harness.experiment import checkpoint
from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import benchmark_of, select
from harness.experiment.runner import execute
from harness.experiment.store import Store

TESTS = Path(__file__).parents[1]
SMALL = ["protocol.channels=2", "protocol.batch_size=64", "protocol.epochs=1"]
IMAGES = """
import numpy as np
CALLS = []
def load(folder):
    CALLS.append(folder)
    rng = np.random.default_rng(len(CALLS))
    pixels = rng.integers(0, 255, (64, 1, 8, 8), dtype=np.uint8)
    return pixels, np.arange(64) % 2, pixels[:16], np.arange(16) % 2
"""


def planned(methods="darts", dataset="digits", space="nasbench201", *overrides):
    entries = select(methods, benchmark_of(space)).entries
    words = [*SMALL, *overrides]
    (run,) = plan(entries, space, "quick", [dataset], [0], words, Path("nowhere"), None)
    return run


def executed(run, results):
    Store(results).prepare()
    return execute(run, Machine(results, Path("nowhere"), None, "cpu", 1, None, None))


@pytest.mark.parametrize("part", ["method", "optimizer", "space"])
def test_a_file_that_was_edited_after_planning_is_not_run(tmp_path, part):
    file = tmp_path / "mine.py"
    source = {"method": "sign_gradient.py", "optimizer": "optimizers.py", "space": "two_edges.py"}[part]
    shutil.copy(TESTS / source, file)
    run = {
        "method": lambda: planned(f"{file}:SignGradient"),
        "optimizer": lambda: planned("darts", "digits", "nasbench201", f"darts.optimizer={file}:SignDescent"),
        "space": lambda: planned(space=f"{file}:TwoEdges"),
    }[part]()
    file.write_text(file.read_text() + "\n# edited\n")
    record = executed(run, tmp_path / "results")
    assert record["status"] == "failed"
    assert "has changed since the run was planned" in record["failure"].splitlines()[-1]


def test_a_file_that_is_edited_between_two_plans_is_imported_again(tmp_path):
    """As in a notebook, where one process plans and runs both."""
    file = tmp_path / "mine.py"
    shutil.copy(TESTS / "sign_gradient.py", file)
    first = executed(planned(f"{file}:SignGradient"), tmp_path / "results")
    file.write_text(file.read_text().replace("lr=0.1", "lr=0.2") + "\n# edited\n")
    second = executed(planned(f"{file}:SignGradient"), tmp_path / "results")
    assert [first["status"], second["status"]] == ["done", "done"]
    assert first["config"]["method"]["sha256"] != second["config"]["method"]["sha256"]
    assert first["key"] != second["key"]


def test_images_that_are_others_at_every_call_are_not_searched(tmp_path):
    file = tmp_path / "cifar10.py"
    file.write_text(IMAGES)
    run = planned(dataset=f"{file}:load")
    assert run.config["dataset"]["origin"] == "external"
    load.cache_clear()  # as in a worker process
    record = executed(run, tmp_path / "results")
    assert record["status"] == "failed"
    assert "the images of cifar10 are not those that the run was planned with" in record["failure"]


def test_a_split_other_than_the_planned_one_is_not_searched(tmp_path, monkeypatch):
    run = planned()
    other = replace(search_split(load("digits", Path()), bilevel=True), name="another", train=torch.arange(100))
    monkeypatch.setattr("harness.experiment.jobs.search.search_split", lambda *_: other)
    record = executed(run, tmp_path / "results")
    assert record["status"] == "failed"
    assert "the split of digits is not the planned one" in record["failure"]


def test_a_run_that_modified_code_began_stays_one_of_modified_code(tmp_path):
    run = planned("darts", "digits", "nasbench201", "protocol.epochs=2")
    results = tmp_path / "results"
    store = Store(results)
    store.prepare()
    machine = Machine(results, Path("nowhere"), None, "cpu", 1, "c" * 40, dirty=True)
    work = run.begin(machine)
    logs = [next(work.epochs())]
    checkpoint.save(store, run.key, run.epochs, 1, work, logs, dirty=True)
    record = execute(run, replace(machine, dirty=False))
    assert record["status"] == "done"
    assert record["provenance"]["dirty"] is True
