"""What a call of `run` asks for: its searches, and the trainings of their architectures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.console import Console

from harness.benchmarks import Benchmark
from harness.commands import controls, values
from harness.experiment import registry
from harness.experiment.config import RETRAINING
from harness.experiment.store import Store
from harness.plugins import Entry
from harness.text import verbatim

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.experiment.jobs.base import Job
    from harness.experiment.jobs.search import SearchJob


@dataclass
class _Call:
    """What the options of a call ask for."""

    options: argparse.Namespace
    benchmark: Benchmark
    entries: Mapping[str, Entry]
    """The methods that are asked for."""
    added: Mapping[str, Entry]
    """The controls beside them."""
    overrides: Sequence[str]
    budgets: controls.Budgets

    may_compile: bool = True
    """Searches that the user says nothing about."""

    def searches(self) -> list[SearchJob]:
        """By seed."""
        from harness.experiment.overrides import grid

        jobs: dict[str, SearchJob] = {}
        for combinations in _by_protocol(grid(self.overrides)):
            plans = [(combination, self._plan(combination)) for combination in combinations]
            for job in self.budgets.completed(plans, self.added, self.entries, self._plan):
                jobs.setdefault(job.key, job)  # a method that a grid does not concern is planned once
        return sorted(jobs.values(), key=lambda job: int(job.config["seed"]))

    def _plan(self, combination: list[str]) -> list[SearchJob]:
        from harness.experiment.plan import plan

        return plan(
            {**self.entries, **self.added},
            self.options.space,
            self.options.profile,
            self.options.dataset or [self.benchmark.default_datasets[self.options.profile]],
            self.options.seeds,
            combination,
            self.options.data,
            self.options.table,
            self.may_compile,
        )


def searches(options: argparse.Namespace, console: Console, with_controls: bool = False) -> list[SearchJob]:
    """Planned, by seed; says on the console what is left out, or not compiled, and why.

    with_controls: plan the controls that `options` ask for, too.
    """
    call = _asked_for(options, console, with_controls)
    jobs = call.searches()
    for line in call.budgets.lines:
        console.print(verbatim(line))
    _say_what_is_queried(options, jobs, console)
    _say_what_may_see_test_images(jobs, console)
    return _compiled_where_it_helps(call, jobs, console)


def _asked_for(options: argparse.Namespace, console: Console, with_controls: bool) -> _Call:
    """Says on the console which methods and controls are left out."""
    benchmark = registry.benchmark_of(options.space)
    selection = registry.select(options.methods, benchmark, options.table)
    for line in selection.skipped:
        console.print(verbatim(line))
    found: dict[str, Entry] = {}
    if with_controls:
        found, lines = controls.chosen(options, selection.entries, benchmark, retrained_on(options))
        for line in lines:
            console.print(verbatim(line))
    overrides = [*options.set, *_of_options(options, selection.entries)]
    return _Call(options, benchmark, selection.entries, found, overrides, controls.Budgets(options))


def _of_options(options: argparse.Namespace, entries: Mapping[str, Entry]) -> list[str]:
    """The overrides that options of their own stand for. ValueError if they concern no method."""
    overrides = {}
    if options.precision:
        overrides[f"--precision {options.precision}"] = f"protocol.precision={options.precision}"
    if options.compile != "auto":
        overrides[f"--compile {options.compile}"] = f"protocol.compiled={str(options.compile == 'on').lower()}"
    if overrides and not any(map(controls.trains, entries.values())):
        raise ValueError(f"{next(iter(overrides))}: none of the methods trains a supernet")
    return list(overrides.values())


def _compiled_where_it_helps(call: _Call, jobs: list[SearchJob], console: Console) -> list[SearchJob]:
    """The searches, planned again without compiled passes where these gain nothing, but for those that the user asks
    for. ValueError if they cannot be had. What is chosen for a machine is no override of the user."""
    if call.options.backend != "loky":
        return jobs  # what the machines of a cluster can do is not known here
    if not any(_is_compiled(job) or "compiled" in job.config["overrides"]["numerics"] for job in jobs):
        return jobs
    impossible = _cannot_compile(call.options)
    if impossible and call.options.compile == "on":
        raise ValueError(f"--compile on: {impossible}")
    reason = impossible or _gains_nothing(call.options, call.benchmark)
    if reason is None:
        return jobs
    on_request = replace(call, may_compile=False).searches()
    left = sum(map(_is_compiled, on_request))
    if impossible and left:
        raise ValueError(f"--set protocol.compiled=true: {impossible}")
    if left < sum(map(_is_compiled, jobs)):
        console.print(f"the searches are not compiled: {reason}", markup=False)
    return on_request


def _is_compiled(job: SearchJob) -> bool:
    return bool(job.config["numerics"].get("compiled"))


def _by_protocol(combinations: Sequence[list[str]]) -> list[list[list[str]]]:
    """The combinations of a grid that search under the same protocol, but for what is set for single methods."""
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for combination in combinations:
        alike.setdefault(tuple(text for text in combination if text.startswith("protocol.")), []).append(combination)
    return list(alike.values())


def _say_what_is_queried(options: argparse.Namespace, jobs: Sequence[SearchJob], console: Console) -> None:
    """Which black boxes are not searched on the images asked for, and what they are searched on instead."""
    asked = options.dataset or [registry.benchmark_of(options.space).default_datasets[options.profile]]
    others: dict[str, dict[str, None]] = {}
    for job in jobs:
        name = job.config["dataset"]["name"]
        if job.config.get("table") is not None and name not in asked and job.config["dataset"]["origin"] != "external":
            others.setdefault(name, {})[job.name] = None
    for dataset, names in others.items():
        what = f"queries of the table, which has {dataset}, not {', '.join(asked)}"
        console.print(verbatim(f"{', '.join(names)}: {what}", "yellow"))


def _say_what_may_see_test_images(jobs: Sequence[SearchJob], console: Console) -> None:
    """Which searches hold out images without the benchmark's index lists, and where to get these."""
    found: dict[str, dict[str, None]] = {}
    for job in jobs:
        dataset = job.config["dataset"]
        if (dataset.get("split") or {}).get("may_have_seen_test"):
            found.setdefault(dataset["name"], {})[job.name] = None
    for name, methods in found.items():
        what = f"without the benchmark's index lists of {name} they may see test images, and their rows get no verdict"
        console.print(verbatim(f"{', '.join(methods)}: {what} (docs/data.md says where to get the lists)", "yellow"))


