"""Plan the searches that are missing, run them, look the found cells up, report.

python run_all.py --methods gaea,darts --seeds 4
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text

from harness.arguments import SPACE_NAMES, parser
from harness.experiment.config import dataset_name
from harness.experiment.registry import Selection, discovered, members, select
from harness.experiment.store import Store
from harness.profiles import DEFAULT_DATASET
from methods import FAMILIES, METHODS

if TYPE_CHECKING:  # these need torch, which --help and --list do without
    from harness.benchmarks.nasbench201.table import Table
    from harness.experiment.plan import Run
    from harness.experiment.runner import AnyRun, Machine

ROOT = Path(__file__).resolve().parent
NO_ACCURACIES = (
    "The architectures of {} get no accuracies: no tabular benchmark covers them, and only those of the DARTS space are"
    " retrained. The report will have entropies, costs and the architectures, and an empty leaderboard."
)
PUBLISHED = ROOT / "results" / "published.csv"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all well, 1 a run failed, 2 bad input or results that cannot be written, 128 + n signal n."""
    options = parser().parse_args(arguments)
    console = Console(soft_wrap=False)
    try:
        with _signals_heeded():
            return _main(options, console)
    except (ValueError, OSError, LookupError) as error:
        print(f"run_all: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        number = stop.args[0] if stop.args else signal.SIGINT
        print(f"\nStopped by {number.name}. The same command continues from the last checkpoints.", file=sys.stderr)
        return 128 + number


@contextmanager
def _signals_heeded() -> Iterator[None]:
    """Within, a signal that asks this process to end raises KeyboardInterrupt with its number; more of them do not
    disturb the clean-up. A signal that is ignored (SIGHUP under nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:  # noqa: ARG001 - the form of a signal handler
        for name in before:
            signal.signal(name, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number))

    names = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    heeded = (signal.SIG_DFL, signal.default_int_handler)
    before = {name: now for name in names if (now := signal.getsignal(name)) in heeded}
    try:
        for name in before:
            signal.signal(name, stop)
        yield
    finally:
        for name, now in before.items():
            signal.signal(name, now)


def _main(options: argparse.Namespace, console: Console) -> int:
    if options.list:
        console.print(method_list())
        return 0
    if (options.backend == "dask") != (options.scheduler is not None):
        raise ValueError("--backend dask and --scheduler ADDRESS go together")
    store = Store(options.results)
    if not (options.report_only or options.compare or options.dry_run):
        return _search_and_report(options, store, console)
    if options.dry_run:
        return _dry_run(options, store, console)
    if options.table:
        table = _open_table(options)
        store.prepare()
        _look_up(options, store, table)
    return _report(options, store, console)


def _search_and_report(options: argparse.Namespace, store: Store, console: Console) -> int:
    selection = _select(options, console)
    table = _open_table(options)
    runs = _plan(options, selection, table)
    if options.space not in SPACE_NAMES:
        console.print(NO_ACCURACIES.format(options.space), markup=False, style="yellow")
    store.prepare()
    machines = _machines(options)
    failed = _execute(runs, machines, options, store, console)
    _look_up(options, store, table)
    if options.space == "darts" and options.retrain != "none":  # not covered by a tabular benchmark
        from harness.evaluate.retraining import retrainings

        searched = [record for run in runs if (record := store.read(run.key))]
        trainings = retrainings(searched, options.data, options.retrain)
        console.print(f"\ntraining the found cells on {options.retrain}")
        failed += _execute(trainings, machines, options, store, console)
    return max(_report(options, store, console), int(failed > 0))


def _execute(
    runs: Sequence[AnyRun], machines: list[Machine], options: argparse.Namespace, store: Store, console: Console
) -> int:
    """Do the runs that are missing; returns how many failed."""
    from harness.experiment import claims
    from harness.experiment.progress import Display
    from harness.experiment.scheduler import Scheduler

    claims.remove_abandoned(store.folder / "claims")
    missing = [run for run in runs if (record := store.read(run.key)) is None or record["status"] != "done"]
    for key in store.checkpoints() & ({run.key for run in runs} - {run.key for run in missing}):
        store.discard_checkpoint(key)  # killed between a run's record and its end
    _print_warnings(store, console)
    console.print(f"{len(runs)} runs asked, {len(runs) - len(missing)} done, {len(missing)} to do")
    if not missing:
        return 0
    labels = {run.key: run.label for run in missing}
    shown = [(run.key, run.label, run.epochs) for run in missing]
    failed = 0
    try:
        with (
            _cluster(options, machines) as jobs,
            Display(console, store, shown) as display,
            closing(Scheduler(missing, machines, jobs, options.backend).records()) as records,
        ):
            for record in records:
                display.done(record, labels[record["key"]])
                failed += record["status"] == "failed"
                store.warnings += record["provenance"].get("warnings", [])
    finally:
        store.remove_abandoned()
        claims.remove_abandoned(store.folder / "claims")
    _print_warnings(store, console)
    return failed


def _dry_run(options: argparse.Namespace, store: Store, console: Console) -> int:
    """Print the plan, what is done, and an estimate of the time left."""
    from harness.experiment.estimates import Estimate, estimate

    runs = _plan(options, _select(options, console), _open_table(options))
    machines = _machines(options)
    table = RichTable("run", "profile", "status", "seconds (estimate)", "MB (estimate)")
    estimates: dict[str, Estimate] = {}
    total, largest = 0.0, 0.0
    for run, kind, profile in _with_trainings(runs, options, store):
        record = store.read(run.key)
        status = record["status"] if record else "begun" if store.progress(run.key) else "to do"
        if status == "done":
            table.add_row(Text(run.label), profile, status, "0", "")
            continue
        if kind not in estimates:
            estimates[kind] = estimate(run, machines[0])
        left = 1 - store.progress(run.key).get("epoch", 0) / run.epochs
        seconds, megabytes = estimates[kind].seconds * left, estimates[kind].megabytes
        total, largest = total + seconds, max(largest, megabytes)
        table.add_row(Text(run.label), profile, status, f"{seconds:.0f}", f"{megabytes:.0f}")
    console.print(table)
    jobs = _at_a_time(options, machines)
    console.print(
        f"about {total / 3600:.2f} device-hours, {total / jobs:.0f} s with {jobs} at a time, up to {largest:.0f} MB "
        "each (from three measured steps; a process alone takes some of that)"
    )
    return 0


def _with_trainings(
    runs: Sequence[Run], options: argparse.Namespace, store: Store
) -> Iterator[tuple[AnyRun, str, str]]:
    """Every run with what its estimate is shared by and its profile; on the DARTS space also the training of its cell,
    for which a published cell stands in as long as none is found."""
    for run in runs:
        config = run.config
        yield run, f"{config['method']['name']}/{dataset_name(config)}", config["profile"]
    if options.space != "darts" or options.retrain == "none":
        return
    from harness.benchmarks import DARTS
    from harness.benchmarks.darts.genotypes import published_cell
    from harness.evaluate.retraining import plan, retrainings

    records = {run.key: store.read(run.key) for run in runs}
    stand_in = DARTS().to_string(published_cell("DARTS_V2").arch)
    for run in runs:
        record = records[run.key]
        found = retrainings([record] if record else [], options.data, options.retrain)
        cell = (f"cell of {run.config['method']['name']}", stand_in)
        trainings = found or plan([cell], options.retrain, [run.config["seed"]], {}, options.data)
        for training in trainings:
            yield training, f"training on {options.retrain}", "retraining"


def _select(options: argparse.Namespace, console: Console) -> Selection:
    selection = select(options.methods, options.space, METHODS, FAMILIES)
    for line in selection.skipped:
        console.print(line, markup=False)
    return selection


def _plan(options: argparse.Namespace, selection: Selection, table: Table) -> list[Run]:
    from harness.experiment.plan import plan

    overrides = list(options.set)
    if options.precision:
        overrides.append(f"protocol.precision={options.precision}")
    return plan(
        selection.entries,
        options.space,
        options.profile,
        options.dataset or [DEFAULT_DATASET[options.profile]],
        options.seeds,
        overrides,
        options.data,
        table,
    )


def _open_table(options: argparse.Namespace) -> Table:
    from harness.benchmarks.nasbench201.table import open_table

    return open_table(options.table)


def _look_up(options: argparse.Namespace, store: Store, table: Table) -> None:
    from harness.experiment.lookup import look_up

    look_up(store, table, options.look_up == "found")


def _machines(options: argparse.Namespace) -> list[Machine]:
    """One for each run that may be under way at a time on its device; a single one where all share the CPU."""
    from harness.experiment.devices import usable
    from harness.experiment.provenance import version_control
    from harness.experiment.runner import Machine

    commit, dirty = version_control()
    common = {
        "results": options.results.absolute(),
        "data": options.data.absolute(),
        "table": options.table.absolute() if options.table else None,
        "threads": options.threads,
        "commit": commit,
        "dirty": dirty,
        "parent": os.getpid() if options.backend == "loky" else None,
        "time_limit": options.time_limit,
        "workers": options.workers,
    }
    if options.backend == "dask" and not options.dry_run:  # a cluster's machines need not be like this one
        if len(options.device or []) > 1:
            raise ValueError("--backend dask takes one --device: every worker does one run at a time on its own")
        return [Machine(device=(options.device or [""])[0], **common)]
    names = usable(options.device)
    return [Machine(device=name, **common) for name in names * (1 if names == ["cpu"] else options.jobs_per_device)]


def _at_a_time(options: argparse.Namespace, machines: Sequence[Machine]) -> int:
    """Runs at a time on this machine: on GPUs as many as `_machines` says, whatever --jobs is."""
    return options.jobs if [machine.device for machine in machines] == ["cpu"] else len(machines)


@contextmanager
def _cluster(options: argparse.Namespace, machines: Sequence[Machine]) -> Iterator[int]:
    """How many runs at a time; with Dask, while its scheduler is connected."""
    if options.backend == "loky":
        yield _at_a_time(options, machines)
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError("--backend dask needs the packages of the extra: pip install '.[dask]'") from error
    with Client(options.scheduler, timeout="20s") as client:
        threads = client.nthreads().values()
        if max(threads, default=1) > 1:
            raise ValueError("Dask workers need one thread each (--nthreads 1): a process does one run at a time")
        yield max(1, len(threads))


def _report(options: argparse.Namespace, store: Store, console: Console) -> int:
    from harness import report

    if not store.folder.is_dir():
        raise ValueError(f"no results folder {store.folder}")
    found = report.write(store, list(METHODS), PUBLISHED, options.figures)
    found.show(console)
    if options.compare:
        from harness.report import comparison

        for line in comparison.compare(found, comparison.names(options.compare), _open_table(options)).lines:
            console.print(line, markup=False, highlight=False)
    return 0


def _print_warnings(store: Store, console: Console) -> None:
    for line in store.warnings:
        console.print(line, markup=False, style="yellow")
    store.warnings.clear()


def method_list() -> RichTable:
    """Every method of the table, in leaderboard order, and those of installed packages."""
    columns = Column("method", no_wrap=True), "kind", Column("spaces", no_wrap=True), Column("paper", overflow="fold")
    table = RichTable(*columns, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for name, entry in {**discovered(), **METHODS}.items():
        table.add_row(name, entry.kind, "\n".join(space for space in entry.spaces if space in SPACE_NAMES), entry.paper)
    on = {name: [members(family, space) for space in SPACE_NAMES] for name, family in FAMILIES.items()}
    families = [
        f"{name} = {', '.join(here)}" + (f" (on darts: {', '.join(there)})" if there != here else "")
        for name, (here, there) in on.items()
    ]
    table.caption = "families: " + "; ".join(families)
    return table


if __name__ == "__main__":
    sys.exit(main())
