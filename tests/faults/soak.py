"""Kill searches at any moment, again and again, and see that nothing is lost: python -m tests.faults.soak --kills 500

Each round searches into a new results folder. Two calls of `run_all.py` share it; a call is killed (SIGKILL) and
started again until the runs are done, and then nothing may tell the round from a search that was left in peace:
records, arrays (all but times, memory and provenance), look-ups and tables, bit for bit; no claim, checkpoint or
unfinished file is left, none was set aside, and between the kills no file is half a file.

The moments are drawn from a seed. One half of the kills strikes after a random time, anywhere in the life of a call;
the other half strikes at a random operation on the results folder (the n-th opening, renaming or removal of a file),
which reaches the gaps between two operations that a clock hardly ever hits. Now and then the disk is full instead, from
a random operation of a call on: it must then say so and end with status 2, and no run may have failed.

Calls are forked from a process that has imported everything and searched nothing, because starting Python and torch
takes far longer than these searches; each call is a process group of its own and does what `run_all.py --jobs 1` does,
from its arguments to its exit. Worker processes of `--jobs 2` are killed in `test_kill.py`. A claim's time constants
are a tenth of the real ones, and no figures are drawn: they would take most of the time.
"""

from __future__ import annotations

import argparse
import errno
import gc
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import run_all
from harness import data, report  # noqa: F401 - imported before any fork
from harness.benchmarks.nasbench201 import table as oracles  # noqa: F401 - imported before any fork
from harness.commands.report import complete_tables
from harness.experiment import (
    claims,
    plan,  # noqa: F401 - imported before any fork
    runner,  # noqa: F401 - imported before any fork
)
from harness.experiment import scheduler as scheduling  # noqa: F401 - imported before any fork
from harness.experiment.registry import built_in
from harness.experiment.store import MEASURED, Store
from harness.installation import PUBLISHED
from tests.test_run_all import SMALL

WORDS = [
    "--methods",
    "gaea-darts-bilevel,regularized-evolution",
    "--seeds",
    "2",
    "--jobs",
    "1",
    "--set",
    "protocol.epochs=2",
]
CALLS = 2
FULL_DISKS = 0.2
PATIENCE_SECONDS = 120.0
"""A call that takes longer than this hangs."""


Hook = Callable[[str, tuple[Any, ...]], None]


