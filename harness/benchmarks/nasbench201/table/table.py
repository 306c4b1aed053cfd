"""The compact NAS-Bench-201 table (Dong and Yang, ICLR 2020): how good is a cell, in milliseconds for all of them.

Its file is described in `harness.benchmarks.nasbench201.table.file`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from harness.benchmarks.nasbench201.table import file as table_file
from harness.benchmarks.nasbench201.table.cells import cell_numbers, cell_strings, checked_numbers
from harness.benchmarks.nasbench201.table.checks import check
from harness.benchmarks.nasbench201.table.metrics import (
    HINT,
    MEASURED,
    METRICS,
    Accuracies,
    Cost,
    Floats,
    Ints,
    Metric,
    NotInTableError,
    TableError,
    whole,
    why_unknown,
)
from harness.files import write_atomically

__all__ = ["Accuracies", "Cost", "Metric", "NotInTableError", "Table", "TableError", "cell_numbers", "cell_strings"]


@dataclass(frozen=True, eq=False)
class Table:
    """Accuracies and costs of the 15,625 cells. It owns its arrays and makes them read-only.

    In every query `cells` are numbers from `cell_numbers`, an array (n,) or a list, and the answers are (n,). Asking
    for what the table lacks, if only for one of the cells, raises `NotInTableError`; a number that is no cell's,
    ValueError. TableError if shapes, types or values cannot be right.
    """

    source: str
    """One line: where the numbers come from."""
    accuracies: Mapping[Metric, Accuracies]
    """What was measured; keys out of `MEASURED`."""
    costs: Mapping[Cost, Floats]
    """(15625,) each; keys out of `COSTS`; training seconds are those of 200 epochs."""
    sha256: str = ""
    """The table's identity: SHA-256 of its file, which has the same bytes wherever it is written."""

    def __post_init__(self) -> None:
        check(self.source, self.accuracies, self.costs)
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.to_bytes()).hexdigest())

    # Queries -------------------------------------------------------------------------------------------------------

    def accuracy(self, cells: ArrayLike, dataset: str, split: str, epochs: int = 200) -> tuple[Floats, Ints]:
        """Mean accuracy (%) over the trials, and over how many trials (0: unknown), (n,) each."""
        metric = Metric(dataset, split, epochs)
        known = self._find(metric)
        numbers = checked_numbers(cells)
        return _present(metric, known.mean[numbers], numbers), known.counts[numbers]

    def trial_accuracies(self, cells: ArrayLike, dataset: str, split: str, epochs: int = 200) -> Floats:
        """(n, T) accuracy (%) of every trial, NaN for a trial that a cell lacks."""
        metric = Metric(dataset, split, epochs)
        known = self._find(metric)
        if known.trials is not None:
            raise NotInTableError(f"this table has only means over the trials of {metric}: ask for accuracy()")
        numbers = checked_numbers(cells)
        _present(metric, known.mean[numbers], numbers)
        return known.values[numbers]

    def train_seconds(self, cells: ArrayLike, dataset: str, epochs: int = 200) -> Floats:
        """Seconds to train for so many epochs, without evaluation, as recorded by the benchmark (one GPU).

        CIFAR-10: on the half of the training images that goes with x-valid; all of them take twice as long. The other
        two: on all training images. The benchmark's time per epoch is constant.
        """
        return self._cost(Cost("train_seconds", dataset), cells) * (epochs / 200)

    def latency_seconds(self, cells: ArrayLike, dataset: str) -> Floats:
        """Seconds per batch of 256 images."""
        return self._cost(Cost("latency_seconds", dataset), cells)

    def params(self, cells: ArrayLike, dataset: str) -> Ints:
        """Number of parameters of the trained network (16 channels, 5 cells per stage)."""
        return self._cost(Cost("params", dataset), cells).astype(np.int64)

    def flops_millions(self, cells: ArrayLike, dataset: str) -> Floats:
        """Multiply-adds for one image, in millions."""
        return self._cost(Cost("flops_millions", dataset), cells)

    def splits(self, dataset: str, epochs: int = 200) -> tuple[str, ...]:
        """The splits for which the table has accuracies after so many epochs."""
        return tuple(metric.split for metric in self.available if (metric.dataset, metric.epochs) == (dataset, epochs))

    @cached_property
    def available(self) -> tuple[Metric, ...]:
        """Every metric that can be asked for, ori-test included."""
        return tuple(metric for metric in METRICS if metric in self._known)

    def best_cells(self) -> list[str]:
        """A best cell for every metric: the maxima of their accuracies are those of the table."""
        return sorted({cell_strings()[np.nanargmax(known.mean)] for known in self._known.values()})

    def frame(self, cells: Iterable[str]) -> pd.DataFrame:
        """All that the table says of the accuracies of some cells, given as strings: each cell once per metric.

        Columns cell, dataset, split, epochs, value (%, mean over the trials), trials (0: unknown). No row where the
        table has no value.
        """
        names = list(dict.fromkeys(cells))
        numbers = cell_numbers(names)
        parts = []
        for metric in self.available:
            known = self._known[metric]
            values = {"value": known.mean[numbers], "trials": known.counts[numbers]}
            parts.append(pd.DataFrame({"cell": np.array(names, dtype=str), **metric._asdict(), **values}))
        return pd.concat(parts).dropna(subset=["value"]).reset_index(drop=True)

    @cached_property
    def _known(self) -> dict[Metric, Accuracies]:
        """What was measured, and ori-test where both of its halves are there."""
        known = dict(self.accuracies)
        for dataset, split, epochs in set(METRICS) - set(MEASURED):
            halves = [self.accuracies.get(Metric(dataset, half, epochs)) for half in ("x-valid", "x-test")]
            if halves[0] and halves[1]:
                known[Metric(dataset, split, epochs)] = whole(halves[0], halves[1])
        return known

    def _find(self, metric: Metric) -> Accuracies:
        if metric not in self._known:
            raise NotInTableError(why_unknown(metric, self.available))
        return self._known[metric]

    def _cost(self, cost: Cost, cells: ArrayLike) -> Floats:
        if cost not in self.costs:
            found = [dataset for measure, dataset in self.costs if measure == cost.measure]
            has = f"only of {', '.join(found)}" if found else "of no dataset"
            raise NotInTableError(f"this table has no {cost}, {has}; {HINT}")
        numbers = checked_numbers(cells)
        return _present(cost, self.costs[cost][numbers], numbers)

    # Files ---------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read a table. TableError, in one line, if the file is missing, damaged or something else."""
        content = table_file.read(path)
        try:
            return cls(*table_file.decode(content), sha256=hashlib.sha256(content).hexdigest())
        except Exception as error:  # whatever zipfile and numpy raise on bytes that are not theirs
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TableError(f"{path} is not a NAS-Bench-201 table ({reason}); {HINT}") from error

    def save(self, path: Path) -> None:
        """Write the table so that, whatever happens, the name stands for all of it or for what was there before.

        WriteError if it cannot be written.
        """
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The file's content: the same bytes for the same table on every machine."""
        return table_file.encode(self.source, self.accuracies, self.costs)


def _present(what: Metric | Cost, values: Floats, numbers: Ints) -> Floats:
    missing = np.isnan(values)
    if missing.any():
        first = cell_strings()[numbers[missing][0]]
        raise NotInTableError(f"this table has no {what} for {missing.sum()} of the cells asked for, first {first}")
    return values