def _cannot_compile(options: argparse.Namespace) -> str | None:
    """Why searches cannot be compiled on this machine; None if they can be."""
    from harness.experiment.devices import cannot_compile, usable

    return next(filter(None, map(cannot_compile, usable(options.device))), None)


def _gains_nothing(options: argparse.Namespace, benchmark: Benchmark) -> str | None:
    from harness.experiment.devices import usable

    if benchmark.gains_on_cpu or any(name != "cpu" for name in usable(options.device)):
        return None
    return f"on a CPU this makes searches on {benchmark.name} no faster (--compile on compiles them anyway)"


def retrained_on(options: argparse.Namespace) -> list[str]:
    """The datasets that architectures are retrained on: images of the user's own that are searched on, else one that
    the benchmark has a recipe for. ValueError if there is no recipe."""
    from harness.experiment.retrainings import recipe_for

    benchmark = registry.benchmark_of(options.space)
    has_own = benchmark.own_recipe(False) is not None
    own = [dataset for dataset in options.dataset or () if ":" in dataset and has_own]
    if options.retrain == values.NONE or not (benchmark.recipes() or own):
        return []
    datasets = [options.retrain] if options.retrain and benchmark.recipes() else own
    datasets = datasets or [next(iter(benchmark.recipes()))]
    for dataset in datasets:
        recipe_for(benchmark, dataset)
    return datasets


def of_images(searches: Sequence[SearchJob], dataset: str) -> list[SearchJob]:
    """The searches whose architectures are retrained on a dataset: all, but for those on other images where it is the
    user's own."""
    return [job for job in searches if ":" not in dataset or getattr(job, "images", dataset) == dataset]


def with_trainings(
    searches: Sequence[SearchJob], options: argparse.Namespace, store: Store
) -> Iterator[tuple[Job, str]]:
    """Every job and its profile; where architectures are retrained also their
    trainings, of a random one as long as a search has none."""
    import numpy as np

    from harness.experiment import retrainings

    for search in searches:
        yield search, search.config["profile"]
    space = registry.benchmark_of(options.space).full_space
    stand_in = space.to_string(space.random(np.random.default_rng(0)))
    full = options.recipe == "full"
    for dataset in retrained_on(options):
        for search in of_images(searches, dataset):
            record = store.read(search.key)
            records = [record] if record else []
            known = retrainings.of_searches(options.space, records, dataset, options.data, full)
            cell, seeds = (f"cell of {search.name}", stand_in), [search.config["seed"]]
            planned = known or retrainings.plan(options.space, [cell], dataset, seeds, {}, options.data, full=full)
            for training in planned:
                yield training, RETRAINING