class LostError(AssertionError):
    """Something was lost, left behind or done wrongly."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description="Kill searches, see what is lost.")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    claims.HEARTBEAT_SECONDS, claims.STALE_SECONDS = claims.HEARTBEAT_SECONDS / 10, claims.STALE_SECONDS / 10
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        result = soak(Path(scratch), options.kills, random.Random(options.seed))
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def soak(scratch: Path, kills: int, chance: random.Random) -> dict[str, float]:
    """Rounds until so many calls were killed. LostError if anything was."""
    begin = time.monotonic()
    peace, again = scratch / "peace", scratch / "again"
    finish(peace, call(peace, None))
    store = Store(peace)
    tables = complete_tables(store)
    report.write(store, list(built_in()), PUBLISHED, complete=tables)  # here for the imports and caches of drawing
    start = time.monotonic()
    counted = counted_operations(again)
    life = time.monotonic() - start
    expected = evidence(peace)
    totals = {"kills": 0, "timed": 0, "full_disks": 0, "rounds": 0, "calls": 2}
    while totals["kills"] < kills:
        folder = scratch / f"round-{totals['rounds']}"
        disturb(folder, chance, life, counted, totals, kills)
        if evidence(folder) != expected:
            raise LostError(f"{folder}: other results than an undisturbed search")
        totals["rounds"] += 1
    return {
        **totals,
        "operations": counted,
        "call_seconds": round(life, 2),
        "seconds": round(time.monotonic() - begin, 1),
    }


def disturb(
    folder: Path, chance: random.Random, life: float, operations: int, totals: dict[str, int], kills: int
) -> None:
    """One round: kill calls on a folder until it has had its share of kills, then let one call finish."""
    share = min(chance.randint(6, 14), kills - totals["kills"])
    while share > 0:
        if chance.random() < FULL_DISKS:
            totals["full_disks"] += see_full_disk(folder, chance.randint(1, operations))
            totals["calls"] += 1
        timed = chance.random() < 0.5
        calls = [
            call(folder, None if timed else strike_at(folder, chance.randint(1, operations))) for _ in range(CALLS)
        ]
        totals["calls"] += CALLS
        if timed:
            time.sleep(chance.uniform(0, life))
        for process in calls:
            killed = killed_or_done(process, at_once=timed)
            share -= killed
            totals["kills"] += killed
            totals["timed"] += killed and timed
        see_no_half_files(folder)
    finish(folder, call(folder, None))
    totals["calls"] += 1


def see_full_disk(folder: Path, operation: int) -> bool:
    """Whether a call met a full disk at an operation; LostError unless it then said so and no run failed."""
    status = waited(call(folder, full_disk_at(folder, operation)))
    if status not in (0, 2):
        raise LostError(f"on a full disk a call ended with status {status}")
    failed = [record for record in Store(folder).records() if record["status"] == "failed"]
    if failed:
        raise LostError(f"on a full disk a run failed: {failed[0]['failure']}")
    return status == 2


def call(folder: Path, hook: Hook | None) -> int:
    """Start a call in a process of its own; `hook` hears of its operations on files."""
    gc.freeze()
    process = os.fork()
    if process:
        return process
    status = 70
    try:
        os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        if hook:
            os.dup2(quiet, 2)
            sys.addaudithook(hook)
        status = run_all.main([*WORDS, *SMALL, "--results", str(folder)])
    finally:
        os._exit(status)


FILE_EVENTS = ("open", "os.rename", "os.remove", "os.link", "os.mkdir")


def strike_at(folder: Path, strike: int) -> Hook:
    """Kills its process before the `strike`-th operation on a folder."""
    left = [strike]

    def hook(event: str, words: tuple[Any, ...]) -> None:
        if event in FILE_EVENTS and str(words[0]).startswith(str(folder)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def full_disk_at(folder: Path, strike: int) -> Hook:
    """Refuses whatever makes a file from the `strike`-th operation on a folder on."""
    left = [strike]

    def hook(event: str, words: tuple[Any, ...]) -> None:
        if event in FILE_EVENTS and str(words[0]).startswith(str(folder)):
            left[0] -= 1
            writes = event == "os.mkdir" or (event == "open" and words[2] & os.O_CREAT)
            if left[0] <= 0 and writes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return hook


def counted_operations(folder: Path) -> int:
    """How many operations on its folder a call takes that is left in peace."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        seen = [0]

        def hook(event: str, words: tuple[Any, ...]) -> None:
            seen[0] += event in FILE_EVENTS and str(words[0]).startswith(str(folder))

        sys.addaudithook(hook)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        run_all.main([*WORDS, *SMALL, "--results", str(folder)])
        os.write(writer, str(seen[0]).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(process, 0)
    with os.fdopen(reader) as file:
        return int(file.read())


def killed_or_done(process: int, at_once: bool) -> bool:
    """Whether the call was killed; LostError if it failed or hangs."""
    if at_once:
        with_group(process, signal.SIGKILL)
    status = waited(process)
    if status not in (0, -signal.SIGKILL):
        raise LostError(f"a call ended with status {status}")
    return status != 0


def finish(folder: Path, process: int) -> None:
    """Wait for a call that nobody kills, and see that it leaves nothing behind."""
    status = waited(process)
    if status != 0:
        raise LostError(f"an undisturbed call ended with status {status}")
    left = [*(folder / "claims").iterdir(), *(folder / "checkpoints").iterdir(), *folder.rglob("*.unfinished")]
    if left or (folder / "damaged").exists():
        raise LostError(f"left behind: {left}, or files set aside")


def waited(process: int) -> int:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    with_group(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise LostError("a call hangs")


def with_group(process: int, number: int) -> None:
    try:
        os.killpg(process, number)
    except ProcessLookupError:  # not yet a group, or gone
        os.kill(process, number)


def see_no_half_files(folder: Path) -> None:
    """Every file that has its name is whole."""
    store = Store(folder)
    for key in [path.stem for path in folder.glob("runs/*.json")]:
        store.read(key)
    for key in store.checkpoints():
        store.read_checkpoint(key)
    list(store.scores())
    for path in folder.glob("checkpoints/*.json"):
        json.loads(path.read_bytes())
    if store.warnings or (folder / "damaged").exists():
        raise LostError(f"half files: {store.warnings}")


def evidence(folder: Path) -> tuple[str, dict[str, bytes]]:
    """All that must be the same after kills. Figures follow from the same records and are left out, and so are tables
    that have seconds in them, as those for people do."""
    store = Store(folder)
    records = store.records()
    for record in records:
        arrays = store.arrays(record["key"]) if "arrays_sha256" in record else {}
        record["arrays"] = {name: values.tolist() for name, values in arrays.items() if name not in MEASURED}
        del record["provenance"]
        record.pop("arrays_sha256", None)
    files = [*folder.glob("scores/*.csv"), *folder.glob("tables/*.csv")]
    files = [path for path in files if path.name != "search_cost.csv"]
    return json.dumps(records, sort_keys=True), {path.name: path.read_bytes() for path in files}


if __name__ == "__main__":
    sys.exit(main())
