"""Executes jobs: epoch by epoch, with a checkpoint after each, and writes the record."""

from __future__ import annotations

import faulthandler
import json
import os
import signal as signals
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, NamedTuple

import numpy as np

from harness.evaluate.distributed import tells_of_a_lost_process
from harness.experiment import checkpoint as checkpoints
from harness.experiment import schema
from harness.experiment.config import SCHEMA, overridden, shown
from harness.experiment.devices import prepare
from harness.experiment.jobs.base import Job, Machine, Work
from harness.experiment.memory import reset_peak_memory
from harness.experiment.provenance import environment, surroundings
from harness.experiment.scalars import Scalars, folder, ignored, scalars
from harness.experiment.sessions import Session, differing, extended, modified
from harness.experiment.store import MEASURED, Arrays, Record, Store
from harness.files import WriteError
from harness.plugins import Source
from harness.processes import exit_if_orphaned


@dataclass(frozen=True)
class _Attempt:
    """What came of doing a job once."""

    result: Mapping[str, Any]
    machine: Machine
    sources: Mapping[str, Source]
    arrays: Arrays | None = None
    spent: Mapping[str, float] = field(default_factory=dict)
    sessions: tuple[Session, ...] = ()
    """Of its epochs, where they differ."""
    may_continue: bool = False
    """Whether the next attempt does so from the checkpoint."""


def execute(job: Job, machine: Machine) -> Record:
    """Do a job, from its last checkpoint if there is one, and write the record.

    A job that raises is a failed record. Where circumstances are to blame (`is_of_circumstances`), or the job could not
    even begin, the checkpoint stays and the next attempt continues. What the method itself raised it would raise again,
    so that attempt starts from the beginning. The checkpoint stays as well where the result is none that a record can
    hold.
    WriteError if the results cannot be written; then nothing is lost.
    """
    store, started = Store(machine.results), datetime.now(timezone.utc).isoformat(timespec="seconds")
    attempt = _attempt(job, machine, store)
    try:
        record = _write(job, attempt, started, store)
    except (TypeError, ValueError) as error:  # what a user's code made may be anything
        reason = f"no record can hold its result: {error}"
        attempt = _Attempt(failure(job, reason), machine, attempt.sources, may_continue=True)
        record = _write(job, attempt, started, store)
    if not attempt.may_continue:
        store.discard_checkpoint(job.key)
    return record


def _attempt(job: Job, machine: Machine, store: Store) -> _Attempt:
    begin, cpu = time.perf_counter(), time.process_time()
    sources: dict[str, Source] = {}
    begun = None
    try:
        with deadline(machine.time_limit):
            sources = job.sources()
            begun = _begun(job, machine, store)
            result, arrays, machine, sessions = _done(job, begun, store)
            result = {**job.facts(result), **result}
    except WriteError:
        raise
    except (Exception, SystemExit) as error:  # a failed run is data; the other runs go on
        exit_if_orphaned()
        may_continue = begun is None or is_of_circumstances(error)
        return _Attempt(failure(job, _traceback(error)), machine, sources, may_continue=may_continue)
    spent = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu}
    return _Attempt(result, machine, sources, arrays, spent if arrays is None else _spent(arrays), sessions)


def _write(job: Job, attempt: _Attempt, started: str, store: Store) -> Record:
    """Write the record of an attempt, and the sources that it names. ValueError or TypeError, and no record is written,
    if no record can hold the result."""
    record = as_record(job, attempt.machine, attempt.result, started, attempt.spent, store.warnings)
    if attempt.sources:
        record["provenance"]["sources"] = {
            what: {"file": source.file, "name": source.name, "sha256": source.sha256}
            for what, source in attempt.sources.items()
        }
    if attempt.sessions:
        record["provenance"]["sessions"] = list(attempt.sessions)
    for source in attempt.sources.values():
        store.write_source(source)
    store.write(record, attempt.arrays)
    return record


SHORT_OF_MEMORY = ("can't allocate memory", "out of memory", "_STATUS_ALLOC_FAILED", "bad_alloc")
"""What torch and CUDA's libraries say in a RuntimeError, whose type depends on the version of torch."""
LOST_DECODER = "DataLoader worker (pid"
"""What torch says of a killed process that decodes images, also in a RuntimeError."""


def is_of_circumstances(error: BaseException) -> bool:
    """Whether a run failed for want of time, memory, a file or another of its processes, not by what it computes."""
    told = any(text in str(error) for text in (*SHORT_OF_MEMORY, LOST_DECODER))
    return told or isinstance(error, MemoryError | OSError) or tells_of_a_lost_process(error)


