"""Checkpoints: the state of a run after its last finished epoch, and its progress for the display."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import torch

from harness.experiment.jobs.base import Work
from harness.experiment.store import Arrays, Store
from harness.files import write_atomically


def save(
    store: Store,
    key: str,
    epochs: int,
    threads: int,
    work: Work,
    logs: list[Arrays],
    dirty: bool | None = None,
) -> None:
    """Write the checkpoint and the progress file of a run; WriteError if that fails. threads: those the run began with;
    logs: one per finished epoch; dirty: whether modified code computed any of them."""
    content = io.BytesIO()
    state = {"threads": threads, "dirty": dirty, "search": work.state_dict()}
    torch.save({**state, "logs": [_as_plain(log) for log in logs]}, content)
    store.write_checkpoint(key, content.getvalue())
    loss = float(logs[-1]["loss"][0])
    progress = {
        "epoch": work.next_epoch,
        "epochs": epochs,
        "loss": loss if math.isfinite(loss) else None,
        "seconds": sum(float(log["seconds"][0]) for log in logs),
    }
    write_atomically(store.progress_path(key), json.dumps(progress).encode())


def load(store: Store, key: str) -> dict[str, Any] | None:
    """The last checkpoint of a run, or None if there is none or an unreadable one, which is quarantined."""
    content = store.read_checkpoint(key)
    if content is None:
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        if not isinstance(checkpoint["threads"], int):
            raise TypeError("no number of threads")
    except Exception as error:  # whatever another version of torch raises
        store.quarantine(store.checkpoint_path(key), why=error)
        return None
    return checkpoint


def _as_plain(log: Arrays) -> dict[str, Any]:
    """The log as tensors and lists of strings, which `torch.load` reads with weights_only=True."""
    return {k: v.tolist() if v.dtype.kind == "U" else torch.from_numpy(v) for k, v in log.items()}


def as_arrays(log: dict[str, Any]) -> Arrays:
    return {k: np.array(v) if isinstance(v, list) else v.numpy() for k, v in log.items()}
