"""Executes runs: builds the task, searches epoch by epoch with a checkpoint after each, writes the record."""

from __future__ import annotations

import faulthandler
import io
import signal as signals
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from harness.api import OneShot
from harness.benchmarks.nasbench201.simulation import Signal, signal, simulate
from harness.benchmarks.nasbench201.table import open_table
from harness.data import SearchData, load, search_data, search_split
from harness.data.folders import FolderShares, class_folders, folder_shares
from harness.evaluate import distributed
from harness.evaluate.retraining import SPACE, Retraining, outcome
from harness.evaluate.training import TrainedEpoch, Training, build_network, feed
from harness.experiment import checkpoint as checkpoints
from harness.experiment import registry
from harness.experiment.config import SCHEMA
from harness.experiment.memory import forget_peak, keep_freed
from harness.experiment.plan import Run
from harness.experiment.provenance import circumstances
from harness.experiment.registry import Entry
from harness.experiment.scalars import ignored, scalars
from harness.experiment.store import Arrays, Record, Store
from harness.files import WriteError
from harness.profiles import FolderProtocol
from harness.search.loop import Epoch, Search, build_supernet, stacked, stream

AnyRun = Run | Retraining


@dataclass(frozen=True)
class Machine:
    """Where and how runs are executed. Recorded with a run, but no part of its key."""

    results: Path
    data: Path
    table: Path | None
    """What black boxes search on; None: the bundled table."""
    device: str
    """Empty: the first that the executing machine has, to be found there."""
    threads: int
    commit: str | None
    dirty: bool | None
    parent: int | None = None
    """Process id of the runner; a worker ends with its runner. None: on another machine."""
    time_limit: float | None = None
    """Seconds that one run may take in this call."""
    workers: int = 0
    """Processes that decode images of class folders, per stream; 0: the run's own process."""


def execute(run: AnyRun, machine: Machine) -> Record:
    """Search or train, from the last checkpoint if there is one, and write the record.

    A run that raises is a failed record. Where time or memory was short, the checkpoint stays: the next attempt
    continues. What the method itself raised it would raise again, so that attempt begins anew. WriteError if the
    results cannot be written; then nothing is lost.
    """
    store = Store(machine.results)
    started = datetime.now(timezone.utc).isoformat(timespec="seconds")
    begin = time.perf_counter()
    arrays: Arrays | None = None
    short = False
    try:
        with deadline(machine.time_limit):
            if isinstance(run, Run) and run.black_box:
                result = _search_table(run, machine)
            else:
                result, arrays, machine = _epochs(run, machine, store)
    except WriteError:
        raise
    except (Exception, SystemExit) as error:  # a failed run is data; the other runs go on
        result, arrays = failure(_traceback(error)), None
        short = _is_short_of_resources(error)
    seconds = time.perf_counter() - begin if arrays is None else float(arrays["seconds"].sum())
    spent = None if result["status"] == "failed" else seconds
    record = as_record(run, machine, result, machine.threads, started, spent, store.warnings)
    store.write(record, arrays)
    if not short:
        store.discard_checkpoint(run.key)
    return record


def _is_short_of_resources(error: BaseException) -> bool:
    """Whether a run failed for want of time or memory."""
    full = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    return full or isinstance(error, TimeoutError)


def as_record(
    run: AnyRun,
    machine: Machine,
    result: dict[str, Any],
    threads: int,
    started: str,
    seconds: float | None,
    warnings: list[str],
) -> Record:
    """A run's config, its result and its provenance; `warnings` name files that were found damaged."""
    return {
        "schema": SCHEMA,
        "key": run.key,
        "config": run.config,
        **_about(run),
        **result,
        "provenance": {
            "commit": machine.commit,
            "dirty": machine.dirty,
            **circumstances("cpu" if run.black_box else machine.device),
            "threads": threads,
            "started": started,
            "seconds": seconds,
            "warnings": list(warnings),
        },
    }


def _about(run: AnyRun) -> dict[str, Any]:
    """What a report needs of a run besides its config."""
    if isinstance(run, Retraining):
        return {"cell_name": run.cell_name}
    return {"family": run.entry.family, "paper": run.entry.paper}


def failure(reason: str) -> dict[str, Any]:
    """The result part of a failed run's record."""
    return {"status": "failed", "failure": reason}


# Searches ------------------------------------------------------------------------------------------------------------


