"""Plan the searches that are missing, run them, evaluate their architectures, report.

python run_all.py --methods gaea,darts --seeds 4
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable

from harness import __version__, plugins
from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS
from harness.commands import compare, execution, finished, planning, report, values
from harness.commands.console import Output
from harness.experiment import registry, scalars
from harness.experiment.config import Config, benchmark_name, dataset_name, row_of
from harness.experiment.store import Record, Store
from harness.protocol import PRECISIONS, PROFILES
from harness.text import verbatim

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.experiment.jobs.base import Job, Machine
    from harness.experiment.jobs.search import SearchJob
    from harness.report import Report

NO_SCORES = (
    "The architectures of {0} get no accuracies: {1}. The report will have entropies, costs and the architectures, and"
    " no leaderboard."
)
NO_TRAINING = "nothing evaluates them without training, and --retrain is none"


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    console = Output(soft_wrap=False)
    if options.list:
        console.print(method_list())
        return 0
    check_execution(options)
    report.check_options(options)
    store = Store(options.results)
    if options.dry_run:
        return _dry_run(options, store, console)
    if options.compare:
        compare.check(store, options.compare)
    if options.report_only or options.compare:
        records = store.records()
        failed = report.score_stored(options, store, records, console)
        _report(options, store, console, records=records)
        return int(failed > 0)
    return _search_and_report(options, store, console)


def parser(program: str = "run_all.py") -> argparse.ArgumentParser:
    result = Parser(
        prog=program,
        description="Compare neural architecture search methods: run the searches that are missing, evaluate the "
        "final architectures, write tables and figures.",
        epilog="Repeating a command with the same --results runs only what is missing.",
    )
    result.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    what = result.add_argument_group("what to run")
    what.add_argument(
        "--methods",
        default=",".join(registry.default_methods()),
        metavar="A,B",
        help="names, families, file.py:Class or package.module:Class (default: %(default)s; see --list)",
    )
    what.add_argument(
        "--seeds",
        type=values.seeds,
        default="4",
        metavar="S",
        help="4 means seeds 0 to 3; 0,3,7 and 2-5 work too (default: 4)",
    )
    what.add_argument(
        "--controls",
        type=values.controls,
        metavar="A,B",
        help=f"controls to run with the searches: {', '.join(registry.controls())}, or {values.NONE} (default: with "
        "weight-sharing searches, the controls that finish in seconds)",
    )
    add_searches(what)
    add_retraining(what)
    add_execution(result)
    where = result.add_argument_group("benchmark and files")
    report.add_options(where)
    execution.add_data(where)
    other = result.add_argument_group("instead of running")
    other.add_argument("--list", action="store_true", help="list the methods and families")
    other.add_argument(
        "--compare",
        metavar="A,B",
        help="report stored runs, and compare the first method with each of the others",
    )
    other.add_argument("--report-only", action="store_true", help="report stored runs")
    return result


def add_retraining(what: argparse._ActionsContainer) -> None:
    """On what and how found architectures are retrained."""
    recipes = dict.fromkeys(name for benchmark in BENCHMARKS.values() for name in benchmark.recipes())
    what.add_argument(
        "--retrain",
        choices=(*recipes, values.NONE),
        help="dataset for retraining architectures from scratch, where no table has their accuracies (default: "
        f"your own --dataset, else {next(iter(recipes))}, briefly)",
    )
    add_recipe(what)


def add_searches(what: argparse._ActionsContainer, grids: bool = True) -> None:
    """What is searched on, and under which protocol."""
    first = next(iter(BENCHMARKS.values()))
    by_profile = ", ".join(f"{dataset} for {profile}" for profile, dataset in first.default_datasets.items())
    datasets = dict.fromkeys(name for benchmark in BENCHMARKS.values() for name in benchmark.datasets)
    what.add_argument(
        "--dataset",
        type=values.names,
        metavar="NAME[,NAME]",
        help=f"to search on: {', '.join(datasets)}, or your own as file.py:function (default: {by_profile})",
    )
    what.add_argument(
        "--profile",
        choices=PROFILES,
        default="quick",
        help="quick: small, a proxy; controlled: all methods under one full-size protocol; paper: each "
        "under its published protocol (default: quick)",
    )
    what.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SCOPE.NAME=VALUE",
        help="override protocol.NAME, METHOD.NAME, METHOD.protocol.NAME, or METHOD.optimizer by FILE.py:Class; "
        f"{'several values with commas are a grid; ' if grids else ''}repeatable",
    )


def add_execution(parser: argparse.ArgumentParser) -> None:
    """How searches are run."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    how = execution.add_options(parser, cores)
    how.add_argument("--precision", choices=PRECISIONS, help="of the supernet (default: fp32)")
    how.add_argument(
        "--compile",
        choices=("auto", "on", "off"),
        default="auto",
        help="compile training passes; auto: in full-size protocols, where that is faster and a compiler is found "
        "(default: auto)",
    )
    how.add_argument(
        "--jobs-per-device",
        type=values.positive,
        default=1,
        metavar="N",
        help="runs at a time on each GPU (default: 1)",
    )
    how.add_argument(
        "--backend", choices=("loky", "dask"), default="loky", help="local processes, or a Dask cluster (default: loky)"
    )
    how.add_argument("--scheduler", metavar="ADDRESS", help="address of the Dask scheduler, e.g. tcp://host:8786")
    how.add_argument(
        "--tensorboard",
        action="store_true",
        help="also write the epochs of weight-sharing searches to RESULTS/tensorboard; those of retrainings always are",
    )
    how.add_argument(
        "--dry-run", action="store_true", help="print the plan with what is done, and an estimate of time and memory"
    )


