"""Executes the missing runs of a plan in worker processes; several schedulers may share a results folder."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from harness.experiment import provenance
from harness.experiment.claims import Claim, Watch, owner_is_dead, read
from harness.experiment.devices import usable
from harness.experiment.jobs.base import Job, Machine
from harness.experiment.runner import as_record, check, execute, failure
from harness.experiment.store import Record, Store
from harness.processes import exit_with_parent

BRIEF_JOBS_PER_TASK = 25
"""Black-box searches per task: one takes milliseconds."""
POLL_SECONDS = 0.5
MAX_KILLS = 2
"""A run fails if its process is killed this many times without finishing an epoch in between."""
MAX_EARLY_KILLS = 3
"""The call fails if workers are killed this many times in a row before they begin a run."""

Task = list[Job]
FailedBefore = dict[str, str | None]
"""Key of a run -> start time of its failed attempt before this call; None if it had not failed."""


class Scheduler:
    """Executes runs, `jobs` at a time, each in a separate process.

    Runs that another process has claimed are left to it and waited for; stale claims are broken. `machines` differ in
    their devices only: with several, a run goes to a free one, so `jobs` is their number. `backend`: "loky" (processes
    of this machine) or "dask" (the cluster of the current client).
    """

    def __init__(self, runs: Sequence[Job], machines: Sequence[Machine], jobs: int, backend: str = "loky") -> None:
        """ValueError, in one line, if no record can hold one of the runs."""
        for run in runs:
            check(run)
        self.machines = machines
        self.jobs = jobs
        self.backend = backend
        self.store = Store(machines[0].results)
        self.pending = {run.key: run for run in runs}
        self.failed_before = {run.key: _failed_at(self.store.read(run.key)) for run in runs}
        self.kills: Counter[str] = Counter()
        self.epoch_at_kill: dict[str, int] = {}
        self.early_kills = 0
        self._worker_lost = _worker_lost_error(backend)
        self._has_workers = False

    def records(self) -> Generator[Record, None, None]:
        """Yield the record of every run as it finishes; closing the generator ends the workers.

        OSError if the results cannot be written or workers cannot be started.
        """
        watch = Watch()
        for run in self.pending.values():  # processes killed before this call do not count as kills of their runs
            watch.release_if_stale(self.store.claim_path(run.key))
        try:
            while self.pending:
                for record in self._round(watch):
                    del self.pending[record["key"]]
                    yield record
        finally:
            self._end_workers()

    def _round(self, watch: Watch) -> Iterator[Record]:
        """Attempt every unclaimed run once."""
        free = []
        for run in list(self.pending.values()):
            path = self.store.claim_path(run.key)
            if watch.break_if_stale(path) and (record := self._count_kill(run)):
                yield record
            elif not path.exists():
                free.append(run)
        if not free:  # other processes execute all pending runs
            time.sleep(POLL_SECONDS)
        yield from self._attempt_all(free)

    def _attempt_all(self, free: Sequence[Job]) -> Iterator[Record]:
        """Execute runs; one whose process was killed before runs alone, so that a further kill is its own."""
        rounds = [_tasks([run for run in free if not self.kills[run.key]])]
        rounds += [[[run]] for run in free if self.kills[run.key]]
        for tasks in filter(None, rounds):
            try:
                yield from self._execute(tasks)
            except self._worker_lost as error:
                yield from self._handle_lost_worker(error)

    def _execute(self, tasks: list[Task]) -> Iterator[Record]:
        if self.backend == "loky" and self._in_this_process(tasks):
            for task in tasks:
                for run in task:
                    yield from _attempt([run], self.machines, None, self.failed_before)
            return
        failed = [{run.key: self.failed_before[run.key] for run in task} for task in tasks]
        for records in self._on_cluster(tasks, failed) if self.backend == "dask" else self._in_workers(tasks, failed):
            self.early_kills = 0
            yield from records

    def _in_workers(self, tasks: list[Task], failed_before: list[FailedBefore]) -> Iterator[list[Record]]:
        threads = self.machines[0].threads
        self._has_workers = True
        with (
            TemporaryDirectory(prefix="devices-") as slots,
            joblib.parallel_config(backend="loky", inner_max_num_threads=threads),
        ):
            jobs = min(self.jobs, len(tasks))
            parallel = joblib.Parallel(
                n_jobs=max(2, jobs),  # with 1, joblib executes in this process
                return_as="generator_unordered",
                pre_dispatch=jobs,
            )
            yield from parallel(
                joblib.delayed(_attempt)(task, self.machines, Path(slots), failed)
                for task, failed in zip(tasks, failed_before, strict=True)
            )

    def _end_workers(self) -> None:
        """Stop the worker processes, so that the next scheduler of this process starts new ones: a worker keeps the
        environment and modules of its start, and would run a method file as it was before an edit."""
        if self._has_workers:
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
            self._has_workers = False

    def _on_cluster(self, tasks: list[Task], failed_before: list[FailedBefore]) -> Iterator[list[Record]]:
        """Execute on the workers of the current Dask client; not through joblib, which executes in this process when
        the cluster has only one thread left."""
        from distributed import as_completed, default_client

        client, attempt = default_client(), partial(attempt_on_cluster, machines=self.machines)
        futures = [
            client.submit(attempt, task, failed_before=failed, pure=False)
            for task, failed in zip(tasks, failed_before, strict=True)
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            client.cancel(futures)  # only those that have not begun; the others continue until their record is written

    def _in_this_process(self, tasks: list[Task]) -> bool:
        """Whether workers would gain nothing. Under a time limit they do: a worker can be killed."""
        single = len(tasks) == 1 and not self.kills[tasks[0][0].key]
        return (self.jobs == 1 or single) and self.machines[0].time_limit is None

    def _handle_lost_worker(self, error: Exception) -> Iterator[Record]:
        """After a worker was killed, count the kill for the pending runs whose owner is dead. OSError if workers were
        killed `MAX_EARLY_KILLS` times in a row without a run that they had begun."""
        killed = [run for run in self.pending.values() if owner_is_dead(read(self.store.claim_path(run.key)))]
        self.early_kills = 0 if killed else self.early_kills + 1
        if self.early_kills >= MAX_EARLY_KILLS:
            raise OSError(
                f"worker processes were killed {MAX_EARLY_KILLS} times in a row before they began a run; out of memory?"
            ) from error
        for run in killed:
            self.store.claim_path(run.key).unlink(missing_ok=True)
            if record := self._count_kill(run):
                yield record

    def _count_kill(self, run: Job) -> Record | None:
        """Count that a run's process was killed; after `MAX_KILLS` in a row, write and return the record of a failure.

        The checkpoint stays, because it was not the method that raised.
        """
        epoch = self.store.progress(run.key).get("epoch", 0)
        self.kills[run.key] = 1 if epoch > self.epoch_at_kill.get(run.key, 0) else self.kills[run.key] + 1
        self.epoch_at_kill[run.key] = epoch
        if self.kills[run.key] < MAX_KILLS:
            return None
        machine = self.machines[0]
        over_time = f", or past the time limit of {machine.time_limit:g} s" if machine.time_limit else ""
        reason = f"its process was killed {MAX_KILLS} times in a row; out of memory{over_time}?"
        record = as_record(run, machine, failure(run, reason), _now(), {}, [])
        self.store.write(record)
        return record


def _tasks(runs: Sequence[Job]) -> list[Task]:
    brief = [run for run in runs if run.is_brief]
    starts = range(0, len(brief), BRIEF_JOBS_PER_TASK)
    return [
        *(brief[start : start + BRIEF_JOBS_PER_TASK] for start in starts),
        *([run] for run in runs if not run.is_brief),
    ]


def _attempt(task: Task, machines: Sequence[Machine], slots: Path | None, failed_before: FailedBefore) -> list[Record]:
    """Execute the runs of a task that no other process has claimed or finished; returns their records.

    A process executes one task at a time, because its threads share torch's global random generator.
    """
    records = []
    parent = machines[0].parent
    if parent not in (None, os.getpid()):
        exit_with_parent(parent)
    with _ONE_TASK, _acquire_machine(machines, slots) as machine:
        store = Store(machine.results)
        for run in task:
            with Claim(store.claim_path(run.key)) as acquired:
                if not acquired:
                    continue
                record = store.read(run.key)
                if record is None or _failed_at(record) == failed_before[run.key] is not None:
                    record = execute(run, machine)
                else:  # another process has finished it in the meantime
                    store.discard_checkpoint(run.key)
                records.append(record)
    return records


_ONE_TASK = threading.Lock()


def attempt_on_cluster(task: Task, machines: Sequence[Machine], failed_before: FailedBefore) -> list[Record]:
    """`_attempt` on a worker of a cluster. ValueError if its code is not that of the call, which records name."""
    planned = provenance.Code(machines[0].commit, machines[0].dirty, machines[0].distribution)
    here = provenance.code()
    if planned != here:
        call, worker = (
            f"{code.commit or code.distribution or 'no commit'}{', modified' * bool(code.dirty)}"
            for code in (planned, here)
        )
        raise ValueError(f"a worker on {socket.gethostname()} has other code ({worker}) than this call ({call})")
    return _attempt(task, machines, None, failed_before)


def _worker_lost_error(backend: str) -> type[Exception]:
    """The exception that a backend raises when it has lost a worker."""
    if backend == "dask":
        from distributed.scheduler import KilledWorker

        error: type[Exception] = KilledWorker
        return error
    return TerminatedWorkerError  # type: ignore[no-any-return]


@contextmanager
def _acquire_machine(machines: Sequence[Machine], slots: Path | None) -> Iterator[Machine]:
    """A machine whose device no other process of this call uses; there is one, as there are as many jobs as devices."""
    if slots is None or len(machines) == 1:
        yield _with_device(machines[0])
        return
    while True:
        for index, machine in enumerate(machines):
            with Claim(slots / str(index)) as acquired:
                if acquired:
                    yield machine
                    return
        time.sleep(POLL_SECONDS)


def _with_device(machine: Machine) -> Machine:
    """Fill in a device of the executing machine where the planning machine left it open."""
    return machine if machine.device else replace(machine, device=usable(None)[0])


def _failed_at(record: Record | None) -> str | None:
    """Start time of a failed run; None if it succeeded or there is no record."""
    return record["provenance"]["started"] if record and record["status"] == "failed" else None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