def _search_table(run: Run, machine: Machine) -> dict[str, Any]:
    """The result part of a black box's record: its cell, and the improvements on the way."""
    method = _method(run)
    rng = np.random.default_rng(stream(run.config["seed"], "method"))
    table = run.config["table"]
    answers = _signal(machine.table, table["sha256"]) if table else Signal(0, {})
    found = simulate(method.search(rng), answers, run.simulation.budget_seconds)
    to_string = run.space.to_string
    return {
        "status": "done",
        "failure": None,
        "cells": {"last": to_string(found.cell), "best_valid": None, "best_valid_epoch": None},
        "queries": found.queries,
        "search_seconds": found.seconds,
        "improvements": [
            [step.query, step.seconds, to_string(step.cell), step.accuracy] for step in found.improvements
        ],
    }


@lru_cache(maxsize=1)
def _signal(path: Path | None, sha256: str) -> Signal:
    table = open_table(path)
    if table.sha256 != sha256:
        raise ValueError("the table is not the one that the run was planned with")
    return signal(table)


def prepare(run: Run, machine: Machine) -> Search:
    """The search of a run at its beginning."""
    protocol, seed = run.protocol, run.config["seed"]
    torch.manual_seed(stream(seed, "method"))
    method: OneShot = _method(run)
    if run.optimizer:
        method.exchange_optimizers(_planned(run.optimizer, run.config["optimizer"]))
    data = _images(run, machine, method.bilevel)
    torch.manual_seed(stream(seed, "initial weights"))
    supernet = build_supernet(run.space, protocol, data.classes, method.supernet)
    return Search(method, supernet, data, protocol, seed, torch.device(machine.device))


def _method(run: Run) -> Any:
    """A new instance of the method of a run. ValueError if the source of an external class is not the planned one."""
    benchmark = run.config["benchmark"]
    if benchmark["origin"] == "external":
        _planned(registry.outside(str(run.space_word)), benchmark)
    return _planned(run.entry, run.config["method"])(run.space, **run.config["settings"])


def _planned(entry: Entry, config: Mapping[str, Any]) -> type[Any]:
    """The class of an entry. ValueError if its source is not the one that the run was planned with."""
    cls = registry.load(entry)
    if "sha256" in config and registry.source_digest(cls) != config["sha256"]:
        raise ValueError(f"{entry.target} has changed since the run was planned: run the same command again")
    return cls


def _images(run: Run, machine: Machine, bilevel: bool) -> SearchData | FolderShares:
    """ValueError if the images are not those that the run was planned with."""
    protocol, dataset = run.protocol, run.config["dataset"]
    if isinstance(protocol, FolderProtocol):
        shares = (protocol.weights_share, protocol.architecture_share)
        folders = class_folders(machine.data / dataset["name"])
        _check_images(dataset, folders.sha256)
        of_folders = folder_shares(folders, bilevel, *shares, protocol.image_size, machine.workers)
        _check_split(dataset, of_folders.sha256)
        return of_folders
    images = load(run.images or dataset["name"], machine.data)
    _check_images(dataset, images.sha256)
    split = search_split(images, bilevel)
    _check_split(dataset, split.sha256)
    return search_data(images, bilevel, split)


def _check_split(planned: Mapping[str, Any], sha256: str) -> None:
    if sha256 != planned["split"]["sha256"]:
        raise ValueError(f"the split of {planned['name']} is not the planned one, {planned['split']['name']}")


def _check_images(planned: Mapping[str, Any], sha256: str) -> None:
    if sha256 != planned["sha256"]:
        raise ValueError(f"the images of {planned['name']} are not those that the run was planned with")


def prepare_training(run: Retraining, machine: Machine) -> Training:
    """The training of a run at its beginning. ValueError if it was planned for more or fewer processes."""
    group = distributed.current()
    config = run.config
    if group.size != config["processes"]:
        raise ValueError(f"planned for {config['processes']} processes, but {group.size} would train it")
    device = torch.device(machine.device)
    source = feed(config["dataset"]["name"], machine.data, run.recipe, device, group, machine.workers)
    _check_images(config["dataset"], source.sha256)
    torch.manual_seed(stream(config["seed"], "initial weights"))
    network = build_network(SPACE.from_string(config["architecture"]), run.recipe, source.classes, source.stem)
    return Training(network, source, run.recipe, config["seed"], device, group, name=run.key)


