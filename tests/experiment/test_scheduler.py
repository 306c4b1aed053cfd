"""Runs are shared between processes, survive what happens to workers, and are never lost."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest

import run_all
from harness.experiment import claims
from harness.experiment import scheduler as scheduling
from harness.experiment.claims import Claim, Watch
from harness.experiment.store import Store
from harness.files import partial_name, write_atomically
from tests.test_run_all import ROOT, SMALL, contents, run

FAULTY = ROOT / "tests" / "faulty.py"


def dead_process():
    """The number of a process that is gone."""
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    return process.pid


@pytest.mark.faults
def test_under_a_time_limit_one_job_is_still_one_run_at_a_time(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setenv("TURNS", str(log))
    assert run(tmp_path / "results", "--time-limit", "300", methods=f"{FAULTY}:TakesTurns", seeds="3") == 0
    runs = log.read_text().split()
    assert runs == [turn for seed in dict.fromkeys(runs) for turn in [seed] * 2]  # two epochs of each, one by one
    assert len(set(runs)) == 3


# Claims --------------------------------------------------------------------------------------------------------------


def test_only_one_gets_a_claim_and_it_is_free_afterwards(tmp_path):
    path = tmp_path / "key"
    with Claim(path) as first, Claim(path) as second:
        assert (first, second) == (True, False)
        assert not Watch().release_if_stale(path), "its owner lives"
    assert not list(tmp_path.iterdir())
    with Claim(path) as again:
        assert again


def test_of_many_threads_one_gets_the_claim(tmp_path):
    got, go, release = [], threading.Barrier(8), threading.Event()

    def claim():
        go.wait()
        with Claim(tmp_path / "key") as mine:
            got.append(mine)
            release.wait(10)

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len(got) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    release.set()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


def test_the_claim_of_a_dead_process_is_taken_over_at_once(tmp_path):
    path = tmp_path / "key"
    with Claim(path) as mine:
        assert mine
        owner = claims.read(path)
        path.write_text(json.dumps({**owner, "pid": dead_process()}))
        assert Watch().release_if_stale(path)
        assert not path.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "elsewhere", "pid": 1, "count": 3}'])
def test_a_claim_whose_count_stands_still_is_taken_over(tmp_path, monkeypatch, content):
    path, watch, now = tmp_path / "key", Watch(), [100.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    path.write_text(content)
    assert not watch.release_if_stale(path)
    now[0] += claims.STALE_SECONDS / 2
    assert not watch.release_if_stale(path)
    now[0] += claims.STALE_SECONDS
    assert watch.release_if_stale(path)
    assert not list(tmp_path.iterdir())


def test_a_beating_claim_is_left_alone(tmp_path, monkeypatch):
    path, watch, now = tmp_path / "key", Watch(), [100.0]
    monkeypatch.setattr(claims.time, "monotonic", lambda: now[0])
    for count in range(5):
        path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "count": count}))
        assert not watch.release_if_stale(path)
        now[0] += claims.STALE_SECONDS * 0.9


def test_a_claim_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.01)
    with Claim(tmp_path / "key") as mine:
        assert mine
        deadline = time.monotonic() + 10
        while claims.read(tmp_path / "key").get("count", 0) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert claims.read(tmp_path / "key")["count"] >= 3


# Sharing -------------------------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_four_calls_on_one_folder_share_the_work(tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert run(alone, methods="darts,gaea-darts-bilevel", seeds="4") == 0
    words = [
        "--methods",
        "darts,gaea-darts-bilevel",
        "--seeds",
        "4",
        "--jobs",
        "1",
        "--set",
        "protocol.epochs=2",
        *SMALL,
    ]
    command = [sys.executable, str(ROOT / "run_all.py"), *words, "--results", str(shared)]
    calls = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    printed = [call.communicate(timeout=120)[0] for call in calls]
    assert [call.returncode for call in calls] == [0] * 4
    assert contents(shared) == contents(alone)
    assert not list((shared / "claims").iterdir())
    assert all("[8/8]" in text for text in printed), "every call ends with all runs"


# Workers -------------------------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_a_run_whose_process_is_killed_twice_has_failed_and_the_others_go_on(tmp_path, capsys):
    assert run(tmp_path, methods=f"{FAULTY}:KillsItsProcess,darts,gaea-darts-bilevel", seeds="2", jobs="2") == 1
    records = {(r["config"]["method"]["name"], r["config"]["seed"]): r for r in Store(tmp_path).records()}
    assert {method for (method, _), record in records.items() if record["status"] == "failed"} == {"KillsItsProcess"}
    assert len(records) == 6
    assert "killed 2 times in a row" in records["KillsItsProcess", 0]["failure"]
    assert not list((tmp_path / "claims").iterdir())
    assert not list((tmp_path / "checkpoints").iterdir())
    assert "killed 2 times in a row" in capsys.readouterr().out


@pytest.mark.faults
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_hangs_ends_at_its_time_limit(tmp_path, jobs):
    assert run(tmp_path, "--time-limit", "15", methods=f"{FAULTY}:Hangs,darts", jobs=jobs) == 1
    status = {r["config"]["method"]["name"]: r for r in Store(tmp_path).records()}
    assert status["Hangs"]["status"] == "failed"
    assert "over the time limit of 15 s" in status["Hangs"]["failure"]
    assert status["darts"]["status"] == "done"


@pytest.mark.faults
def test_several_devices_are_used_in_parallel_one_run_each(tmp_path):
    """The CPU under two names."""
    assert run(tmp_path, "--device", "cpu,cpu:0", seeds="3", epochs=1) == 0
    devices = [record["provenance"]["device"] for record in Store(tmp_path).records()]
    assert set(devices) == {"cpu", "cpu:0"}


def test_a_free_device_is_found_and_given_back(tmp_path):
    machines = ["first", "second"]
    with scheduling._acquire_machine(machines, tmp_path) as one, scheduling._acquire_machine(machines, tmp_path) as two:
        assert {one, two} == set(machines)
    assert not list(tmp_path.iterdir())


# Files ---------------------------------------------------------------------------------------------------------------


def test_half_written_files_of_dead_processes_are_removed(tmp_path, monkeypatch):
    """Numbers of processes mean something in one container of one machine only; elsewhere the age of the file does."""
    store = Store(tmp_path)
    store.prepare()

    def partial(name, **changed):
        with monkeypatch.context() as patch:
            for function, value in {"os.getpid": dead_process(), **changed}.items():
                patch.setattr(f"harness.files.{function}", lambda value=value: value)
            path = tmp_path / "runs" / partial_name(name)
        path.write_text("{")
        return path

    dead, alive = partial("dead"), partial("alive", **{"os.getpid": os.getpid()})
    others = [
        partial("machine", **{"socket.gethostname": "elsewhere"}),
        partial("container", boot="the same boot pid:[2]"),
        tmp_path / "runs" / f".earlier.{os.uname().nodename}.{dead_process()}.unfinished",  # without a container
    ]
    others[-1].write_text("{")
    store.prepare()
    assert not dead.exists()
    assert all(path.exists() for path in (alive, *others))
    for path in others:
        os.utime(path, (0, 0))
    store.prepare()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [alive.name]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("bad", ["0", "-1", "x", "nan"])
def test_bad_time_limits(bad, tmp_path):
    with pytest.raises(SystemExit) as stop:
        run_all.main([f"--time-limit={bad}", "--results", str(tmp_path)])
    assert stop.value.code == 2


def test_a_scheduler_without_dask_is_an_error(tmp_path, capsys):
    assert run_all.main(["--scheduler", "tcp://nowhere:1", "--results", str(tmp_path)]) == 2
    assert "go together" in capsys.readouterr().err
