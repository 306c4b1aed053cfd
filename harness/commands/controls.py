"""The controls of a call of `run`: which ones are run, and with what budget.

A control that trains a supernet gets the number of epochs whose multiply-adds are those of the most expensive search of
the call. Both are counted before the searches, on the CPU and with the same seed in every call, so that a repeated call
plans the same.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness import plugins
from harness.benchmarks import Benchmark
from harness.commands import execution
from harness.experiment import registry
from harness.experiment.config import dataset_name, run_key
from harness.plugins import Entry

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.experiment.jobs.search import OneShotJob, SearchJob

ABSENT = "no control {0}: "
UNCOUNTED = "their multiply-adds are not counted"
Plan = tuple[list[str], list["SearchJob"]]
"""Overrides, and what is searched with them."""


# Which ---------------------------------------------------------------------------------------------------------------


def chosen(
    options: argparse.Namespace, entries: Mapping[str, Entry], benchmark: Benchmark, retrained: Sequence[str]
) -> tuple[dict[str, Entry], list[str]]:
    """The controls that are planned with searches by the methods `entries`, and a line for each that is not.

    retrained: the datasets that architectures are retrained on.
    """
    shares_weights = any(trains(entry) for name, entry in entries.items() if name not in registry.controls())
    asked = options.controls
    if asked is None:
        asked = registry.controls() if shares_weights else ()
    found, lines = {}, []
    for name in asked:
        entry = registry.built_in()[name]
        has_supernet = trains(entry)
        reason = registry.why_not(plugins.load(entry), benchmark, options.table)
        if reason is None and has_supernet and not shares_weights:
            reason = "none of them trains a supernet, whose budget it would have"
        elif reason is None and options.controls is None and _takes_long(options, benchmark, retrained, has_supernet):
            reason = _cost(len(options.seeds), has_supernet, bool(retrained))
        if reason:
            lines.append(ABSENT.format(name) + reason)
        else:
            found[name] = entry
    return found, lines


def trains(entry: Entry) -> bool:
    """Whether a method trains a supernet."""
    from harness.api import OneShot

    return issubclass(plugins.load(entry), OneShot)


def _takes_long(options: argparse.Namespace, benchmark: Benchmark, retrained: Sequence[str], trains: bool) -> bool:
    """Whether a control takes more than seconds for each seed."""
    at_length = [dataset for dataset in retrained if dataset not in benchmark.proxies and ":" not in dataset]
    return (trains and options.profile != "quick") or bool(at_length) or bool(retrained and options.recipe == "full")


def _cost(seeds: int, trains: bool, retrained: bool) -> str:
    """What a control that is left out would be, and how it is added."""
    plural = seeds > 1
    parts = [f"{seeds} more search{'es' * plural} with the multiply-adds of the most expensive of them"] * trains
    parts += [f"{seeds} more training{'s' * plural} of a cell"] * retrained
    names = ",".join(registry.controls())
    return f"it would be {' and '.join(parts)} (--controls {names} adds it, with --dry-run for an estimate of the time)"


# At what budget ------------------------------------------------------------------------------------------------------


def epochs_within(budget: float, of_an_epoch: float) -> int:
    """How many epochs come nearest to a budget, both in multiply-adds; one at least."""
    return max(1, round(budget / of_an_epoch))


@dataclass
class Budgets:
    """Counts multiply-adds of searches, once for all seeds, and plans controls with the epochs that they pay for."""

    options: argparse.Namespace
    known: dict[str, float] = field(default_factory=dict)
    lines: dict[str, None] = field(default_factory=dict)
    """What is to be said of the controls, each once."""

    def of(self, job: OneShotJob) -> float:
        """Multiply-adds of a whole search; 0 if its supernet does not count them, or its first steps fail, which the
        search itself will say."""
        from harness.experiment.estimates import multiply_adds

        config = {**job.config, "seed": 0, "numerics": {"precision": "fp32"}}  # which change no count
        key = run_key(config)
        if key not in self.known:
            machine = execution.machine_on("cpu", self.options, self.options.table)
            try:
                counted = multiply_adds(replace(job, config=config), machine)
            except Exception:  # whatever a user's own code raises
                counted = math.nan
            self.known[key] = 0.0 if math.isnan(counted) else counted
        return self.known[key]

    def completed(
        self,
        plans: Sequence[Plan],
        names: Collection[str],
        asked: Collection[str],
        plan: Callable[[list[str]], list[SearchJob]],
    ) -> list[SearchJob]:
        """The searches of the plans; a control that trains a supernet at the budget of the most expensive of the others
        on the same images.

        Args:
            plans: searches under one protocol.
            names: the methods that are planned as controls.
            asked: the methods that the user named.
            plan: what is searched with other overrides.
        """
        from harness.experiment.jobs.search import OneShotJob

        jobs = [job for _, found in plans for job in found]
        kept = [job for job in jobs if job.name in asked or not isinstance(job, OneShotJob)]
        if not any(trains(registry.built_in()[name]) for name in names):
            return kept
        dearest: dict[str, OneShotJob] = {}
        for job in kept:
            if isinstance(job, OneShotJob) and job.name not in registry.controls():
                dearest[job.images] = max(dearest.get(job.images, job), job, key=self.of)
        for overrides, found in plans:
            firsts = {(job.name, job.images): job for job in reversed(found) if isinstance(job, OneShotJob)}
            for (name, images), job in firsts.items():
                if name not in names:
                    continue
                again, given = found, {text.partition("=")[0].strip() for text in overrides}
                if f"{name}.protocol.epochs" not in given:
                    epochs = self._epochs(job, dearest[images])
                    again = plan([*overrides, f"{name}.protocol.epochs={epochs}"]) if epochs else []
                kept += [each for each in again if each.name == name and getattr(each, "images", "") == images]
        return kept

    def _epochs(self, control: OneShotJob, dearest: OneShotJob) -> int | None:
        budget, of_an_epoch = self.of(dearest), self.of(control) / control.epochs
        if not (of_an_epoch > 0 and budget > 0):
            self.lines[ABSENT.format(control.name) + UNCOUNTED] = None
            return None
        epochs = epochs_within(budget, of_an_epoch)
        where = dataset_name(control.config)
        trained = f"{epochs} epochs cost" if epochs > 1 else "1 epoch costs"
        self.lines[f"{control.name} on {where}: {trained} as many multiply-adds as {dearest.name}"] = None
        return epochs
