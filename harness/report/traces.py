"""How good the cell of a search is at every moment of it: one shape for black boxes and weight sharing."""

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
    """One search: from each moment on it holds a cell, until the next; the last moment is the end of the search."""

    seconds: Floats
    """(steps,) rising."""
    accuracy: Floats
    """(steps, datasets) of the cell held, %."""


@dataclass(frozen=True)
class Traces:
    """The searches of one method."""

    method: str
    simulated: bool
    """Seconds are those that the table says training takes; otherwise those that were measured."""
    runs: tuple[Trace, ...]

    @property
    def start(self) -> float:
        """When the last of the searches holds its first cell; before, a mean would be over others."""
        return max(float(run.seconds[0]) for run in self.runs)

    @property
    def end(self) -> Floats:
        """(n,) when each search ends, seconds."""
        return np.array([run.seconds[-1] for run in self.runs])

    @property
    def final(self) -> Floats:
        """(n, datasets) accuracy of each search's last cell, %."""
        return np.stack([run.accuracy[-1] for run in self.runs])

    def at(self, seconds: Floats) -> Floats:
        """(n, moments, datasets) accuracy of the cell held at each moment, none before `start`, %.

        A search that has ended keeps its cell.
        """
        places = [np.searchsorted(run.seconds, seconds, side="right") - 1 for run in self.runs]
        return np.stack([run.accuracy[place] for run, place in zip(self.runs, places, strict=True)])


def weight_sharing(curves: Iterable[Curves]) -> list[Traces]:
    """The cell of each epoch, from the end of that epoch on; of runs whose accuracies are known throughout."""
    return [
        Traces(method.method, False, tuple(map(Trace, method.seconds, method.accuracy)))  # rows are runs
        for method in curves
    ]


def black_box(
    runs: pd.DataFrame, records: Sequence[Record], values: pd.DataFrame, methods: Sequence[str]
) -> list[Traces]:
    """The best cell asked so far, by the signal that the method sees, and in the end the method's choice.

    `runs` and `records` are parallel; `values` are the accuracies by cell (`curves.by_cell`). Runs from the first seed
    on that misses an accuracy somewhere are left out: to pick those that happen to miss none would favour short ones.
    """
    steps: dict[str, list[tuple[list[float], list[str]]]] = {}
    pairs = zip(runs["method"], records, strict=True)
    for method, record in sorted(pairs, key=lambda pair: pair[1]["config"]["seed"]):
        if record["config"]["kind"] == "black-box" and record["status"] == "done":
            steps.setdefault(method, []).append(_steps(record))
    found = []
    for method in methods:
        if method in steps and (kept := _known(steps[method], values)):
            found.append(Traces(method, True, kept))
    return found


def _steps(record: Record) -> tuple[list[float], list[str]]:
    improvements = record["improvements"]
    seconds = [step[1] for step in improvements] + [record["search_seconds"]]
    return seconds, [step[2] for step in improvements] + [record["cells"]["last"]]


def _known(steps: Sequence[tuple[list[float], list[str]]], values: pd.DataFrame) -> tuple[Trace, ...]:
    cells = [cell for _, of_run in steps for cell in of_run]
    # All runs at once: thousands of look-ups one by one are slow.
    accuracy = values.reindex(cells).to_numpy(dtype=float)
    ends = np.cumsum([len(of_run) for _, of_run in steps])
    traces = [
        Trace(np.array(seconds), held) for (seconds, _), held in zip(steps, np.split(accuracy, ends[:-1]), strict=True)
    ]
    return tuple(takewhile(lambda trace: not np.isnan(trace.accuracy).any(), traces))
