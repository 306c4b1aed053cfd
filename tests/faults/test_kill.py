"""Killed and stopped searches, with their worker processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.test_run_all import ROOT, SMALL, contents, run

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux: processes are counted in /proc"),
]
METHODS = "darts,gaea-darts-bilevel"


def started(results, epochs, jobs="2", seeds="2"):
    """A call in a process group (and session) of its own."""
    words = ["--methods", METHODS, "--seeds", seeds, "--jobs", jobs, "--set", f"protocol.epochs={epochs}", *SMALL]
    command = [sys.executable, str(ROOT / "run_all.py"), *words, "--results", str(results)]
    return subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(condition, seconds):
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def living(session):
    """The processes of a session, zombies aside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path.parent.name)
    return found


def kill_group(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def left_behind(results):
    return [*(results / "claims").iterdir(), *(results / "checkpoints").iterdir(), *results.rglob("*.unfinished")]


def test_fifty_kills_lose_nothing():
    command = [sys.executable, "-m", "tests.faults.soak", "--kills", "50", "--seed", "3"]
    soak = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert soak.returncode == 0, soak.stderr
    assert json.loads(soak.stdout)["kills"] >= 50


def test_killed_with_its_workers_it_goes_on_where_it_was(tmp_path):
    whole, killed, chance = tmp_path / "whole", tmp_path / "killed", random.Random(0)
    assert run(whole, methods=METHODS, seeds="2", epochs=10) == 0
    for _ in range(3):
        process = started(killed, 10)
        begun = wait_until(lambda: list(killed.glob("checkpoints/*.pt")), 60) or killed.exists()
        assert begun
        time.sleep(chance.uniform(0, 1.5))
        kill_group(process)
    assert run(killed, methods=METHODS, seeds="2", epochs=10) == 0
    assert contents(killed) == contents(whole)
    assert not left_behind(killed)
    assert not (killed / "damaged").exists()


@pytest.mark.parametrize(
    "number, to_all",
    [
        (signal.SIGINT, True),  # from the keyboard
        (signal.SIGINT, False),
        (signal.SIGTERM, True),  # from a batch system
        (signal.SIGTERM, False),
        (signal.SIGHUP, False),  # from a terminal that is gone
    ],
)
def test_a_signal_ends_a_parallel_call_with_all_its_workers(tmp_path, number, to_all):
    process = started(tmp_path, 5000)
    try:
        assert wait_until(lambda: len(list(tmp_path.glob("checkpoints/*.pt"))) == 2, 120)
        (os.killpg if to_all else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert f"Stopped by {number.name}. The same command continues" in errors
        assert "Traceback" not in errors
        assert wait_until(lambda: not living(process.pid), 10), "orphaned worker processes"
        assert not list((tmp_path / "claims").iterdir())
        assert not list(tmp_path.rglob("*.unfinished"))
        assert len(list(tmp_path.glob("checkpoints/*.pt"))) == 2
    finally:
        kill_group(process)


def test_workers_end_with_a_killed_parent_in_the_middle_of_an_epoch(tmp_path):
    process = started(tmp_path, 5000)
    try:
        assert wait_until(lambda: len(list(tmp_path.glob("checkpoints/*.pt"))) == 2, 120)
        process.kill()
        process.wait()
        assert wait_until(lambda: not living(process.pid), 20), "orphaned worker processes"
    finally:
        kill_group(process)


def test_a_call_that_sleeps_for_longer_than_its_claims_hold_spoils_nothing(tmp_path):
    """With the real time constants: a second call takes over after a minute, then the first one wakes up."""
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    assert run(whole, methods=METHODS, epochs=12) == 0
    sleeper = started(shared, 12, jobs="1", seeds="1")
    try:
        assert wait_until(lambda: list(shared.glob("checkpoints/*.pt")), 120)
        os.killpg(sleeper.pid, signal.SIGSTOP)
        assert run(shared, methods=METHODS, epochs=12) == 0
        assert contents(shared) == contents(whole)
        os.killpg(sleeper.pid, signal.SIGCONT)
        _, errors = sleeper.communicate(timeout=300)
        assert sleeper.returncode == 0, errors
    finally:
        kill_group(sleeper)
    assert contents(shared) == contents(whole)
    assert not left_behind(shared)
    assert not (shared / "damaged").exists()
