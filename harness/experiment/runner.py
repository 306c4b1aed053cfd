"""Executes jobs: epoch by epoch, with a checkpoint after each, and writes the record."""

from __future__ import annotations

import faulthandler
import json
import signal as signals
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import numpy as np
import torch

from harness.experiment import checkpoint as checkpoints
from harness.experiment.config import SCHEMA
from harness.experiment.jobs.base import Job, Machine, Work
from harness.experiment.memory import reset_peak_memory, tune_malloc
from harness.experiment.provenance import environment
from harness.experiment.scalars import ignored, scalars
from harness.experiment.store import Arrays, Record, Store
from harness.files import WriteError
from harness.plugins import Source


def execute(job: Job, machine: Machine) -> Record:
    """Do a job, from its last checkpoint if there is one, and write the record.

    A job that raises is a failed record. Where time or memory was short, the checkpoint stays: the next attempt
    continues. What the method itself raised it would raise again, so that attempt starts from the beginning.
    WriteError if the results cannot be written; then nothing is lost.
    """
    store = Store(machine.results)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    begin = time.perf_counter()
    arrays: Arrays | None = None
    sources: dict[str, Source] = {}
    short = False
    try:
        with deadline(machine.time_limit):
            sources = job.sources()
            result, arrays, machine = _done(job, machine, store)
            result = {**job.facts(result), **result}
            json.dumps(result, allow_nan=False)  # what a user's code made may be no plain value
    except WriteError:
        raise
    except (Exception, SystemExit) as error:  # a failed run is data; the other runs go on
        result, arrays = failure(job, _traceback(error)), None
        short = _is_short_of_resources(error)
    seconds = time.perf_counter() - begin if arrays is None else float(arrays["seconds"].sum())
    spent = None if result["status"] == "failed" else seconds
    record = as_record(job, machine, result, started, spent, store.warnings)
    if sources:
        record["provenance"]["sources"] = {
            what: {"file": source.file, "name": source.name, "sha256": source.sha256}
            for what, source in sources.items()
        }
    for source in sources.values():
        store.write_source(source)
    store.write(record, arrays)
    if not short:
        store.discard_checkpoint(job.key)
    return record


def _is_short_of_resources(error: BaseException) -> bool:
    """Whether a run failed for want of time or memory."""
    full = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    return full or isinstance(error, TimeoutError)


def as_record(
    job: Job,
    machine: Machine,
    result: Mapping[str, Any],
    started: str,
    seconds: float | None,
    warnings: list[str],
) -> Record:
    """A job's config, its result with what a report needs to know of it, and its provenance; `warnings` name corrupt
    files."""
    return {
        "schema": SCHEMA,
        "key": job.key,
        "config": job.config,
        **result,
        "provenance": {
            "commit": machine.commit,
            "dirty": machine.dirty,
            **environment("cpu" if job.is_brief else machine.device),
            "threads": machine.threads,
            "started": started,
            "seconds": seconds,
            "warnings": list(warnings),
        },
    }


def failure(job: Job, reason: str) -> dict[str, Any]:
    """The result part of a failed run's record."""
    return {**job.facts({}), "status": "failed", "failure": reason}


def _done(job: Job, machine: Machine, store: Store) -> tuple[dict[str, Any], Arrays | None, Machine]:
    """Returns the result part of the record; the arrays, None for work without epochs; and the machine with the number
    of threads that the run began with, and whether any of its epochs was done by modified code."""
    checkpoint = checkpoints.load(store, job.key)
    if checkpoint:
        dirty = machine.dirty or checkpoint.get("dirty")
        machine = replace(machine, threads=checkpoint["threads"], dirty=dirty)
    torch.set_num_threads(machine.threads)
    tune_malloc()
    reset_peak_memory(machine.device)
    work, logs = _continued(job, machine, store, checkpoint)
    written = scalars(machine.results / "tensorboard" / job.key, len(logs) + 1) if job.writes_scalars else ignored()
    with written as add:
        for log in work.epochs():
            logs.append(log)
            checkpoints.save(store, job.key, job.epochs, machine.threads, work, logs, machine.dirty)
            add(len(logs), log)
    arrays = {name: np.concatenate([log[name] for log in logs]) for name in logs[0]} if logs else {}
    return {"status": "done", "failure": None, **work.outcome(arrays)}, arrays or None, machine


def _continued(
    job: Job, machine: Machine, store: Store, checkpoint: dict[str, Any] | None
) -> tuple[Work, list[Arrays]]:
    """The work and its logs as a checkpoint has them; at its beginning if there is none, or one that does not fit."""
    work = job.begin(machine)
    if not checkpoint:
        return work, []
    try:
        work.load_state_dict(checkpoint["search"])
        logs = [checkpoints.as_arrays(log) for log in checkpoint["logs"]]
        if len(logs) != work.next_epoch:
            raise ValueError(f"{len(logs)} epochs logged, {work.next_epoch} done")
    except Exception as error:  # whatever torch makes of the state of another network
        store.quarantine(store.checkpoint_path(job.key), why=error)
        return job.begin(machine), []
    return work, logs


# Time limits ---------------------------------------------------------------------------------------------------------

GRACE_SECONDS = 15.0


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """TimeoutError once the time is up; a process that does not even get to raise it ends after a grace period.

    Works in the main thread of a process, where runs are executed; elsewhere there is no limit.
    """
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:  # noqa: ARG001 - the form of a signal handler
        raise TimeoutError(f"over the time limit of {seconds:g} s")

    before = signals.signal(signals.SIGALRM, stop)
    signals.setitimer(signals.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(seconds + GRACE_SECONDS, exit=True)
    try:
        yield
    finally:
        signals.setitimer(signals.ITIMER_REAL, 0)
        signals.signal(signals.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
