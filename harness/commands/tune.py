"""Tune the settings of methods by random search, each method at the same budget, and compare what they reach.

A trial is a search. The first has a method's default settings, later ones draw those that it declares. Every trial
counts against the budget, in multiply-adds through the supernet. What a trial costs is counted when it is done; a
further one is begun as long as the budget has room for one as costly as the method's first. The best trial is chosen by
a validation accuracy, the same for all methods, never by a test accuracy.
"""

from __future__ import annotations

import argparse
import math
from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from harness import plugins
from harness.arguments import Parser
from harness.commands import execution, planning, report, values
from harness.commands import run as command
from harness.commands.console import Output
from harness.experiment import registry
from harness.experiment.store import Store
from harness.text import verbatim

if TYPE_CHECKING:  # these need torch, which --help does without
    from collections.abc import Mapping

    from harness.api import OneShot, Uniform
    from harness.benchmarks.base import Evaluator
    from harness.experiment.jobs.base import Machine
    from harness.experiment.jobs.search import OneShotJob

SUPERNET, TABLE = "supernet", "table"
BUDGET = 1e11
VALIDATION = "valid_accuracy"
"""The metric of the scores by which trials may be chosen."""


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    command.check_execution(options)
    report.check_options(options)
    console, store = Output(soft_wrap=False), Store(options.results)
    benchmark = registry.benchmark_of(options.space)
    evaluator = benchmark.evaluator(options.table)
    criterion = _criterion(options, evaluator) if options.select == TABLE else None
    tunings = _planned(options, console)
    machines = command.machines_of(options)
    if options.dry_run:
        return _dry_run(tunings, options.budget, machines[0], store, console)
    store.prepare()
    failed = _run(tunings, criterion, machines, options, store, console)
    keys = [job.key for tuning in tunings for job in tuning.trials]
    failed += report.score(benchmark, evaluator, store, options.look_up == "found", console, keys)
    failed += _retrain(_file_name(tunings, criterion, options), machines, options, store, console)
    report.report(store, options, console)
    return int(failed > 0)


def parser(program: str = "python -m harness tune") -> argparse.ArgumentParser:
    result = Parser(
        prog=program,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Repeating a command with the same --results runs only what is missing; a larger budget adds trials.",
    )
    what = result.add_argument_group("what to tune")
    what.add_argument("methods", metavar="A,B", help="names, families, file.py:Class or package.module:Class")
    what.add_argument(
        "--budget",
        type=values.amount,
        default=BUDGET,
        metavar="N",
        help="multiply-adds of each tuning run of each method, e.g. 2e12 (default: %(default)g, about seven bilevel "
        "searches of the quick profile)",
    )
    what.add_argument(
        "--seeds",
        type=values.seeds,
        default="4",
        metavar="S",
        help="tuning runs of each method; forms as of run (default: 4)",
    )
    what.add_argument(
        "--select",
        choices=(SUPERNET, TABLE),
        default=SUPERNET,
        help="what chooses a trial: the supernet's validation accuracy, or the validation accuracy that the table has "
        "of the found cell (default: %(default)s)",
    )
    command.add_searches(what, grids=False)
    command.add_retraining(what)
    command.add_execution(result)
    where = result.add_argument_group("benchmark and files")
    report.add_options(where)
    execution.add_data(where)
    return result


# The plan ------------------------------------------------------------------------------------------------------------


@dataclass
class _Tuning:
    """One tuning of one method."""

    default: OneShotJob
    """The first trial."""
    tunable: Mapping[str, Uniform]
    seed: int
    trials: list[OneShotJob] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    """Multiply-adds of the trials that are done."""

    def trial(self, number: int) -> OneShotJob:
        from harness.experiment.tuning import trial_of

        return trial_of(self.default, self.tunable, self.seed, number)

    def next_trials(self, budget: float) -> list[OneShotJob]:
        from harness.experiment.tuning import more_trials

        count = len(self.trials)
        return [self.trial(number) for number in range(count, count + more_trials(self.costs, budget))]


