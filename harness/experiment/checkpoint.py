"""Checkpoints: the state of a run after its last finished epoch, and its progress for the display."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import numpy as np
import torch

from harness.experiment import schema
from harness.experiment.jobs.base import Work
from harness.experiment.sessions import Session
from harness.experiment.store import Arrays, Store
from harness.files import write_atomically


def save(
    store: Store,
    key: str,
    sessions: list[Session],
    work: Work,
    logs: list[Arrays],
) -> None:
    """Write the checkpoint and the progress file of a run; WriteError if that fails. sessions: the processes that
    computed its epochs; logs: one per finished epoch."""
    content = io.BytesIO()
    state = {"sessions": sessions, "search": work.state_dict()}
    torch.save({**state, "logs": [_as_plain(log) for log in logs]}, content)
    store.write_checkpoint(key, content.getvalue())
    loss = float(logs[-1]["loss"][0]) if "loss" in logs[-1] else math.nan
    progress = {
        "epoch": work.next_epoch,
        "loss": loss if math.isfinite(loss) else None,
    }
    write_atomically(store.progress_path(key), json.dumps(progress).encode())


def load(store: Store, key: str) -> dict[str, Any] | None:
    """The last checkpoint of a run, or None if there is none or an unreadable one, which is quarantined."""
    content = store.read_checkpoint(key)
    if content is None:
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        if "sessions" not in checkpoint:  # of earlier code, which kept no more of them
            checkpoint["sessions"] = [{"epoch": 1, **{name: checkpoint.get(name) for name in ("threads", "dirty")}}]
        schema.check_sessions(checkpoint["sessions"])
        if not isinstance(checkpoint["sessions"][0]["threads"], int):
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