def check_execution(options: argparse.Namespace) -> None:
    """ValueError if the options of `add_execution` do not go together, or lack a package."""
    if (options.backend == "dask") != (options.scheduler is not None):
        raise ValueError("--backend dask and --scheduler ADDRESS go together")
    if options.tensorboard and not scalars.installed():
        raise ValueError("--tensorboard needs the packages of the extra: pip install -e '.[tensorboard]'")


def add_recipe(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--recipe",
        choices=("short", "full"),
        default="short",
        help="how architectures are retrained on your own images (default: short, some seconds each)",
    )


def _search_and_report(options: argparse.Namespace, store: Store, console: Console) -> int:
    from harness.experiment import retrainings

    searches = planning.searches(options, console, with_controls=True)
    _try_query(searches, options)
    benchmark, retrained = registry.benchmark_of(options.space), planning.retrained_on(options)
    evaluator = benchmark.evaluator(options.table)
    if not retrained and evaluator is None:
        console.print(verbatim(NO_SCORES.format(options.space, benchmark.without_table or NO_TRAINING), "yellow"))
    store.prepare()
    machines = machines_of(options)
    result = finished.looked_up(benchmark, evaluator, store)
    failed = _execute(searches, machines, options, store, console, result)
    own = [job.key for job in searches]
    failed += report.score(benchmark, evaluator, store, options.look_up == "found", console, own)
    for dataset in retrained:
        if registry.benchmark_of(options.space).sha256 != benchmark.sha256:
            raise ValueError(f"{options.space} has changed since the searches began: run the same command again")
        searched = [record for job in planning.of_images(searches, dataset) if (record := store.read(job.key))]
        trainings = retrainings.of_searches(options.space, searched, dataset, options.data, options.recipe == "full")
        console.print()
        console.print(verbatim(f"retraining the architectures on {dataset}"))
        failed += _execute(trainings, machines, options, store, console)
    _report(options, store, console, searches)
    return int(failed > 0)


def _try_query(searches: Sequence[SearchJob], options: argparse.Namespace) -> None:
    """ValueError, in one line, if the table or the user's function that searches query does not answer."""
    import numpy as np

    benchmark = registry.benchmark_of(options.space)
    if any(job.config.get("table") for job in searches) and (oracle := benchmark.oracle(options.table)):
        try:
            oracle.query(benchmark.full_space.random(rng := np.random.default_rng(0)), rng)
        except ValueError:
            raise
        except Exception as error:  # whatever the user's code raises
            raise ValueError(f"a query of {options.space} raised {type(error).__name__}: {error}") from error


def _execute(
    jobs: Sequence[Job],
    machines: list[Machine],
    options: argparse.Namespace,
    store: Store,
    console: Console,
    result: Callable[[Record], str] | None = None,
) -> int:
    number = execution.at_a_time(options.jobs, machines)
    return execution.execute(jobs, machines, number, store, console, options.scheduler, result=result)


