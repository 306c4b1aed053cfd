"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import os
import threading
import time

POLL_SECONDS = 0.5

_WATCHING = threading.Lock()


def exit_with_parent(parent: int) -> None:
    """Make this process exit soon after its parent, the process `parent`, even in the middle of an epoch.

    Every file is written atomically, so the checkpoint of the last epoch is complete at any moment.
    """
    if not _WATCHING.acquire(blocking=False):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
