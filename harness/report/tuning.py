"""What tunings have reached: trials with their cost and their validation, and which of them are chosen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from harness.experiment import tuning as files
from harness.experiment.config import Label, benchmark_name, dataset_name, label, shown
from harness.experiment.store import Record, Store
from harness.report.curves import Floats, columns, last_validation
from harness.report.groups import Group, in_order

TEST_ERROR = "test error of the retrained cell"


@dataclass(frozen=True)
class Trial:
    """One search of a tuning."""

    key: str
    settings: str
    """Those that were drawn, as on the command line; "default" for the first trial."""
    cost: float
    """Multiply-adds. A failed trial counts as much as the first."""
    spent: float
    """The same of this trial and all before it."""
    validation: float
    """By which trials are chosen, %; NaN if it failed."""
    cell: str
    """Empty if it failed."""
    scores: Mapping[tuple[str, str], float]
    """Accuracy (%) of its cell by dataset and split; or its test error after training from scratch."""


@dataclass(frozen=True)
class Tuned:
    """The tunings of one method."""

    method: Label
    name: str
    """Of the method alone."""
    family: str
    ranges: Mapping[str, files.Range]
    tunings: Mapping[int, tuple[Trial, ...]]
    """The trials that the budget pays for, in their order, by the seed of the tuning. Empty ones are left out."""
    finished: bool
    """Whether the budget has no room for a further trial in any of them."""

    @property
    def drawn(self) -> str:
        """What was drawn, in words."""
        return _in_words(self.ranges)

    @property
    def chosen(self) -> dict[int, Trial]:
        """Of every tuning the trial with the highest validation accuracy, the first of equal ones."""
        return {seed: trials[running_best(trials)[-1]] for seed, trials in self.tunings.items()}

    @property
    def defaults(self) -> dict[int, Trial]:
        return {seed: trials[0] for seed, trials in self.tunings.items()}


def _in_words(ranges: Mapping[str, files.Range]) -> str:
    if not ranges:
        return "defaults only, with other seeds"
    scales = {True: "log-uniform", False: "uniform"}
    return "; ".join(
        f"{name} {scales[each.logarithmic]} in {each.low:g} to {each.high:g}" for name, each in ranges.items()
    )


@dataclass(frozen=True)
class Tuning:
    """Methods that were tuned at the same budget."""

    group: Group
    budget: float
    """Multiply-adds."""
    criterion: tuple[str, str] | None
    methods: tuple[Tuned, ...]
    columns: tuple[tuple[str, str], ...]
    """(dataset, split) of the accuracies of cells."""
    unaffordable: tuple[str, ...]
    """Methods of which a single search costs more than the budget, or failed."""
    not_compared: tuple[str, ...]
    """A line for all trials of a method that were drawn otherwise than those it is compared by."""

    @property
    def selection(self) -> str:
        """By what trials are chosen, in words."""
        if self.criterion is None:
            return "the supernet's validation accuracy after the last epoch"
        return "the looked-up accuracy of the cell on {}, {}".format(*self.criterion)


def running_best(trials: Sequence[Trial]) -> list[int]:
    """After every trial, the position of the best one so far: the highest validation accuracy, the first of equals."""
    best: list[int] = []
    for place, trial in enumerate(trials):
        leader = trials[best[-1]].validation if best else math.nan
        better = trial.validation > leader or (math.isnan(leader) and not math.isnan(trial.validation))
        best.append(place if better or not best else best[-1])
    return best


def gather(
    store: Store, records: Iterable[Record], accuracies: pd.DataFrame, trained: pd.DataFrame, order: Sequence[str]
) -> tuple[Tuning, ...]:
    """The tunings of a results folder.

    Args:
        records: of searches.
        accuracies: columns `accuracies.COLUMNS`.
        trained: errors of retrained cells (`retrained.finals`), those of trials among them.
        order: names of methods in leaderboard order.
    """
    by_key = {record["key"]: record for record in records if record["config"]["kind"] == "one-shot"}
    read = _Read(store, by_key, accuracies, trained)
    return tuple(found for _, stored in files.tunings(store) if (found := read.tuning(stored, order)))


def chosen_trials(store: Store, name: str) -> list[Record]:
    """The records of the chosen and of the first trials of one file of tunings, each once."""
    from harness.report.accuracies import one_table_per_number

    stored = dict(files.tunings(store))[name]
    keys = [key for tuned in stored.methods.values() for trials in tuned.trials.values() for key in trials]
    records = {key: record for key in keys if (record := store.read(key))}
    looked_up = one_table_per_number(list(store.scores()))
    found = _Read(store, records, looked_up, pd.DataFrame()).tuning(stored, [])
    trials = [
        trial
        for tuned in (found.methods if found else ())
        for trial in (*tuned.chosen.values(), *tuned.defaults.values())
    ]
    return [records[key] for key in dict.fromkeys(trial.key for trial in trials)]


def _not_compared(group: Group, method: str, tuned: files.Tuned) -> Iterator[str]:
    for other in tuned.others:
        count = sum(map(len, other.trials.values()))
        why = "they are other searches" if other.ranges == tuned.ranges else f"they drew {_in_words(other.ranges)}"
        yield f"Tuning of {method} ({group.title}): {count} stored trials are not compared, as {why}."


@dataclass(frozen=True)
class _Read:
    """What tunings are read from."""

    store: Store
    records: Mapping[str, Record]
    accuracies: pd.DataFrame
    trained: pd.DataFrame

    def tuning(self, stored: files.Tuning, order: Sequence[str]) -> Tuning | None:
        """None if no search of it is left."""
        first = {name: self._first(tuned) for name, tuned in stored.methods.items()}
        known = {name: record for name, record in first.items() if record}
        if not known:
            return None
        config = next(iter(known.values()))["config"]
        group = Group(benchmark_name(config), config["profile"], dataset_name(config))
        accuracies = self.accuracies[self.accuracies["space"] == group.space]
        names = in_order((record["config"]["method"]["name"] for record in known.values()), order)
        labels = sorted(known, key=lambda name: (names.index(known[name]["config"]["method"]["name"]), name))
        methods = [self._tuned(stored, name, known[name], accuracies) for name in labels]
        return Tuning(
            group,
            stored.budget,
            stored.criterion,
            tuple(tuned for tuned in methods if tuned.tunings),
            tuple(columns(accuracies)) if len(accuracies) else (),
            tuple(str(tuned.method) for tuned in methods if not tuned.tunings),
            tuple(line for name in labels for line in _not_compared(group, name, stored.methods[name])),
        )

    def _first(self, tuned: files.Tuned) -> Record | None:
        keys = [keys[0] for keys in tuned.trials.values() if keys]
        return next((self.records[key] for key in keys if key in self.records), None)

    def _tuned(self, stored: files.Tuning, name: str, first: Record, accuracies: pd.DataFrame) -> Tuned:
        tuned = stored.methods[name]
        rows: Iterator[Any] = accuracies.itertuples()
        scores = {(str(row.cell), str(row.dataset), str(row.split)): float(row.value) for row in rows}
        tunings = {
            seed: self._affordable(stored, tuned.ranges, keys, scores) for seed, keys in sorted(tuned.trials.items())
        }
        return Tuned(
            label(first),
            first["config"]["method"]["name"],
            first["family"],
            tuned.ranges,
            {seed: trials for seed, (trials, _) in tunings.items() if trials},
            all(finished for _, finished in tunings.values()),
        )

    def _affordable(
        self,
        stored: files.Tuning,
        ranges: Mapping[str, files.Range],
        keys: Sequence[str],
        scores: Mapping[tuple[str, str, str], float],
    ) -> tuple[tuple[Trial, ...], bool]:
        """Trials up to the budget, or to the first whose record is missing, and whether the budget is used up."""
        found: list[Trial] = []
        for key in keys:
            if key not in self.records:
                break
            trial = self._trial(stored, ranges, self.records[key], scores, found)
            if not trial.spent <= stored.budget:
                return tuple(found), True
            found.append(trial)
        return tuple(found), files.more_trials([trial.cost for trial in found], stored.budget) == 0

    def _trial(
        self,
        stored: files.Tuning,
        ranges: Mapping[str, files.Range],
        record: Record,
        scores: Mapping[tuple[str, str, str], float],
        before: Sequence[Trial],
    ) -> Trial:
        config, key = record["config"], record["key"]
        drawn = [f"{name}={shown(config['settings'].get(name))}" for name in ranges] if before else []
        done = record["status"] == "done"
        cost = files.cost(self.store, key) if done else before[0].cost if before else math.inf
        cell = record["cells"]["last"] if done else ""
        of_cell = {(dataset, split): value for (each, dataset, split), value in scores.items() if each == cell}
        if stored.criterion is not None:
            validation = of_cell.get(stored.criterion, math.nan)
        else:
            validation = last_validation(self.store, key) if done else math.nan
        if len(self.trained):
            errors: Iterator[Any] = self.trained[self.trained["key"] == key].itertuples()
            of_cell |= {(str(row.dataset), f"{TEST_ERROR} ({row.table})"): float(row.value) for row in errors}
        spent = cost + (before[-1].spent if before else 0.0)
        settings = ", ".join(drawn) or ("default" if not before else f"default, seed {config['seed']}")
        return Trial(key, settings, cost, spent, validation, cell, of_cell)


# For the figure ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """What the tunings of one method have reached after so many multiply-adds."""

    method: str
    tunings: int
    trials: tuple[int, int]
    """Fewest and most of a tuning."""
    spent: Floats
    """(points,) multiply-adds, from when every tuning has a trial up to the budget."""
    values: Floats
    """(tunings, points, 1 + columns) of the best trial so far, %: the validation accuracy that chooses it, then the
    accuracies of its cell; NaN where one is not known."""


def reached(tuned: Tuned, columns: Sequence[tuple[str, str]], budget: float, method: str) -> Reached:
    """method: how figures call it."""
    tunings = list(tuned.tunings.values())
    start = max(trials[0].spent for trials in tunings)
    later = {trial.spent for trials in tunings for trial in trials if trial.spent > start}
    spent = np.array([start, *sorted(later), budget])
    values = np.stack([_best_at(trials, spent, columns) for trials in tunings])
    counts = [len(trials) for trials in tunings]
    return Reached(method, len(tunings), (min(counts), max(counts)), spent, values)


def _best_at(trials: Sequence[Trial], spent: Floats, columns: Sequence[tuple[str, str]]) -> Floats:
    """(points, 1 + columns) of one tuning."""
    best = [trials[place] for place in running_best(trials)]
    values = np.array(
        [[trial.validation, *(trial.scores.get(column, math.nan) for column in columns)] for trial in best]
    )
    done = np.searchsorted([trial.spent for trial in trials], spent, side="right")
    return np.asarray(values[done - 1])
