"""Nothing outlives its call: what killed searches and retrainings leave behind, on a machine that goes on."""

import os
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from tests.data.test_folders import write
from tests.faults.test_kill import wait_until
from tests.faults.test_workers import RETRAIN, SEARCH
from tests.test_run_all import ROOT

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux: processes are counted in /proc"),
]
MARK = "NAS_TEST_CALL"
"""Environment variable by which the processes of a call are known, whatever session they are in."""
SECONDS = 8
"""A process that decodes images looks every five seconds whether its parent is there."""
PYTHON = [sys.executable, "-u"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
LONG = "5000"
CALLS = {
    "search": [*PYTHON, str(ROOT / "run_all.py"), *SEARCH, "--set", f"protocol.epochs={LONG}"],
    "retrain": [*PYTHON, "-m", "harness", "retrain", *RETRAIN, "--epochs", LONG],
    "torchrun": [*PYTHON, *TORCHRUN, "-m", "harness", "retrain", *RETRAIN, "--epochs", LONG],
}
WAYS = [(call, jobs, workers) for call in ("search", "retrain") for jobs in (1, 2) for workers in (0, 1)]
WAYS += [("torchrun", 1, 0), ("torchrun", 1, 1)]
SIGNALS = {
    "TERM": (signal.SIGTERM, False),  # from `timeout`
    "TERM-to-all": (signal.SIGTERM, True),  # from a batch system
    "INT-to-all": (signal.SIGINT, True),  # from the keyboard
    "KILL": (signal.SIGKILL, False),  # for want of memory
}


def cases():
    """KILL in every way, since nothing can react to it; the other signals so that all pairs of circumstances occur."""
    for turn, name in enumerate(SIGNALS):
        for call, jobs, workers in WAYS:
            if name == "KILL" or (jobs + workers + turn) % 2:
                yield pytest.param(call, jobs, workers, *SIGNALS[name], id=f"{call}-{jobs}-{workers}-{name}")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "imagenet", train=12, test=2)
    return folder


def living(mark):
    """The living processes of a call: their ids and command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes() and (folder / "stat").read_text().split(") ")[1][0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    return found


@pytest.mark.parametrize("call, jobs, workers, number, to_all", list(cases()))
def test_nothing_outlives_a_call(data, tmp_path, call, jobs, workers, number, to_all):
    mark = uuid.uuid4().hex
    words = [*CALLS[call], "--data", str(data), "--results", str(tmp_path)]
    words += ["--jobs", str(jobs), "--workers", str(workers)]
    environment = {**os.environ, MARK: mark, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    with (tmp_path / "printed.txt").open("w") as printed:
        process = subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        begun = wait_until(lambda: len(list(tmp_path.glob("checkpoints/*.pt"))) == jobs or process.poll(), 120)
        assert begun is True, (tmp_path / "printed.txt").read_text()
        for pid in living(mark.encode()) if to_all else [process.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        assert wait_until(lambda: process.poll() is not None, SECONDS), "the call itself goes on"
        assert wait_until(lambda: not living(mark.encode()), SECONDS), living(mark.encode())
        kept = [*tmp_path.glob("checkpoints/*.pt"), *tmp_path.glob("runs/*.json")]  # a last epoch may have ended
        assert len(kept) == jobs
        assert not list(tmp_path.glob("runs/*.json")), "a run that was stopped has not failed"
        if number != signal.SIGKILL:
            assert not list((tmp_path / "claims").iterdir())
            assert not list(tmp_path.rglob("*.unfinished"))
        if number != signal.SIGKILL and call != "torchrun":
            assert process.returncode == 128 + number
            assert "Traceback" not in (tmp_path / "printed.txt").read_text()
    finally:
        for pid in living(mark.encode()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
