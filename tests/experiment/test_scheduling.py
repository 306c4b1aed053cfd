"""Claims and lost workers: who is to blame, and who is not."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench201.table.table import cell_strings
from harness.experiment import claims
from harness.experiment import scheduler as scheduling
from harness.experiment.claims import Claim, Watch, owner_is_dead
from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.experiment.scoring import score
from harness.experiment.store import Store
from harness.files import process_is_alive
from tests.experiment.test_scheduler import dead_process
from tests.test_run_all import ROOT, run


def foreign(path, **changes):
    """A claim as another process would have written it."""
    path.unlink(missing_ok=True)
    with Claim(path) as mine:
        assert mine
        owner = claims.read(path)
    path.write_text(json.dumps({**owner, "pid": dead_process(), **changes}))


def test_an_owner_is_gone_only_where_its_number_means_something(tmp_path):
    foreign(tmp_path / "ours")
    foreign(tmp_path / "elsewhere", host="elsewhere")
    foreign(tmp_path / "before", boot="an earlier start of this machine")
    assert {path.name: owner_is_dead(claims.read(path)) for path in tmp_path.iterdir()} == {
        "ours": True,
        "elsewhere": False,
        "before": False,
    }
    claims.remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere", "before"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells zombies")
def test_a_zombie_does_not_live():
    process = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 30
    while process_is_alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process_is_alive(process.pid)
    assert process.wait() == 0


def test_a_claim_that_cannot_be_written_is_not_left_half(tmp_path, monkeypatch):
    def full(*words):  # noqa: ARG001
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(claims.os, "fdopen", full)
    with pytest.raises(OSError, match="No space left"), Claim(tmp_path / "key"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_watcher_killed_while_it_takes_over_leaves_what_is_swept_away(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.prepare()
    path = store.claim_path("key")
    foreign(path)
    gone = dead_process()
    monkeypatch.setattr(claims.os, "getpid", lambda: gone)
    monkeypatch.setattr(type(path), "unlink", lambda path, missing_ok: None)  # noqa: ARG005
    assert Watch().break_if_stale(path)
    monkeypatch.undo()
    assert len(list(path.parent.iterdir())) == 1
    store.prepare()
    assert not list(path.parent.iterdir())


def test_scores_of_two_processes_are_added_not_overwritten(tmp_path):
    """Many at once, each with a cell of its own."""
    benchmark = BENCHMARKS["nasbench201"]
    table = benchmark.evaluator(None)
    cells = cell_strings()[:6]
    store = Store(tmp_path)
    store.prepare()
    barrier = threading.Barrier(len(cells))

    def add(cell):
        barrier.wait()
        score(Added(tmp_path, cell), benchmark, table)

    threads = [threading.Thread(target=add, args=[cell]) for cell in cells]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = store.scores()
    assert set(found.frame["architecture"]) == {*cells, *table.best()}
    assert not list((tmp_path / "claims").iterdir())


class Added(Store):
    """Sees one finished search, which stood at one cell; slow to write, as over a network."""

    def __init__(self, folder, cell):
        super().__init__(folder)
        self.cell = cell

    def records(self):
        cells = {"last": self.cell}
        config = {"kind": "black-box", "benchmark": {"name": "nasbench201", "origin": "built-in"}}
        return [{"status": "done", "config": config, "cells": cells, "improvements": []}]

    def write_scores(self, scores):
        known = list(self.scores())
        time.sleep(0.02)
        assert [len(stored.frame) for stored in known] == [len(stored.frame) for stored in self.scores()]
        super().write_scores(scores)


def dies(*words):  # noqa: ARG001
    """An attempt in a process that is killed before it begins a run."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.faults
def test_workers_that_die_before_they_begin_end_the_call_with_a_clear_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scheduling, "_attempt", dies)
    assert run(tmp_path, jobs="2", seeds="2", methods="darts") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "killed 3 times in a row before they began a run" in line
    assert not Store(tmp_path).records()


def test_a_lost_worker_does_not_touch_the_claims_of_other_machines(tmp_path):
    """Whose process numbers mean nothing here."""
    run = the_run()
    store = Store(tmp_path)
    store.prepare()
    machine = Machine(tmp_path, tmp_path, None, "cpu", 1, None, None)
    scheduler = scheduling.Scheduler([run], [machine], 2)
    path = store.claim_path(run.key)
    foreign(path, host="elsewhere")
    for _ in range(scheduling.MAX_EARLY_KILLS - 1):
        assert not list(scheduler._handle_lost_worker(RuntimeError()))
    assert path.exists()
    foreign(path)
    assert not list(scheduler._handle_lost_worker(RuntimeError()))
    assert not path.exists()
    foreign(path)
    (record,) = scheduler._handle_lost_worker(RuntimeError())
    assert "killed 2 times in a row" in record["failure"]
    assert not path.exists()


@pytest.mark.parametrize(
    "changes", [{"commit": "f" * 40}, {"dirty": True}, {"commit": None, "dirty": None}, {"distribution": "another"}]
)
def test_a_worker_of_a_cluster_with_other_code_runs_nothing(tmp_path, changes):
    commit, dirty = scheduling.provenance.version_control()
    machine = Machine(tmp_path, tmp_path, None, "cpu", 1, commit, dirty)
    with pytest.raises(ValueError, match=r"has other code \(.*\) than this call \("):
        scheduling.attempt_on_cluster([the_run()], [replace(machine, **changes)], {})
    assert not list(tmp_path.iterdir())


def the_run():
    words = ["protocol.channels=2", "protocol.batch_size=64", "protocol.epochs=1"]
    entries = {"darts": built_in()["darts"]}
    (run,) = plan(entries, "nasbench201", "quick", ["digits"], [0], words, Path("data"), None)
    return run


@pytest.mark.faults
def test_a_hang_that_no_signal_ends_takes_nobody_along(tmp_path):
    """Even where one job at a time would otherwise be done by the call itself."""
    hangs = f"{ROOT / 'tests' / 'faults' / 'methods.py'}:CannotBeInterrupted"
    assert run(tmp_path, "--time-limit", "15", methods=f"{hangs},darts") == 1
    records = {record["config"]["method"]["name"]: record for record in Store(tmp_path).records()}
    assert records["darts"]["status"] == "done"
    assert "past the time limit of 15 s" in records["CannotBeInterrupted"]["failure"]
