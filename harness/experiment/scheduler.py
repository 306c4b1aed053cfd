"""Executes a plan's missing runs, beside other processes on the same results folder, and loses none of them."""

from __future__ import annotations

import os
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

from harness.experiment.claims import Claim, Watch, owner_is_gone, read
from harness.experiment.devices import usable
from harness.experiment.runner import AnyRun, Machine, as_record, execute, failure
from harness.experiment.store import Record, Store

BLACK_BOXES_PER_TASK = 25
"""Searches on the table take milliseconds: so many go to a process at a time."""
POLL_SECONDS = 0.5
LOSSES = 2
"""A run whose process was killed so often, without an epoch done in between, has failed."""
EARLY_LOSSES = 3
"""Processes that are killed so often in a row before they begin a run: something is wrong with the machine."""

Task = list[AnyRun]
FailedBefore = dict[str, str | None]
"""Key of a run -> when it failed before this call."""


class Scheduler:
    """Executes runs, `jobs` at a time, each in a process of its own.

    A run that another process has claimed is left to it and waited for; claims of dead processes are taken over.
    """

    def __init__(self, runs: Sequence[AnyRun], machines: Sequence[Machine], jobs: int, backend: str = "loky") -> None:
        """`machines` differ in their devices: with several, a run goes to one that is free, so `jobs` is their number.

        `backend`: "loky" (processes of this machine) or "dask" (the cluster of the current client).
        """
        self.machines = machines
        self.jobs = jobs
        self.backend = backend
        self.store = Store(machines[0].results)
        self.left = {run.key: run for run in runs}
        self.failed_before = {run.key: _failed_at(self.store.read(run.key)) for run in runs}
        self.losses: Counter[str] = Counter()
        self.epochs_at_loss: dict[str, int] = {}
        self.early_losses = 0
        self._loss = _loss_of(backend)
        self._has_workers = False

    def records(self) -> Generator[Record, None, None]:
        """The record of every run, as they are finished; closing it ends the workers.

        OSError if the results cannot be written or workers cannot be started.
        """
        watch = Watch()
        for run in self.left.values():  # of processes that were killed before this call: nobody is to blame
            watch.release_if_stale(self.store.claim_path(run.key))
        try:
            while self.left:
                for record in self._round(watch):
                    del self.left[record["key"]]
                    yield record
        finally:
            self._end_workers()

    def _round(self, watch: Watch) -> Iterator[Record]:
        """Try every free run once."""
        free = []
        for run in list(self.left.values()):
            path = self.store.claim_path(run.key)
            if watch.takes_over(path) and (record := self._blamed(run)):
                yield record
            elif not path.exists():
                free.append(run)
        if not free:  # other processes are doing all that is left
            time.sleep(POLL_SECONDS)
        yield from self._tried(free)

    def _tried(self, free: Sequence[AnyRun]) -> Iterator[Record]:
        """One that lost its process before runs alone, so that it is known who is to blame."""
        rounds = [_tasks([run for run in free if not self.losses[run.key]])]
        rounds += [[[run]] for run in free if self.losses[run.key]]
        for tasks in rounds:
            try:
                yield from self._executed(tasks)
            except self._loss as error:
                yield from self._lost(error)

    def _executed(self, tasks: list[Task]) -> Iterator[Record]:
        if self.backend == "loky" and self._in_this_process(tasks):
            for task in tasks:
                for run in task:
                    yield from _attempt([run], self.machines, None, self.failed_before)
            return
        known = [{run.key: self.failed_before[run.key] for run in task} for task in tasks]
        for records in self._on_cluster(tasks, known) if self.backend == "dask" else self._in_workers(tasks, known):
            self.early_losses = 0
            yield from records

    def _in_workers(self, tasks: list[Task], known: list[FailedBefore]) -> Iterator[list[Record]]:
        threads = self.machines[0].threads
        self._has_workers = True
        with (
            TemporaryDirectory(prefix="devices-") as slots,
            joblib.parallel_config(backend="loky", inner_max_num_threads=threads),
        ):
            jobs = min(self.jobs, len(tasks))
            parallel = joblib.Parallel(
                n_jobs=max(2, jobs),  # joblib takes 1 to mean this very process
                return_as="generator_unordered",
                pre_dispatch=jobs,
            )
            yield from parallel(
                joblib.delayed(_attempt)(task, self.machines, Path(slots), failed)
                for task, failed in zip(tasks, known, strict=True)
            )

    def _end_workers(self) -> None:
        """Stop the worker processes. The next scheduler of this process starts new ones: a worker keeps the environment
        and the modules of its start, so that it would run a method file as it was before an edit."""
        if self._has_workers:
            get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
            self._has_workers = False

    def _on_cluster(self, tasks: list[Task], known: list[FailedBefore]) -> Iterator[list[Record]]:
        """On the workers of the current Dask client; not through joblib, which takes a cluster with one thread left to
        mean this very process."""
        from distributed import as_completed, default_client

        client, attempt = default_client(), partial(_attempt, machines=self.machines, slots=None)
        futures = [
            client.submit(attempt, task, failed_before=failed, pure=False)
            for task, failed in zip(tasks, known, strict=True)
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            client.cancel(futures)  # of those not begun; one that has begun goes on to its record

    def _in_this_process(self, tasks: list[Task]) -> bool:
        """Whether starting workers would gain nothing. Under a time limit it does: a worker can be killed."""
        alone = len(tasks) == 1 and not self.losses[tasks[0][0].key]
        return (self.jobs == 1 or alone) and self.machines[0].time_limit is None

    def _lost(self, error: Exception) -> Iterator[Record]:
        """After a worker was killed: blame the runs whose process is gone. OSError if this goes on without one."""
        gone = [run for run in self.left.values() if owner_is_gone(read(self.store.claim_path(run.key)))]
        self.early_losses = 0 if gone else self.early_losses + 1
        if self.early_losses >= EARLY_LOSSES:
            raise OSError(
                f"worker processes were killed {EARLY_LOSSES} times in a row before they began a run; out of memory?"
            ) from error
        for run in gone:
            self.store.claim_path(run.key).unlink(missing_ok=True)
            if record := self._blamed(run):
                yield record

    def _blamed(self, run: AnyRun) -> Record | None:
        """Note that a run's process was killed; its record, that of a failed run, if that makes it `LOSSES` in a row.

        Its checkpoint stays: it was not the method that raised.
        """
        epoch = self.store.progress(run.key).get("epoch", 0)
        self.losses[run.key] = 1 if epoch > self.epochs_at_loss.get(run.key, 0) else self.losses[run.key] + 1
        self.epochs_at_loss[run.key] = epoch
        if self.losses[run.key] < LOSSES:
            return None
        machine = self.machines[0]
        late = f", or past the time limit of {machine.time_limit:g} s" if machine.time_limit else ""
        reason = f"its process was killed {LOSSES} times in a row; out of memory{late}?"
        record = as_record(run, machine, failure(reason), machine.threads, _now(), None, [])
        self.store.write(record)
        return record


def _tasks(runs: Sequence[AnyRun]) -> list[Task]:
    black_boxes = [run for run in runs if run.black_box]
    starts = range(0, len(black_boxes), BLACK_BOXES_PER_TASK)
    return [
        *(black_boxes[start : start + BLACK_BOXES_PER_TASK] for start in starts),
        *([run] for run in runs if not run.black_box),
    ]


def _attempt(task: Task, machines: Sequence[Machine], slots: Path | None, failed_before: FailedBefore) -> list[Record]:
    """Execute the runs of a task that nobody else has claimed or finished; returns the records that are there then.

    One task at a time in a process, whose threads share torch's global random generator.
    """
    found = []
    _end_with_runner(machines[0].parent)
    with _ONE_TASK, _free_machine(machines, slots) as machine:
        store = Store(machine.results)
        for run in task:
            with Claim(store.claim_path(run.key)) as mine:
                if not mine:
                    continue
                record = store.read(run.key)
                if record is None or _failed_at(record) == failed_before[run.key] is not None:
                    record = execute(run, machine)
                else:  # another process finished it meanwhile
                    store.discard_checkpoint(run.key)
                found.append(record)
    return found


_ONE_TASK = threading.Lock()
_WATCHING = threading.Lock()


def _end_with_runner(parent: int | None) -> None:
    """Have this worker end soon after the process that started it, even in the middle of an epoch.

    Every file is written atomically: whenever it ends, the state of the last epoch is there.
    """
    if parent in (None, os.getpid()) or not _WATCHING.acquire(blocking=False):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _loss_of(backend: str) -> type[Exception]:
    """What a backend raises when it lost a worker."""
    if backend == "dask":
        from distributed.scheduler import KilledWorker

        lost: type[Exception] = KilledWorker
        return lost
    return TerminatedWorkerError  # type: ignore[no-any-return]


@contextmanager
def _free_machine(machines: Sequence[Machine], slots: Path | None) -> Iterator[Machine]:
    """One whose device no other process of this call uses; with as many jobs as devices there always is one."""
    if slots is None or len(machines) == 1:
        yield _with_device(machines[0])
        return
    while True:
        for place, machine in enumerate(machines):
            with Claim(slots / str(place)) as mine:
                if mine:
                    yield machine
                    return
        time.sleep(POLL_SECONDS)


def _with_device(machine: Machine) -> Machine:
    """With a device of the machine that this is, where the one that planned the runs left it open."""
    return machine if machine.device else replace(machine, device=usable(None)[0])


def _failed_at(record: Record | None) -> str | None:
    """When a failed run began; None for one that is done or not there."""
    return record["provenance"]["started"] if record and record["status"] == "failed" else None


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
