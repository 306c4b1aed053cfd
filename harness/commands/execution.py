"""Jobs on this machine or a cluster, as several commands execute them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness.commands import finished, values
from harness.experiment.store import Record, Store
from harness.text import verbatim

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.experiment.jobs.base import Job, Machine


def add_options(parser: argparse.ArgumentParser, jobs: int) -> argparse._ArgumentGroup:
    """Those of devices and processes; `jobs` is the default number at a time on the CPU."""
    how = parser.add_argument_group("how to run")
    how.add_argument(
        "--device",
        type=values.devices,
        metavar="A[,B]",
        help="cpu, cuda, or several: cuda:0,cuda:1 (default: all GPUs, else cpu)",
    )
    how.add_argument(
        "--jobs",
        type=values.positive,
        default=jobs,
        metavar="N",
        help="runs at a time on the CPU (default: %(default)s)",
    )
    how.add_argument("--threads", type=values.positive, default=1, metavar="N", help="threads per run (default: 1)")
    how.add_argument(
        "--workers",
        type=values.count,
        default=0,
        metavar="N",
        help="processes that decode images of class folders (ImageNet), for each data stream of a run (default: none)",
    )
    how.add_argument(
        "--time-limit",
        type=values.seconds,
        metavar="S",
        help="end a run after this many seconds; repeating the command continues it",
    )
    return how


def add_results(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--results", type=values.folder, default=Path("results"), metavar="DIR", help="default: results"
    )


def add_data(parser: argparse._ActionsContainer, more: str = "") -> None:
    parser.add_argument(
        "--data",
        type=values.absolute_folder,  # datasets are cached by their folder, in this process and in workers
        default=os.environ.get("NAS_DATA") or "data",
        metavar="DIR",
        help=f"folder of the image datasets (default: $NAS_DATA, else data){more}",
    )


def machine_on(device: str, options: argparse.Namespace, table: Path | None = None, local: bool = True) -> Machine:
    """local: whether the runs are executed by processes of this machine."""
    from harness.experiment.jobs.base import Machine
    from harness.experiment.provenance import code

    commit, dirty, distribution = code()
    return Machine(
        results=options.results.absolute(),
        data=options.data,
        table=table.absolute() if table else None,
        device=device,
        threads=options.threads,
        commit=commit,
        dirty=dirty,
        distribution=distribution,
        parent=os.getpid() if local else None,
        time_limit=options.time_limit,
        workers=options.workers,
        tensorboard=getattr(options, "tensorboard", False),
    )


def at_a_time(jobs: int, machines: Sequence[Machine]) -> int:
    """Runs at a time on this machine: on GPUs as many as there are `machines`, whatever `jobs` is."""
    return jobs if [machine.device for machine in machines] == ["cpu"] else len(machines)


@contextmanager
def cluster(scheduler: str | None, jobs: int) -> Iterator[int]:
    """How many runs at a time: `jobs`, or as many as a Dask cluster has workers, while its scheduler is connected."""
    if scheduler is None:
        yield jobs
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError("--backend dask needs the packages of the extra: pip install -e '.[dask]'") from error
    with Client(scheduler, timeout="20s") as client:
        threads = client.nthreads().values()
        if max(threads, default=1) > 1:
            raise ValueError("Dask workers need one thread each (--nthreads 1): a process does one run at a time")
        yield max(1, len(threads))


def execute(
    jobs: Sequence[Job],
    machines: Sequence[Machine],
    number: int,
    store: Store,
    console: Console,
    scheduler: str | None = None,
    stops_at_failure: bool = False,
    result: Callable[[Record], str] | None = None,
) -> int:
    """Do the jobs that are missing, `number` at a time; returns how many failed.

    Args:
        scheduler: of a Dask cluster; None: processes of this machine.
        result: a few words about the result of a run; None: `finished.result`.
    """
    from harness.experiment import claims
    from harness.experiment.progress import Display
    from harness.experiment.scheduler import Scheduler

    claims.remove_abandoned(store.folder / "claims")
    missing = _missing(jobs, store)
    print_warnings(store, console)
    runs = f"{len(jobs)} run{'s' * (len(jobs) != 1)}"
    console.print(f"{runs}: {len(jobs) - len(missing)} done, {len(missing)} to do")
    if not missing:
        return 0
    shown, shared = finished.shown(missing)
    if shared:
        console.print(verbatim(f"all with {shared}"))
    result = result or partial(finished.result, store)
    failed = 0
    try:
        with (
            cluster(scheduler, number) as workers,
            Display(console, store, shown, result) as display,
            closing(Scheduler(missing, machines, workers, "dask" if scheduler else "loky").records()) as records,
        ):
            for record in records:
                display.done(record)
                failed += record["status"] == "failed"
                store.warnings += record["provenance"].get("warnings", [])
                if failed and stops_at_failure:
                    break
    finally:
        store.remove_abandoned()
        claims.remove_abandoned(store.folder / "claims")
    print_warnings(store, console)
    return failed


def _missing(jobs: Sequence[Job], store: Store) -> list[Job]:
    """Those without a record of success. One that failed before comes last, so that it does not keep the others from
    being done."""
    before = {job.key: store.read(job.key) for job in jobs}
    missing = [job for job in jobs if before[job.key] is None]
    missing += [job for job in jobs if (record := before[job.key]) and record["status"] != "done"]
    for key in store.checkpoints() & (before.keys() - {job.key for job in missing}):
        store.discard_checkpoint(key)  # killed between a run's record and its end
    return missing


def print_warnings(store: Store, console: Console) -> None:
    for line in store.warnings:
        console.print(verbatim(line, "yellow"))
    store.warnings.clear()