def _planned(options: argparse.Namespace, console: Console) -> list[_Tuning]:
    """A tuning of every method with every seed, none of them begun. ValueError, in one line, for what cannot be tuned
    as asked."""
    from harness.experiment.jobs.search import OneShotJob
    from harness.experiment.tuning import STRIDE

    if max(options.seeds) >= STRIDE:
        raise ValueError(f"--seeds of tunings are below {STRIDE}, got {max(options.seeds)}")
    if grids := [text for text in options.set if "," in text.partition("=")[2]]:
        raise ValueError(f"--set {grids[0]}: one value for all trials; what a method declares is drawn")
    if len(options.dataset or ()) > 1:
        raise ValueError("--dataset: one at a time is tuned on")
    tunings = []
    for job in planning.searches(options, console):
        if not isinstance(job, OneShotJob):
            raise ValueError(f"{job.name} trains no supernet, so that multiply-adds are no budget of it")
        cls = plugins.load(job.entry)
        if options.select == SUPERNET and not cls.bilevel:
            raise ValueError(
                f"{job.name} holds no images out, so that its supernet has no validation accuracy: --select {TABLE}"
            )
        tunings.append(_Tuning(job, _tunable(cls, job), job.config["seed"]))
    _check_draws(tunings, options)
    return tunings


def _tunable(cls: type[OneShot], job: OneShotJob) -> Mapping[str, Uniform]:
    """What a method declares. ValueError if it is not as the contract has it."""
    from harness.api import Uniform

    if not isinstance(cls.tunable, abc.Mapping):
        raise ValueError(f"{cls.__name__}.tunable must map settings to ranges")
    for name, each in cls.tunable.items():
        if not isinstance(each, Uniform):
            raise ValueError(f"{cls.__name__}.tunable[{name!r}] must be a Uniform or LogUniform of harness.api")
        if type(job.config["settings"].get(name)) not in (int, float):
            raise ValueError(f"{cls.__name__}.tunable names {name!r}, which is no number among its settings")
    return cls.tunable


def _check_draws(tunings: Sequence[_Tuning], options: argparse.Namespace) -> None:
    """Plan the second trial of every method as any search: ValueError if a drawn setting has no effect, as with an
    optimizer in the place of the method's own."""
    drawn = {tuning.default.name: tuning.trial(1).config["settings"] for tuning in tunings}
    more = [f"{t.default.name}.{name}={drawn[t.default.name][name]!r}" for t in tunings for name in t.tunable]
    quiet = Console(quiet=True)
    planning.searches(argparse.Namespace(**{**vars(options), "set": [*options.set, *dict.fromkeys(more)]}), quiet)


def _criterion(options: argparse.Namespace, evaluator: Evaluator | None) -> tuple[str, str]:
    """Dataset and split of the validation accuracy by which trials are chosen: of the dataset searched on, or else of
    the benchmark's first. ValueError if the table has none."""
    import numpy as np

    benchmark = registry.benchmark_of(options.space)
    found = set()
    if evaluator is not None and benchmark.sha256 is None:
        space = benchmark.full_space
        scores, _ = evaluator.scores([space.to_string(space.random(np.random.default_rng(0)))])
        rows = scores[scores["metric"] == VALIDATION]
        found = set(rows[["dataset", "split"]].itertuples(index=False, name=None))
    if not found:
        raise ValueError(f"--select {TABLE}: {benchmark.without_table or 'no table has validation accuracies'}")
    asked = (options.dataset or [benchmark.default_datasets[options.profile]])[0]
    order = [asked, *benchmark.dataset_order]
    return min(found, key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))


# Trials --------------------------------------------------------------------------------------------------------------


def _run(
    tunings: Sequence[_Tuning],
    criterion: tuple[str, str] | None,
    machines: Sequence[Machine],
    options: argparse.Namespace,
    store: Store,
    console: Console,
) -> int:
    """Run trials until no tuning has room for another one; returns how many failed."""
    failed, number = 0, execution.at_a_time(options.jobs, machines)
    while batches := [(tuning, jobs) for tuning in tunings if (jobs := tuning.next_trials(options.budget))]:
        jobs = [job for _, batch in batches for job in batch]
        for tuning, batch in batches:
            tuning.trials += batch
        _write(tunings, criterion, options, store)  # first: if the call is stopped, they are known as trials
        failed += execution.execute(jobs, machines, number, store, console, options.scheduler)
        for tuning, batch in batches:
            _count(tuning, batch, store)
    for tuning in tunings:
        if options.budget < tuning.costs[0] < math.inf:  # a failed search is said where it fails
            line = f"one search with {tuning.default.name} costs {tuning.costs[0]:.3g}, more than the budget"
            console.print(verbatim(line, "yellow"))
    return failed