def _report(
    options: argparse.Namespace,
    store: Store,
    console: Console,
    searches: Sequence[SearchJob] = (),
    records: Sequence[Record] | None = None,
) -> None:
    """Write and print the report, and last what the searches of this call have shown."""
    written = report.report(store, options, console, records)
    if searches:
        _say_what_was_learnt(written, [job.config for job in searches], console)
    if options.compare:
        compare.say(written, store, options.compare, console)


def _say_what_was_learnt(written: Report, configs: Sequence[Config], console: Console) -> None:
    from harness.report import learnt
    from harness.report.groups import Group

    groups = [Group(benchmark_name(each), each["profile"], dataset_name(each)) for each in configs]
    for line in learnt.sentences(written, groups):
        console.print()
        console.print(verbatim(line))


def machines_of(options: argparse.Namespace) -> list[Machine]:
    """One for each run that may be under way at a time on its device; a single one where all share the CPU."""
    from harness.experiment.devices import usable

    if options.backend == "dask" and not options.dry_run:  # a cluster's machines need not be like this one
        if len(options.device or []) > 1:
            raise ValueError("--backend dask takes one --device: every worker does one run at a time on its own")
        return [execution.machine_on((options.device or [""])[0], options, options.table, local=False)]
    names = usable(options.device)
    local = options.backend == "loky"
    return [
        execution.machine_on(name, options, options.table, local)
        for name in names * (1 if names == ["cpu"] else options.jobs_per_device)
    ]


# Estimates -----------------------------------------------------------------------------------------------------------


def _dry_run(options: argparse.Namespace, store: Store, console: Console) -> int:
    """Print the plan, what is done, and an estimate of the time left."""
    from harness.experiment.estimates import Estimate, estimate

    jobs = planning.searches(options, console, with_controls=True)
    machines = machines_of(options)
    table = RichTable("run", "profile", "status", "seconds (estimate)", "MB (estimate)")
    estimates: dict[str, Estimate] = {}
    total, largest = 0.0, 0.0
    planned = list(planning.with_trainings(jobs, options, store))
    shown, shared = finished.shown([job for job, _ in planned])  # which tell the values of a grid apart
    for (job, profile), run in zip(planned, shown, strict=True):
        record = store.read(job.key)
        status = record["status"] if record else "begun" if store.progress(job.key) else "to do"
        if status == "done":
            table.add_row(verbatim(run.label), profile, status, "0", "")
            continue
        row = row_of(job.config)
        if row not in estimates:
            estimates[row] = estimate(job, machines[0])
        left = 1 - store.progress(job.key).get("epoch", 0) / job.epochs
        seconds, megabytes = estimates[row].seconds * left, estimates[row].megabytes
        total, largest = total + seconds, max(largest, megabytes)
        table.add_row(verbatim(run.label), profile, status, f"{seconds:.0f}", f"{megabytes:.0f}")
    console.print(table)
    if shared:
        console.print(verbatim(f"all with {shared}"))
    number = execution.at_a_time(options.jobs, machines)
    console.print(
        f"about {total / 3600:.2f} device-hours, {total / number:.0f} s with {number} at a time, up to {largest:.0f} "
        "MB each (from a few measured steps; a process alone takes some of that)"
    )
    return 0


# Methods -------------------------------------------------------------------------------------------------------------


def method_list() -> RichTable:
    """Every method, in leaderboard order, and those of installed packages."""
    columns = Column("method", no_wrap=True), "kind", Column("spaces", no_wrap=True), Column("paper", overflow="fold")
    table = RichTable(*columns, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for name, entry in {**registry.discovered(), **registry.built_in()}.items():
        cls = plugins.load(entry)
        spaces = [space for space, benchmark in BENCHMARKS.items() if registry.why_not(cls, benchmark) is None]
        paper = verbatim(str(getattr(cls, "paper", "")))
        table.add_row(verbatim(name), registry.kind(cls), "\n".join(spaces), paper)
    table.caption = verbatim("families: " + "; ".join(_family(name) for name in registry.families()))
    return table


def _family(name: str) -> str:
    """Its methods; on a benchmark where it has other ones, these too."""
    first, *others = [(space, registry.members(name, benchmark)) for space, benchmark in BENCHMARKS.items()]
    differing = [f" (on {space}: {', '.join(members)})" for space, members in others if members != first[1]]
    return f"{name} = {', '.join(first[1])}" + "".join(differing)
