"""Plan the searches that are missing, run them, evaluate their architectures, report.

python run_all.py --methods gaea,darts --seeds 4
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable

from harness import __version__, plugins
from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS, Benchmark
from harness.commands import compare, execution, finished, report, values
from harness.commands.console import Output
from harness.experiment import registry
from harness.experiment.config import benchmark_name, dataset_name
from harness.experiment.store import Record, Store
from harness.protocol import PRECISIONS, PROFILES
from harness.text import verbatim

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.experiment.jobs.base import Job, Machine
    from harness.experiment.jobs.search import SearchJob

NONE = "none"
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
    if (options.backend == "dask") != (options.scheduler is not None):
        raise ValueError("--backend dask and --scheduler ADDRESS go together")
    store = Store(options.results)
    if options.dry_run:
        return _dry_run(options, store, console)
    if options.compare:
        compare.check(store, options.compare)
    if options.report_only or options.compare:
        failed = report.score_stored(options, store, console)
        return max(_report(options, store, console), int(failed > 0))
    return _search_and_report(options, store, console)


def parser(program: str = "run_all.py") -> argparse.ArgumentParser:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    result = Parser(
        prog=program,
        description="Compare neural architecture search methods: run the searches that are missing, evaluate the "
        "discovered architectures, write tables and figures.",
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
        "--seeds", type=values.seeds, default="4", metavar="S", help="4 means 0..3; 0,3,7 and 2-5 work too (default: 4)"
    )
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
        "A,B: each of several values; repeatable",
    )
    retrained_on = dict.fromkeys(name for benchmark in BENCHMARKS.values() for name in benchmark.recipes())
    what.add_argument(
        "--retrain",
        choices=(*retrained_on, NONE),
        help="dataset for retraining architectures from scratch, where no table has their accuracies (default: "
        f"your own --dataset, else {next(iter(retrained_on))}, briefly)",
    )
    add_recipe(what)
    how = execution.add_options(result, cores)
    how.add_argument("--precision", choices=PRECISIONS, help="of the supernet (default: fp32)")
    how.add_argument(
        "--compile",
        choices=("auto", "on", "off"),
        default="auto",
        help="the supernet's training passes; auto: in full-size protocols, where a compiler is found (default: auto)",
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
        "--dry-run", action="store_true", help="print the plan with what is done, and an estimate of time and memory"
    )
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


def add_recipe(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--recipe",
        choices=("short", "full"),
        default="short",
        help="how architectures are retrained on your own images (default: short, some seconds each)",
    )


def _search_and_report(options: argparse.Namespace, store: Store, console: Console) -> int:
    from harness.experiment import retrainings

    searches = _plan(options, console)
    _try_query(searches, options)
    benchmark, retrained_on = registry.benchmark_of(options.space), _retrained_on(options)
    evaluator = benchmark.evaluator(options.table)
    if not retrained_on and evaluator is None:
        console.print(verbatim(NO_SCORES.format(options.space, benchmark.without_table or NO_TRAINING), "yellow"))
    store.prepare()
    machines = _machines(options)
    result = finished.looked_up(benchmark, evaluator, store)
    failed = _execute(searches, machines, options, store, console, result)
    failed += report.score(benchmark, evaluator, store, options.look_up == "found", console)
    for dataset in retrained_on:
        if registry.benchmark_of(options.space).sha256 != benchmark.sha256:
            raise ValueError(f"{options.space} has changed since the searches began: run the same command again")
        searched = [record for job in _of_images(searches, dataset) if (record := store.read(job.key))]
        trainings = retrainings.of_searches(options.space, searched, dataset, options.data, options.recipe == "full")
        console.print()
        console.print(verbatim(f"retraining the architectures on {dataset}"))
        failed += _execute(trainings, machines, options, store, console)
    return max(_report(options, store, console, searches), int(failed > 0))


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


def _retrained_on(options: argparse.Namespace) -> list[str]:
    """The datasets that architectures are retrained on: images of the user's own that are searched on, else one that
    the benchmark has a recipe for. ValueError if there is no recipe."""
    from harness.experiment.retrainings import recipe_for

    benchmark = registry.benchmark_of(options.space)
    own = [dataset for dataset in options.dataset or () if ":" in dataset]
    if options.retrain == NONE or not (benchmark.recipes() or own):
        return []
    datasets = [options.retrain] if options.retrain and benchmark.recipes() else own
    datasets = datasets or [next(iter(benchmark.recipes()))]
    for dataset in datasets:
        recipe_for(benchmark, dataset)
    return datasets


def _of_images(searches: Sequence[SearchJob], dataset: str) -> list[SearchJob]:
    """The searches whose architectures are retrained on a dataset: all, but for those on other images where it is the
    user's own."""
    return [job for job in searches if ":" not in dataset or getattr(job, "images", dataset) == dataset]


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


def _report(options: argparse.Namespace, store: Store, console: Console, searches: Sequence[SearchJob] = ()) -> int:
    """Write and print the report, and last what the searches of this call have shown."""
    from harness.report import learnt
    from harness.report.groups import Group

    written = report.report(store, options.figures, console)
    configs = [job.config for job in searches]
    groups = [Group(benchmark_name(each), each["profile"], dataset_name(each)) for each in configs]
    for line in learnt.sentences(written, groups):
        console.print()
        console.print(verbatim(line))
    if options.compare:
        compare.say(written, store, options.compare, options.table, console)
    return 0