def _count(tuning: _Tuning, batch: Sequence[OneShotJob], store: Store) -> None:
    """Add what trials cost. A failed one counts as much as the first; if that has failed, there are no others."""
    from harness.experiment.tuning import cost

    for job in batch:
        record = store.read(job.key)
        done = record is not None and record["status"] == "done"
        tuning.costs.append(cost(store, job.key) if done else tuning.costs[0] if tuning.costs else math.inf)
    if not tuning.costs[0] > 0:
        raise ValueError(f"the multiply-adds of {tuning.default.name} are not known: its supernet does not count them")


def _write(
    tunings: Sequence[_Tuning], criterion: tuple[str, str] | None, options: argparse.Namespace, store: Store
) -> None:
    """The trials so far, also those that are about to run, as a file beside the records."""
    from harness.experiment import tuning as files

    methods: dict[str, files.Tuned] = {}
    for tuning in tunings:
        of_method = files.Tuned(files.ranges(tuning.tunable), {})
        tuned = methods.setdefault(files.name_of(tuning.default), of_method)
        tuned.trials[tuning.seed] = [job.key for job in tuning.trials]
    name = _file_name(tunings, criterion, options)
    files.add(store, name, files.Tuning(options.budget, criterion, methods))


def _file_name(tunings: Sequence[_Tuning], criterion: tuple[str, str] | None, options: argparse.Namespace) -> str:
    """Tunings on the same images, with the same budget, criterion and protocol stand together."""
    from harness.experiment.tuning import identity

    protocol = [text for text in options.set if text.startswith("protocol.")]
    return identity(tunings[0].default, protocol, options.budget, criterion)


def _retrain(
    name: str, machines: Sequence[Machine], options: argparse.Namespace, store: Store, console: Console
) -> int:
    """Retrain the cells of the chosen and of the first trials, where cells get their test accuracies by that; returns
    how many trainings failed."""
    from harness.experiment import retrainings
    from harness.report.tuning import chosen_trials

    failed, number = 0, execution.at_a_time(options.jobs, machines)
    for dataset in planning.retrained_on(options):
        found = chosen_trials(store, name)
        trainings = retrainings.of_searches(options.space, found, dataset, options.data, options.recipe == "full")
        console.print(verbatim(f"\nretraining the cells of the chosen and of the default trials on {dataset}"))
        failed += execution.execute(trainings, machines, number, store, console, options.scheduler)
    return failed


def _dry_run(tunings: Sequence[_Tuning], budget: float, machine: Machine, store: Store, console: Console) -> int:
    """Print the trials that the budget has room for, and whether they are done."""
    from harness.experiment.estimates import multiply_adds
    from harness.experiment.tuning import more_trials

    table = Table("method", "tuning", "trial", "settings", "status", "multiply-adds", box=SIMPLE_HEAD, show_edge=False)
    estimates: dict[str, float] = {}
    total = 0
    for tuning in tunings:
        name = tuning.default.name
        if name not in estimates:
            estimates[name] = multiply_adds(tuning.default, machine)
        count = 1 + more_trials([estimates[name]], budget) if estimates[name] <= budget else 1
        total += count
        for number in range(count):
            job = tuning.trial(number)
            record = store.read(job.key)
            settings = ", ".join(f"{each}={job.config['settings'][each]:g}" for each in tuning.tunable)
            status = record["status"] if record else "to do"
            words = [name, str(tuning.seed), str(number + 1), settings, status, f"{estimates[name]:.2e}"]
            table.add_row(*map(verbatim, words))
    console.print(table)
    console.print(
        f"about {total} trials at a budget of {budget:g} multiply-adds for each tuning (their cost from a dry run; "
        "it is counted when they run)"
    )
    return 0
