"""Searches on a Dask cluster: a scheduler and two workers on the loopback device."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from harness.experiment.store import Store
from tests.data.test_folders import write
from tests.faults.test_workers import SEARCH
from tests.test_run_all import ROOT, SMALL, contents, run

pytest.importorskip("distributed", reason="needs the packages of the extra: pip install '.[dask]'")
pytestmark = pytest.mark.faults
METHODS = "darts,gaea-darts-bilevel"


@pytest.fixture
def cluster(tmp_path_factory, request):
    """The scheduler's address and its two workers; a nanny starts them anew where the name of the test says so."""
    folder = tmp_path_factory.mktemp("dask")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    common = {"cwd": folder, "env": environment, "start_new_session": True, "stdout": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    processes = []
    log = folder / "scheduler.log"
    with log.open("w") as file:
        processes.append(subprocess.Popen([*dask, *scheduler], stderr=file, **common))
    try:
        address = found(log, r"Scheduler at:\s+(tcp://[0-9.:]+)")
        threads = "2" if "threads" in request.node.name else "1"
        worker = ["worker", address, "--nthreads", threads, "--no-dashboard", "--host", "127.0.0.1"]
        worker.append("--nanny" if "started_anew" in request.node.name else "--no-nanny")
        for number in range(2):
            with (folder / f"worker-{number}.log").open("w") as file:
                processes.append(subprocess.Popen([*dask, *worker], stderr=file, **common))
        for number in range(2):
            found(folder / f"worker-{number}.log", r"Registered to:\s+(tcp://[0-9.:]+)")
        yield address, processes[1:]
    finally:
        for process in reversed(processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def found(log, pattern):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if match := re.search(pattern, log.read_text()):
            return match[1]
        time.sleep(0.1)
    raise AssertionError(f"no {pattern} in {log.read_text()}")


def started(results, address, epochs, methods=METHODS):
    words = [
        "--methods",
        methods,
        "--seeds",
        "2",
        "--set",
        f"protocol.epochs={epochs}",
        *SMALL,
        "--results",
        str(results),
    ]
    command = [sys.executable, str(ROOT / "run_all.py"), *words, "--backend", "dask", "--scheduler", address]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_cluster_gives_the_same_records_and_survives_the_loss_of_a_worker(tmp_path, cluster):
    address, workers = cluster
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert run(alone, methods=METHODS, seeds="2", epochs=15) == 0
    call = started(shared, address, 15)
    try:
        deadline = time.monotonic() + 120
        while len(list(shared.glob("checkpoints/*.pt"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(list(shared.glob("checkpoints/*.pt"))) == 2, "both workers are at work"
        os.killpg(workers[0].pid, signal.SIGKILL)
        workers[0].wait()
        printed, _ = call.communicate(timeout=300)
    finally:
        call.kill()
    assert call.returncode == 0, printed
    assert contents(shared) == contents(alone)
    assert not list((shared / "claims").iterdir())
    assert not list((shared / "checkpoints").iterdir())


def test_a_search_that_kills_workers_started_anew_has_failed(tmp_path, cluster):
    address, _ = cluster
    call = started(tmp_path, address, 2, f"{ROOT / 'tests' / 'faulty.py'}:KillsItsProcess,darts")
    try:
        printed, _ = call.communicate(timeout=240)
    finally:
        call.kill()
    assert call.returncode == 1, printed
    assert "Traceback" not in printed
    records = Store(tmp_path).records()
    assert sorted(record["status"] for record in records) == ["done", "done", "failed", "failed"]
    assert all("killed 2 times in a row" in r["failure"] for r in records if r["status"] == "failed")


def test_workers_started_anew_are_daemons_and_have_images_decoded_all_the_same(tmp_path, cluster):
    write(tmp_path / "data" / "imagenet", train=12, test=2)
    words = [*SEARCH, "--data", str(tmp_path / "data"), "--results", str(tmp_path / "results"), "--workers", "1"]
    command = [sys.executable, str(ROOT / "run_all.py"), *words, "--backend", "dask", "--scheduler", cluster[0]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout
    assert [record["status"] for record in Store(tmp_path / "results").records()] == ["done", "done"]


def test_no_scheduler_is_one_clear_line(tmp_path, capsys):
    assert run(tmp_path, "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_workers_with_several_threads_are_refused(tmp_path, cluster):
    process = started(tmp_path, cluster[0], epochs=2)
    printed, _ = process.communicate(timeout=200)
    assert process.returncode == 2
    assert "one thread each" in printed