def as_record(
    job: Job,
    machine: Machine,
    result: Mapping[str, Any],
    started: str,
    spent: Mapping[str, float],
    warnings: list[str],
) -> Record:
    """A job's config, its result with what a report needs to know of it, and its provenance; `spent`: seconds, CPU
    seconds and load, as far as they are known; `warnings` name files that are corrupt or could not be written."""
    return {
        "schema": SCHEMA,
        "key": job.key,
        "config": job.config,
        **result,
        "provenance": {
            "commit": machine.commit,
            "dirty": machine.dirty,
            "distribution": machine.distribution,
            **environment("cpu" if job.is_brief else machine.device),
            "threads": machine.threads,
            "started": started,
            **{name: spent.get(name) for name in MEASURED},
            "warnings": list(warnings),
        },
    }


def failure(job: Job, reason: str) -> dict[str, Any]:
    """The result part of a failed run's record."""
    return {**job.facts({}), "status": "failed", "failure": reason}


def check(job: Job) -> None:
    """ValueError, in one line, if no record can hold what is planned: not even that of its failure."""
    record = {"schema": SCHEMA, "key": job.key, "config": job.config, **failure(job, ""), "provenance": {}}
    try:
        schema.check(schema.decoded(json.dumps(record).encode()))
    except ValueError as error:
        raise ValueError(f"no record can hold {job.label}: {error}") from error


class _Begun(NamedTuple):
    work: Work
    logs: list[Arrays]
    """Of the epochs that a checkpoint has."""
    before: list[Session]
    """That did those epochs."""
    machine: Machine
    """With the number of threads that the run began with."""


def _begun(job: Job, machine: Machine, store: Store) -> _Begun:
    """From the last checkpoint, if there is one."""
    checkpoint = checkpoints.load(store, job.key)
    if checkpoint:
        machine = replace(machine, threads=checkpoint["sessions"][0]["threads"])
    prepare(machine.threads)
    reset_peak_memory(machine.device)
    work, logs = _continued(job, machine, store, checkpoint)
    return _Begun(work, logs, checkpoint["sessions"] if checkpoint and logs else [], machine)


def _done(job: Job, begun: _Begun, store: Store) -> tuple[dict[str, Any], Arrays | None, Machine, tuple[Session, ...]]:
    """Returns the result part of the record; the arrays, None for work without epochs; the machine, with whether any of
    its epochs was done by modified code; and the sessions, none where all were like this process."""
    work, logs, before, machine = begun
    here = _session(job, machine, len(logs) + 1)
    sessions = extended(before, here)
    add = _scalars(job, machine, logs, store.warnings)
    for log in _measured(work.epochs()):
        logs.append(log)
        checkpoints.save(store, job.key, sessions, work, logs)
        add(len(logs), job.scalars(log))
    sessions = [session for session in sessions if session["epoch"] <= len(logs)]  # this one may have had none to do
    machine = replace(machine, dirty=modified(session["dirty"] for session in (*sessions, here)))
    arrays = {name: np.concatenate([log[name] for log in logs]) for name in logs[0]} if logs else {}
    result = {"status": "done", "failure": None, **work.outcome(arrays)}
    return result, arrays or None, machine, tuple(sessions) if differing([*sessions, here]) else ()


def _session(job: Job, machine: Machine, epoch: int) -> Session:
    """Of this process, which begins with that epoch."""
    code = {"commit": machine.commit, "dirty": machine.dirty, "distribution": machine.distribution}
    return {
        "epoch": epoch,
        **code,
        "threads": machine.threads,
        **surroundings("cpu" if job.is_brief else machine.device),
    }


def _scalars(job: Job, machine: Machine, logs: list[Arrays], warnings: list[str]) -> Scalars:
    if not job.writes_scalars(machine):
        return ignored
    changed = [f"{name}={shown(value)}" for name, value in overridden(job.config).items()]
    written = folder(machine.results, job.key, " ".join([job.label, *changed]))
    return scalars(written, [job.scalars(log) for log in logs], warnings.append)


def _measured(epochs: Iterator[Arrays]) -> Iterator[Arrays]:
    """The logs, with the CPU seconds of this process and the load of the machine: the mean number of running processes
    over the last minute of the epoch."""
    begin = time.process_time()
    for log in epochs:
        yield {**log, "cpu_seconds": np.array([time.process_time() - begin]), "load": np.array([os.getloadavg()[0]])}
        begin = time.process_time()


def _spent(arrays: Arrays) -> dict[str, float]:
    """Sums of the epochs' seconds, and the mean load; of checkpoints that older code began, what they hold."""
    measured = {name: arrays[name] for name in MEASURED if name in arrays}
    return {name: float(values.mean() if name == "load" else values.sum()) for name, values in measured.items()}


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
