"""Accuracy of the current cell over search time, in one format for black-box and weight-sharing searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import pandas as pd

from harness.experiment.store import Record
from harness.report.curves import Curves, Floats


@dataclass(frozen=True)
class Trace:
    """One search as a step function: the current cell changes at each time; the last time is the end of the search."""

    seconds: Floats
    """(steps,) search time, increasing."""
    accuracy: Floats
    """(steps, datasets) accuracy of the current cell from that time on, %."""


@dataclass(frozen=True)
class Traces:
    """The searches of one method."""

    method: str
    simulated: bool
    """Whether seconds are the training times of the tabular benchmark; otherwise they were measured."""
    runs: tuple[Trace, ...]

    @property
    def start(self) -> float:
        """Time at which every search has a first cell, seconds; an earlier mean would be over fewer searches."""
        return max(float(run.seconds[0]) for run in self.runs)

    @property
    def end(self) -> Floats:
        """(n,) end of each search, seconds."""
        return np.array([run.seconds[-1] for run in self.runs])

    @property
    def final(self) -> Floats:
        """(n, datasets) accuracy of each search's last cell, %."""
        return np.stack([run.accuracy[-1] for run in self.runs])

    def at(self, seconds: Floats) -> Floats:
        """(n, moments, datasets) accuracy of the current cell at the given moments, %.

        No moment may precede `start`; a finished search keeps its last cell.
        """
        steps = [np.searchsorted(run.seconds, seconds, side="right") - 1 for run in self.runs]
        return np.stack([run.accuracy[step] for run, step in zip(self.runs, steps, strict=True)])


def weight_sharing(curves: Iterable[Curves]) -> list[Traces]:
    """Traces of weight-sharing searches: the cell of each epoch is current from the end of that epoch on.

    `curves` must have the accuracies of all epochs (`curves.covered`).
    """
    return [
        Traces(method.method, False, tuple(map(Trace, method.seconds, method.accuracy)))  # rows are runs
        for method in curves
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