def follow(runs: Sequence[Retraining], machine: Machine) -> None:
    """Take part in every training that the group's leader executes, until it has none left (`release`)."""
    torch.set_num_threads(machine.threads)
    keep_freed()
    known = {run.key: run for run in runs}
    while (called := distributed.current().from_leader(None)) is not None:
        name, state = called
        training = prepare_training(known[name], machine)
        training.load_state_dict(torch.load(io.BytesIO(state), weights_only=True, map_location="cpu"))
        for _ in training.epochs():
            pass


def release() -> None:
    """Let the processes that follow this one go."""
    distributed.current().from_leader(None)


def _epochs(run: AnyRun, machine: Machine, store: Store) -> tuple[dict[str, Any], Arrays, Machine]:
    """Returns the result part of the record, the arrays, and the machine with the number of threads that the run began
    with, and whether any of its epochs was done by modified code."""
    checkpoint = checkpoints.load(store, run.key)
    if checkpoint:
        dirty = machine.dirty or checkpoint.get("dirty")
        machine = replace(machine, threads=checkpoint["threads"], dirty=dirty)
    torch.set_num_threads(machine.threads)
    keep_freed()
    forget_peak(machine.device)
    work, logs = _continued(run, machine, store, checkpoint)
    written = scalars(machine.results / "tensorboard" / run.key, len(logs) + 1)
    with written if isinstance(run, Retraining) else ignored() as add:
        for epoch in work.epochs():
            logs.append(_log(run, epoch))
            checkpoints.save(store, run.key, run.epochs, machine.threads, work, logs, machine.dirty)
            add(len(logs), logs[-1])
    arrays = {name: np.concatenate([log[name] for log in logs]) for name in logs[0]}
    return {"status": "done", "failure": None, **_found(work, arrays)}, arrays, machine


def _log(run: AnyRun, epoch: Epoch | TrainedEpoch) -> Arrays:
    """The values of an epoch, each an array (1, ...)."""
    if isinstance(run, Retraining):
        return cast(TrainedEpoch, epoch).arrays()
    return stacked([cast(Epoch, epoch)], [_checked_cell(run, cast(Epoch, epoch))])


def _found(work: Search | Training, arrays: Arrays) -> dict[str, Any]:
    """What a record says of a finished run's result."""
    if isinstance(work, Search):
        return {"cells": _chosen_cells(arrays)}
    return {**outcome(arrays), **work.sizes()}


def _continued(
    run: AnyRun, machine: Machine, store: Store, checkpoint: dict[str, Any] | None
) -> tuple[Search | Training, list[Arrays]]:
    """The work and its logs as a checkpoint has them; at its beginning if there is none, or one that does not fit."""
    work = _begun(run, machine)
    if not checkpoint:
        return work, []
    try:
        work.load_state_dict(checkpoint["search"])
        logs = [checkpoints.as_arrays(log) for log in checkpoint["logs"]]
        if len(logs) != work.next_epoch:
            raise ValueError(f"{len(logs)} epochs logged, {work.next_epoch} done")
    except Exception as error:  # whatever torch makes of the state of another network
        store.set_aside(store.checkpoint_path(run.key), why=error)
        return _begun(run, machine), []
    return work, logs


def _begun(run: AnyRun, machine: Machine) -> Search | Training:
    return prepare_training(run, machine) if isinstance(run, Retraining) else prepare(run, machine)


def _checked_cell(run: Run, epoch: Epoch) -> str:
    """The cell of an epoch, as a string. ValueError or FloatingPointError for what no record may hold."""
    if not (np.isfinite(epoch.theta).all() and np.isfinite(epoch.edge_weights).all()):
        raise FloatingPointError(f"the method's distribution is not finite after epoch {epoch.epoch + 1}")
    text = run.space.to_string(epoch.cell)
    run.space.from_string(text)  # what a method derives itself may be no cell at all
    return text


def _chosen_cells(arrays: Arrays) -> dict[str, Any]:
    """The last epoch's cell, and that of the best supernet validation accuracy (the first on ties)."""
    accuracy, cells = arrays["valid_accuracy"], arrays["cells"]
    best = None if np.isnan(accuracy).all() else int(np.nanargmax(accuracy))
    return {
        "last": str(cells[-1]),
        "best_valid": None if best is None else str(cells[best]),
        "best_valid_epoch": None if best is None else best + 1,
    }


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
