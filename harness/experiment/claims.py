"""Who does which run: several processes, on one machine or many, share a results folder.

A claim is a file that only one process can create. Its owner rewrites it every few seconds with a higher count; whoever
waits for it watches the count with its own monotonic clock, so no two clocks need to agree. A claim whose owner is gone
(its process does not live on this machine, or its count has stood still) is taken over: of those who try, one succeeds
in renaming the file. Only exclusive creation and atomic renames are needed, which network file systems have.

The protocol is close to that of filelock's SoftFileLease (4.3), which lacks three things that are needed here: it never
takes over an empty file, which a process leaves that is killed between creating and writing it; it takes a killed
process for a living one until its parent has collected its exit status; and it does not tell that it took a claim over,
which is how a run that kills its process is recognised.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.files import UNFINISHED, process_lives, write_atomically

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
"""A count that stood still for so long belongs to nobody."""


class Claim:
    """One run, claimed by this process: `with Claim(path) as mine: if mine: ...`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = {"host": socket.gethostname(), "pid": os.getpid(), "boot": _boot(), "id": uuid.uuid4().hex}
        self.held = False
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> bool:
        """Whether the run is ours now. OSError if the folder cannot be written."""
        content = _content(self.owner, 0)
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            return False
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
        except BaseException:  # a full disk: an empty claim would keep everybody waiting
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
                return  # taken over, after a pause longer than a stale claim's
            with suppress(OSError):  # a full disk must not stop the run; its own writes will tell
                write_atomically(self.path, _content(self.owner, count))


class Watch:
    """Tells which of other processes' claims are stale, from looking at them again and again."""

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[tuple[Any, Any], float]] = {}

    def release_if_stale(self, path: Path) -> bool:
        """Whether the claim is free now: it was never there, or was stale and has been removed by us."""
        return not path.exists() or self.takes_over(path)

    def takes_over(self, path: Path) -> bool:
        """Whether the claim was there, stale, and has been removed by us."""
        found = read(path)
        if not path.exists() or not self._is_stale(path, found):
            return False
        # Renamed first: of several watchers only one can, and nobody removes a claim that was made meanwhile. Under a
        # name by which it is swept away if we are killed here.
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}.{socket.gethostname()}.{os.getpid()}{UNFINISHED}")
        try:
            path.rename(aside)
        except FileNotFoundError:
            return False
        taken = read(aside)
        if taken.get("id") != found.get("id"):
            with suppress(FileExistsError):
                os.link(aside, path)  # somebody's new claim: give it back
            aside.unlink(missing_ok=True)
            return False
        aside.unlink(missing_ok=True)
        return True

    def _is_stale(self, path: Path, found: dict[str, Any]) -> bool:
        if owner_is_gone(found):
            return True
        state, now = (found.get("id"), found.get("count")), time.monotonic()
        if path not in self._seen or self._seen[path][0] != state:
            self._seen[path] = (state, now)
        return now - self._seen[path][1] > STALE_SECONDS


def remove_abandoned(folder: Path) -> None:
    """Remove the claims of processes of this machine that were killed, also between a run's record and its end."""
    watch = Watch()
    for path in folder.iterdir():
        if owner_is_gone(read(path)):
            watch.takes_over(path)


def owner_is_gone(found: dict[str, Any]) -> bool:
    """Whether a claim's owner was a process of this machine that does not live any more."""
    pid, here = found.get("pid"), (socket.gethostname(), _boot())
    return (found.get("host"), found.get("boot")) == here and isinstance(pid, int) and not process_lives(pid)


def read(path: Path) -> dict[str, Any]:
    """Owner and count of a claim; empty if it is not there or half written."""
    try:
        found = json.loads(path.read_bytes())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, RecursionError):
        return {}


def _content(owner: dict[str, Any], count: int) -> bytes:
    return json.dumps({**owner, "count": count}).encode()


def _boot() -> str:
    """Tells one start of a machine from the next, whose process numbers begin anew; containers apart as well."""
    with suppress(OSError):
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    return ""
