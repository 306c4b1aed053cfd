"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import os
import threading
import time

POLL_SECONDS = 0.5

_parent: int | None = None


def exit_with_parent(parent: int) -> None:
    """Make this process exit soon after its parent, the process `parent`, even in the middle of an epoch.

    Every file is written atomically, so the checkpoint of the last epoch is complete at any moment.
    """
    global _parent
    if _parent is not None:
        return
    _parent = parent

    def watch() -> None:
        while True:
            exit_if_orphaned()
            time.sleep(POLL_SECONDS)

    threading.Thread(target=watch, daemon=True).start()


def exit_if_orphaned() -> None:
    """Exit now if that parent has ended. What is raised after its end may come from another of its processes, which
    has exited first: nothing that has failed in this one."""
    if _parent is not None and os.getppid() != _parent:
        os._exit(1)
