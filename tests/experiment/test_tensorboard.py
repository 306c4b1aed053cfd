"""What is written for TensorBoard: every epoch once, also after a resume, and only where it is installed."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.commands import run as command
from harness.experiment import checkpoint
from harness.experiment.jobs.base import Machine
from harness.experiment.merge import merge
from harness.experiment.runner import execute
from harness.experiment.scalars import scalars
from harness.experiment.store import Store
from tests.experiment.test_recorded import planned

BRIEF = ("protocol.batch_size=512", "protocol.cells=1")


def shown(folder):
    """Tag -> steps and values, as TensorBoard shows them."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="needs the packages of the extra: pip install '.[tensorboard]'",
    )
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.parametrize("written", [1, 2, 3])
def test_a_resume_replaces_what_a_killed_process_wrote(tmp_path, written):
    """Its checkpoint had two epochs, of which it may have written one less or one more. TensorBoard reads files by
    name, and the name of the later one may come first."""
    add = scalars(tmp_path)
    for epoch in range(1, written + 1):
        add(epoch, {"loss": 10.0 * epoch})
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / "events.out.tfevents.9999999999.host.1.1")
    scalars(tmp_path, [{"loss": 10.0}, {"loss": 20.0}])(3, {"loss": 31.0})
    assert shown(tmp_path) == {"loss": [(1, 10.0), (2, 20.0), (3, 31.0)]}


def test_a_disk_that_becomes_full_is_one_warning(tmp_path):
    """RLIMIT_FSIZE is how quotas and batch systems say no."""
    lines = []
    add = scalars(tmp_path, [{"loss": 10.0}], lines.append)
    (file,) = tmp_path.iterdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        add(2, {"loss": 20.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    add(3, {"loss": 30.0})
    assert lines == [f"TensorBoard lacks epochs of this run: {file}: File too large"]
    assert shown(tmp_path) == {"loss": [(1, 10.0)]}


def test_a_run_does_not_depend_on_files_for_tensorboard(tmp_path):
    run, store = planned("darts", "digits", "nasbench201", *BRIEF), Store(tmp_path)
    store.prepare()
    (tmp_path / "tensorboard").write_text("a file where a folder should be")
    record = execute(run, Machine(tmp_path, Path("nowhere"), None, "cpu", 1, None, None, tensorboard=True))
    assert record["status"] == "done"
    (line,) = record["provenance"]["warnings"]
    assert line.startswith("TensorBoard lacks epochs of this run: ")


def test_a_search_writes_its_epochs_if_asked_also_from_a_checkpoint_on(tmp_path):
    run, store = planned("darts", "digits", "nasbench201", "protocol.epochs=2", *BRIEF), Store(tmp_path)
    store.prepare()
    machine = Machine(tmp_path, Path("nowhere"), None, "cpu", 1, None, None)
    work = run.begin(machine)
    sessions = [{"epoch": 1, "threads": 1, "dirty": None}]
    checkpoint.save(store, run.key, sessions, work, [next(work.epochs())])  # before it was asked
    execute(run, replace(machine, tensorboard=True))
    (folder,) = (tmp_path / "tensorboard").iterdir()
    assert folder.name == f"darts-on-digits-seed-0-batch_size=512-channels=2-epochs=2-{run.key[:12]}"
    merge([tmp_path], tmp_path / "merged")
    assert shown(tmp_path / "merged" / "tensorboard" / folder.name).keys() == shown(folder).keys()
    found, arrays = shown(folder), store.arrays(run.key)
    assert {"loss", "train_accuracy", "valid_accuracy", "entropy/normal", "cost/multiply_adds", "seconds"} <= set(found)
    assert {
        tuple(step for step, _ in points) for tag, points in found.items() if "cpu" not in tag and tag != "load"
    } == {(1, 2)}
    np.testing.assert_allclose([value for _, value in found["loss"]], arrays["loss"], rtol=1e-6)
    np.testing.assert_allclose([value for _, value in found["entropy/normal"]], arrays["entropy"][:, 0], rtol=1e-6)
    costs = arrays["multiply_adds"].sum(axis=1)
    np.testing.assert_allclose([value for _, value in found["cost/multiply_adds"]], costs, rtol=1e-6)


def test_a_single_level_search_has_no_validation_accuracy_and_none_is_written_unasked(tmp_path):
    run = planned("gaea-darts-erm", "digits", "nasbench201", *BRIEF)
    machine = Machine(tmp_path, Path("nowhere"), None, "cpu", 1, None, None)
    (log,) = run.begin(machine).epochs()
    assert np.isnan(log["valid_accuracy"])
    assert "valid_accuracy" not in run.scalars(log)
    assert "loss" in run.scalars(log)
    assert not run.writes_scalars(machine)


def test_without_tensorboard_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.experiment.scalars.find_spec", lambda _name: None)
    scalars(tmp_path / "folder", [{"loss": 1.0}])(2, {"loss": 1.0})
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="--tensorboard needs the packages of the extra"):
        command.main(["--tensorboard", "--results", str(tmp_path)], "run_all.py")
