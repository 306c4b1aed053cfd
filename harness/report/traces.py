"""Accuracy of the current cell over what a search has spent, of all kinds of searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas as pd

from harness.experiment.store import Record, Store
from harness.report.counts import counts
from harness.report.curves import UNFIT, Curves, Floats


@dataclass(frozen=True)
class Trace:
    """One search as a step function: the current cell changes at each moment; the last is the end of the search."""

    spent: Floats
    """(steps,) what the search has spent by then, increasing: a black box simulated seconds, others images that passed
    through networks, in thousands. Never wall time, which depends on what else the machine did."""
    accuracy: Floats
    """(steps, datasets) accuracy of the current cell from that moment on, %."""


@dataclass(frozen=True)
class Traces:
    """The searches of one method."""

    method: str
    simulated: bool
    """Whether simulated seconds are spent, which all black boxes have alike; otherwise images."""
    runs: tuple[Trace, ...]

    @property
    def start(self) -> float:
        """Moment at which every search has a first cell; an earlier mean would be over fewer searches."""
        return max(float(run.spent[0]) for run in self.runs)

    @property
    def end(self) -> Floats:
        """(n,) end of each search."""
        return np.array([run.spent[-1] for run in self.runs])

    @property
    def final(self) -> Floats:
        """(n, datasets) accuracy of each search's last cell, %."""
        return np.stack([run.accuracy[-1] for run in self.runs])

    def at(self, moments: Floats) -> Floats:
        """(n, moments, datasets) accuracy of the current cell at the given moments, %.

        No moment may precede `start`; a finished search keeps its last cell.
        """
        steps = [np.searchsorted(run.spent, moments, side="right") - 1 for run in self.runs]
        return np.stack([run.accuracy[step] for run, step in zip(self.runs, steps, strict=True)])


def weight_sharing(curves: Iterable[Curves]) -> list[Traces]:
    """Traces of weight-sharing searches: the cell of each epoch is current from the end of that epoch on.

    `curves` must have the accuracies of all epochs (`curves.covered`); methods with runs that do not count images are
    left out.
    """
    return [
        Traces(method.method, False, tuple(map(Trace, method.passes / 1000, method.accuracy)))  # rows are runs
        for method in curves
        if method.counted
    ]


def black_box(
    runs: pd.DataFrame, records: Sequence[Record], values: pd.DataFrame, methods: Sequence[str]
) -> list[Traces]:
    """Traces of black-box searches: the best cell queried so far, by the signal that the method sees, and in the end
    the cell that the method selects.

    `runs` and `records` are parallel; `values` are the accuracies by cell (`curves.by_cell`). Runs are kept up to the
    first seed with a missing accuracy: keeping all complete runs would favour short searches.
    """
    steps: dict[str, list[tuple[list[float], list[str]]]] = {}
    pairs = zip(runs["method"], records, strict=True)
    for method, record in sorted(pairs, key=lambda pair: pair[1]["config"]["seed"]):
        if record["config"]["kind"] == "black-box" and record["status"] == "done":
            steps.setdefault(method, []).append(_steps(record))
    traces = []
    for method in methods:
        if method in steps and (complete := _complete(steps[method], values)):
            traces.append(Traces(method, True, complete))
    return traces


def training_free(
    store: Store, runs: pd.DataFrame, records: Sequence[Record], values: pd.DataFrame, methods: Sequence[str]
) -> list[Traces]:
    """Traces of training-free searches: the best-scored cell so far; arguments as of `black_box`."""
    steps: dict[str, list[tuple[list[float], list[str]]]] = {}
    pairs = zip(runs["method"], records, strict=True)
    for method, record in sorted(pairs, key=lambda pair: pair[1]["config"]["seed"]):
        if record["config"]["kind"] == "training-free" and record["status"] == "done":
            if step := _scored(store, record["key"]):
                steps.setdefault(method, []).append(step)
            else:
                store.warnings.append(UNFIT.format(record["key"]))
    complete = {method: _complete(steps[method], values) for method in methods if method in steps}
    return [Traces(method, False, runs) for method, runs in complete.items() if runs]


def _scored(store: Store, key: str) -> tuple[list[float], list[str]] | None:
    """Thousands of images until each checkpoint of a search, and its best-scored cell then."""
    try:
        log = store.arrays(key)
        found, cells = counts(log), log["cells"].tolist()
    except (KeyError, TypeError, ValueError, OSError):  # a record that was written by hand
        return None
    if found is None or len(found.passes) != len(cells):
        return None
    return (found.passes.cumsum() / 1000).tolist(), cells


def _steps(record: Record) -> tuple[list[float], list[str]]:
    improvements = record["improvements"]
    seconds = [step[1] for step in improvements] + [record["search_seconds"]]
    return seconds, [step[2] for step in improvements] + [record["cells"]["last"]]


def _complete(steps: Sequence[tuple[list[float], list[str]]], values: pd.DataFrame) -> tuple[Trace, ...]:
    """Traces of the leading runs whose accuracies are all known."""
    all_cells = [cell for _, cells in steps for cell in cells]
    # All runs at once, as thousands of single look-ups are slow.
    accuracy = values.reindex(all_cells).to_numpy(dtype=float)
    ends = np.cumsum([len(cells) for _, cells in steps])
    accuracies = np.split(accuracy, ends[:-1])
    pairs = zip(steps, accuracies, strict=True)
    traces = [Trace(np.array(seconds), cell_accuracies) for (seconds, _), cell_accuracies in pairs]
    return tuple(takewhile(lambda trace: not np.isnan(trace.accuracy).any(), traces))
