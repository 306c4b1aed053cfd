"""What a record names is what ran: executors compare every input with the one that was planned."""

import errno
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from harness import processes
from harness.data import load, search_split
from harness.experiment import checkpoint, rerun, runner
from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import benchmark_of, select
from harness.experiment.runner import execute, is_of_circumstances
from harness.experiment.scheduler import Scheduler
from harness.experiment.store import Store

TESTS = Path(__file__).parents[1]
STRIPES = f"{TESTS / 'stripes.py'}:load"
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
    first = executed(planned(f"{file}:SignGradient", STRIPES), tmp_path / "results")
    file.write_text(file.read_text().replace("lr=0.1", "lr=0.2") + "\n# edited\n")
    second = executed(planned(f"{file}:SignGradient", STRIPES), tmp_path / "results")
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


def test_a_run_that_cannot_begin_keeps_its_checkpoint(tmp_path):
    file = tmp_path / "cifar10.py"
    images = IMAGES.replace("len(CALLS)", "SEED") + "\nSEED = 1\n"
    file.write_text(images)
    run = planned("darts", f"{file}:load", "nasbench201", "protocol.epochs=2")
    machine = Machine(tmp_path / "results", Path("nowhere"), None, "cpu", 1, None, None)
    store = Store(machine.results)
    store.prepare()
    work = run.begin(machine)
    logs = [next(work.epochs())]
    checkpoint.save(store, run.key, [runner._session(run, machine, 1)], work, logs)
    file.write_text(images.replace("SEED = 1", "SEED = 2"))  # the images are others for a while
    load.cache_clear()  # as in a worker process
    assert "the images of cifar10 are not those that the run was planned with" in execute(run, machine)["failure"]
    file.write_text(images)
    load.cache_clear()
    assert execute(run, machine)["status"] == "done"
    assert store.arrays(run.key)["seconds"][0] == logs[0]["seconds"]  # that epoch was not repeated


def test_a_split_other_than_the_planned_one_is_not_searched(tmp_path, monkeypatch):
    run = planned()
    other = replace(search_split(load("digits", Path()), bilevel=True), name="another", train=torch.arange(100))
    monkeypatch.setattr("harness.experiment.jobs.search.search_split", lambda *_: other)
    record = executed(run, tmp_path / "results")
    assert record["status"] == "failed"
    assert "the split of digits is not the planned one" in record["failure"]


def resumed(results, before, after, **session):
    """The record of a run of two epochs: the first by the machine `before`, the second by `after`."""
    run, store = planned("darts", STRIPES, "nasbench201", "protocol.epochs=2"), Store(results)
    store.prepare()
    work = run.begin(before)
    logs = [next(work.epochs())]
    checkpoint.save(store, run.key, [{**runner._session(run, before, 1), **session}], work, logs)
    record = execute(run, after)
    assert store.read(run.key)["status"] == "done"
    return record


def test_a_run_that_modified_code_began_stays_one_of_modified_code(tmp_path):
    machine = Machine(tmp_path, Path("nowhere"), None, "cpu", 1, "c" * 40, dirty=True)
    record = resumed(tmp_path, machine, replace(machine, dirty=False))
    assert record["provenance"]["dirty"] is True
    assert [each["dirty"] for each in record["provenance"]["sessions"]] == [True, False]


def test_the_processes_that_computed_a_run_are_recorded_where_they_differ(tmp_path):
    machine = Machine(tmp_path / "alike", Path("nowhere"), None, "cpu", 1, "c" * 40, dirty=False)
    assert "sessions" not in resumed(tmp_path / "alike", machine, replace(machine, threads=2))["provenance"]
    other = replace(machine, results=tmp_path / "other", commit="d" * 40)
    provenance = resumed(other.results, machine, other, cpu_capability="OTHER")["provenance"]
    first, second = provenance["sessions"]
    assert (first["epoch"], first["commit"], first["cpu_capability"]) == (1, "c" * 40, "OTHER")
    assert (second["epoch"], second["commit"]) == (2, "d" * 40)
    assert provenance["commit"] == "d" * 40
    assert second["versions"]["torch"] == provenance["versions"]["torch"] == torch.__version__
    assert rerun._surroundings(provenance, {**provenance, "sessions": []}) == [
        "it was resumed, and its sessions differ in commit, cpu_capability"
    ]


def lost_decoder():
    """What torch raises where a process that decodes images is killed."""
    loader = DataLoader(KillsItsProcess(), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError) as error:
        next(iter(loader))
    return error.value


class KillsItsProcess(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, _index):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    "make",
    [
        MemoryError,
        lambda: TimeoutError("over the time limit of 5 s"),
        lambda: OSError(errno.ENOSPC, "No space left on device"),
        lambda: OSError("Caught OSError in DataLoader worker process 0."),  # without its number
        lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        lambda: getattr(torch, "AcceleratorError", RuntimeError)("CUDA error: out of memory"),
        lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        lost_decoder,
    ],
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of the fork
def test_what_circumstances_are_to_blame_for_keeps_the_checkpoint(make):
    assert is_of_circumstances(make())


def test_what_a_method_raises_does_not():
    """As for real: `tests/faults/test_methods.py`."""
    errors = ValueError("0.png cannot be read as an image"), RuntimeError("CUDA error: device-side assert triggered")
    assert not any(map(is_of_circumstances, errors))


def test_a_result_that_no_record_can_hold_is_a_failure_that_says_so_and_keeps_the_checkpoint(tmp_path):
    file = tmp_path / "mine.py"
    names = '    row_names = ("x" * 201, "y")\n    operations'
    file.write_text((TESTS / "two_edges.py").read_text().replace("    operations", names, 1))
    run, store = planned("darts", STRIPES, f"{file}:TwoEdges"), Store(tmp_path / "results")
    assert executed(run, store.folder)["status"] == "failed"
    record = store.read(run.key)
    assert record["failure"].startswith("no record can hold its result: not a record: Expected `str` of length <= 200")
    assert "$.space.rows" in record["failure"]
    assert store.checkpoints() == {run.key}
    assert not (store.folder / "damaged").exists()


def test_a_group_of_all_choices_is_recorded_by_its_bounds(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text((TESTS / "two_edges.py").read_text().replace("slice(0, 2)", "slice(None)"))
    facts = planned("darts", STRIPES, f"{file}:TwoEdges").facts({"cells": {"last": "conv-conv", "best_valid": None}})
    assert facts["space"]["groups"] == {"normal": [0, 2]}


def test_what_no_record_can_hold_is_not_begun(tmp_path):
    run, machine = planned(), Machine(tmp_path, Path("nowhere"), None, "cpu", 1, None, None)
    odd = replace(run, config={**run.config, "settings": {**run.config["settings"], "lr": 2**60}})
    with pytest.raises(ValueError, match=f"no record can hold darts on digits, seed 0: .*lr is larger than {2**53}"):
        Scheduler([run, odd], [machine], 1)


def test_what_goes_wrong_after_the_parent_has_ended_is_no_failure(tmp_path, monkeypatch):
    """Another process of a distributed training may exit first, and this one then loses its connection."""
    run = planned(f"{TESTS / 'faulty.py'}:Raises")
    monkeypatch.setattr(processes, "_parent", -1)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit):
        executed(run, tmp_path)
    assert not list(Store(tmp_path).records())
    monkeypatch.setattr(processes, "_parent", os.getppid())
    assert executed(run, tmp_path)["status"] == "failed"
