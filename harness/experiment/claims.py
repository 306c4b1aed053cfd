"""Run locks: several processes, on one machine or many, share a results folder without executing a run twice.

A claim is a lock file with a lease. Only one process can create it, and its owner rewrites it every few seconds with a
higher count (the heartbeat). A waiting process times the count with its own monotonic clock, so clocks need not agree.
A claim is stale if its owner is a dead process of this machine or its count has not changed for `STALE_SECONDS`. Stale
claims are broken by renaming the file, in which only one of several processes succeeds. All this needs only exclusive
creation and atomic renames, which network file systems provide.

The protocol is close to that of filelock's SoftFileLease (4.3), which lacks three things needed here: it never breaks
an empty lock, which a process leaves if it is killed between creating and writing the file; it takes a killed process
for a live one until its parent has collected the exit status; and it does not report that it broke a lock, by which the
scheduler recognises a run that kills its process.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.files import boot, partial_name, process_is_alive, write_atomically

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
"""A claim whose count has not changed for this time is stale."""

WAITING_SECONDS = 0.1


class Claim:
    """Lock of one run: `with Claim(path) as acquired: if acquired: ...`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = {"host": socket.gethostname(), "pid": os.getpid(), "boot": boot(), "id": uuid.uuid4().hex}
        self.held = False
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> bool:
        """Try to acquire the lock, without waiting; returns whether it succeeded. OSError if it cannot be written."""
        content = _encoded(self.owner, 0)
        try:
            descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except BaseException:  # a full disk: an empty claim would block the run for everyone
            self.path.unlink(missing_ok=True)
            raise
        self.held = True
        self.thread.start()
        return True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.held:
            self.stopped.set()
            self.thread.join()
            if read(self.path).get("id") == self.owner["id"]:
                self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        count = 0
        while not self.stopped.wait(HEARTBEAT_SECONDS):
            count += 1
            if read(self.path).get("id") != self.owner["id"]:
                return  # broken by another process, because this one was suspended for too long
            with suppress(OSError):  # a full disk must not stop the run here; its own writes will raise
                write_atomically(self.path, _encoded(self.owner, count))


@contextmanager
def waited_for(path: Path) -> Iterator[None]:
    """Hold a lock, after waiting for whichever process has it. OSError if it cannot be written."""
    watch = Watch()
    while True:
        with Claim(path) as acquired:
            if acquired:
                yield
                return
        if not watch.release_if_stale(path):
            time.sleep(WAITING_SECONDS)


class Watch:
    """Detects stale claims of other processes by polling them."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[Any, Any], float]] = {}

    def release_if_stale(self, path: Path) -> bool:
        """Break the claim if it is stale. Returns whether the run is free now: there was no claim, or it was broken."""
        return not path.exists() or self.break_if_stale(path)

    def break_if_stale(self, path: Path) -> bool:
        """Break the claim if it exists and is stale. Returns whether this process has broken it."""
        claim = read(path)
        if not path.exists() or not self._is_stale(path, claim):
            return False
        # Renamed before it is removed: only one of several processes can do so, and a claim created in the meantime is
        # detected below. The name is that of a partial file, which is cleaned up if this process is killed here.
        broken = path.with_name(partial_name(f"{path.name}.{uuid.uuid4().hex}"))
        try:
            path.rename(broken)
        except FileNotFoundError:
            return False
        if read(broken).get("id") != claim.get("id"):
            with suppress(FileExistsError):
                os.link(broken, path)  # another process's new claim: restore it
            broken.unlink(missing_ok=True)
            return False
        broken.unlink(missing_ok=True)
        return True

    def _is_stale(self, path: Path, claim: dict[str, Any]) -> bool:
        if owner_is_dead(claim):
            return True
        state, now = (claim.get("id"), claim.get("count")), time.monotonic()
        if path not in self._seen or self._seen[path][0] != state:
            self._seen[path] = (state, now)
        return now - self._seen[path][1] > STALE_SECONDS


def remove_abandoned(folder: Path) -> None:
    """Remove the claims of dead processes of this machine, including those killed after they had written the record."""
    watch = Watch()
    for path in folder.iterdir():
        if owner_is_dead(read(path)):
            watch.break_if_stale(path)


def owner_is_dead(claim: dict[str, Any]) -> bool:
    """Whether the owner of a claim was a process of this machine that is dead now."""
    pid, this_machine = claim.get("pid"), (socket.gethostname(), boot())
    return (claim.get("host"), claim.get("boot")) == this_machine and isinstance(pid, int) and not process_is_alive(pid)


def read(path: Path) -> dict[str, Any]:
    """Owner and count of a claim; empty if the file is missing or incomplete."""
    try:
        claim = json.loads(path.read_bytes())
        return claim if isinstance(claim, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _encoded(owner: dict[str, Any], count: int) -> bytes:
    return json.dumps({**owner, "count": count}).encode()