def _plan(options: argparse.Namespace, console: Console) -> list[SearchJob]:
    from harness.experiment.overrides import grid
    from harness.experiment.plan import plan

    benchmark = registry.benchmark_of(options.space)
    selection = registry.select(options.methods, benchmark, options.table)
    for line in selection.skipped:
        console.print(verbatim(line))
    overrides = list(options.set)
    if options.precision:
        overrides.append(f"protocol.precision={options.precision}")
    if options.compile != "auto":
        overrides.append(f"protocol.compiled={'true' if options.compile == 'on' else 'false'}")

    def planned(more: Sequence[str]) -> list[SearchJob]:
        jobs: dict[str, SearchJob] = {}
        for combination in grid(overrides):
            found = plan(
                selection.entries,
                options.space,
                options.profile,
                options.dataset or [benchmark.default_datasets[options.profile]],
                options.seeds,
                [*combination, *more],
                options.data,
                options.table,
            )
            for job in found:  # a method that a grid does not concern is planned once
                jobs.setdefault(job.key, job)
        return sorted(jobs.values(), key=lambda job: int(job.config["seed"]))

    jobs = planned([])
    _say_what_is_queried(options, jobs, console)
    if not any(job.config["numerics"].get("compiled") for job in jobs) or options.backend != "loky":
        return jobs  # what the machines of a cluster can do is not known here
    reason = _cannot_compile(options)
    if reason and options.compile == "on":
        raise ValueError(f"--compile on: {reason}")
    if options.compile == "auto":
        reason = reason or _gains_nothing(options, benchmark)
    if reason is None:
        return jobs
    console.print(f"the searches are not compiled: {reason}", markup=False)
    return planned(["protocol.compiled=false"])


def _say_what_is_queried(options: argparse.Namespace, jobs: Sequence[SearchJob], console: Console) -> None:
    """That the table's dataset is not the one of --dataset, where it is not."""
    queried: dict[str, dict[str, None]] = {}
    for job in jobs:
        name = job.config["dataset"]["name"]
        if job.config["kind"] == "black-box" and options.dataset and name not in options.dataset:
            queried.setdefault(name, {})[job.name] = None
    for dataset, names in queried.items():
        line = f"{', '.join(names)}: on the table, which has {dataset}, whatever --dataset is"
        console.print(verbatim(line, "yellow"))


def _cannot_compile(options: argparse.Namespace) -> str | None:
    """Why searches cannot be compiled on this machine; None if they can be."""
    from harness.experiment.devices import cannot_compile, usable

    return next(filter(None, map(cannot_compile, usable(options.device))), None)


def _gains_nothing(options: argparse.Namespace, benchmark: Benchmark) -> str | None:
    from harness.experiment.devices import usable

    if benchmark.gains_on_cpu or any(name != "cpu" for name in usable(options.device)):
        return None
    return f"on a CPU this makes searches on {benchmark.name} no faster (--compile on does it all the same)"


def _machines(options: argparse.Namespace) -> list[Machine]:
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

    jobs = _plan(options, console)
    machines = _machines(options)
    table = RichTable("run", "profile", "status", "seconds (estimate)", "MB (estimate)")
    estimates: dict[str, Estimate] = {}
    total, largest = 0.0, 0.0
    for job, kind, profile in _with_trainings(jobs, options, store):
        record = store.read(job.key)
        status = record["status"] if record else "begun" if store.progress(job.key) else "to do"
        if status == "done":
            table.add_row(verbatim(job.label), profile, status, "0", "")
            continue
        if kind not in estimates:
            estimates[kind] = estimate(job, machines[0])
        left = 1 - store.progress(job.key).get("epoch", 0) / job.epochs
        seconds, megabytes = estimates[kind].seconds * left, estimates[kind].megabytes
        total, largest = total + seconds, max(largest, megabytes)
        table.add_row(verbatim(job.label), profile, status, f"{seconds:.0f}", f"{megabytes:.0f}")
    console.print(table)
    number = execution.at_a_time(options.jobs, machines)
    console.print(
        f"about {total / 3600:.2f} device-hours, {total / number:.0f} s with {number} at a time, up to {largest:.0f} "
        "MB each (from three measured steps; a process alone takes some of that)"
    )
    return 0


def _with_trainings(
    searches: Sequence[SearchJob], options: argparse.Namespace, store: Store
) -> Iterator[tuple[Job, str, str]]:
    """Every job, what its estimate is shared by, and its profile; where architectures are retrained also their
    trainings, of a random one as long as a search has none."""
    import numpy as np

    from harness.experiment import retrainings

    for search in searches:
        config = search.config
        yield search, f"{config['method']['name']}/{dataset_name(config)}", config["profile"]
    space = registry.benchmark_of(options.space).full_space
    stand_in = space.to_string(space.random(np.random.default_rng(0)))
    full = options.recipe == "full"
    for dataset in _retrained_on(options):
        for search in _of_images(searches, dataset):
            record = store.read(search.key)
            records = [record] if record else []
            known = retrainings.of_searches(options.space, records, dataset, options.data, full)
            cell, seeds = (f"cell of {search.name}", stand_in), [search.config["seed"]]
            planned = known or retrainings.plan(options.space, [cell], dataset, seeds, {}, options.data, full=full)
            for training in planned:
                yield training, f"training on {dataset}", "retraining"


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
