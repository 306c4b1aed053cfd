"""The compact NAS-Bench-201 table (Dong and Yang, ICLR 2020): look-ups of all cells take milliseconds.

The file format is described in `harness.benchmarks.nasbench201.table.file`.
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
    explain_missing,
    mean_of_halves,
)
from harness.files import write_atomically

__all__ = ["Accuracies", "Cost", "Metric", "NotInTableError", "Table", "TableError", "cell_numbers", "cell_strings"]


@dataclass(frozen=True, eq=False)
class Table:
    """Accuracies and costs of the 15,625 cells. The arrays are made read-only.

    All queries take `cells`, indices from `cell_numbers` (an array (n,) or a list), and return arrays (n,). They raise
    NotInTableError if the table lacks the number of at least one of the cells, and ValueError for an invalid index.
    TableError if shapes, types or values cannot be right.
    """

    source: str
    """Origin of the numbers, one line."""
    accuracies: Mapping[Metric, Accuracies]
    """Measured accuracies; keys from `MEASURED`."""
    costs: Mapping[Cost, Floats]
    """(15625,) each; keys from `COSTS`; training seconds are those of 200 epochs."""
    sha256: str = ""
    """Identity of the table: SHA-256 of its file, whose bytes are the same on every machine."""

    def __post_init__(self) -> None:
        check(self.source, self.accuracies, self.costs)
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.to_bytes()).hexdigest())

    # Queries -------------------------------------------------------------------------------------------------------

    def accuracy(self, cells: ArrayLike, dataset: str, split: str, epochs: int = 200) -> tuple[Floats, Ints]:
        """Mean accuracy (%) over the trials, and the number of trials (0: unknown), (n,) each."""
        metric = Metric(dataset, split, epochs)
        accuracies = self._find(metric)
        numbers = checked_numbers(cells)
        return _present(metric, accuracies.mean[numbers], numbers), accuracies.counts[numbers]

    def trial_accuracies(self, cells: ArrayLike, dataset: str, split: str, epochs: int = 200) -> Floats:
        """(n, T) accuracy (%) of every trial, NaN for a trial that a cell lacks."""
        metric = Metric(dataset, split, epochs)
        accuracies = self._find(metric)
        if accuracies.trials is not None:
            raise NotInTableError(f"this table has only means over the trials of {metric}: use accuracy()")
        numbers = checked_numbers(cells)
        _present(metric, accuracies.mean[numbers], numbers)
        return accuracies.values[numbers]

    def train_seconds(self, cells: ArrayLike, dataset: str, epochs: int = 200) -> Floats:
        """Seconds of training for `epochs`, without evaluation, as recorded by the benchmark (one GPU).

        CIFAR-10: on half of the training images, as for x-valid; all of them take twice as long. CIFAR-100 and
        ImageNet16-120: on all training images. The benchmark's time per epoch is constant.
        """
        return self._cost(Cost("train_seconds", dataset), cells) * (epochs / 200)

    def evaluation_seconds(self, cells: ArrayLike, dataset: str) -> Floats:
        """Seconds of one evaluation on x-valid, as recorded by the benchmark."""
        return self._cost(Cost("evaluation_seconds", dataset), cells)

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
        """The splits for which the table has accuracies after `epochs`."""
        return tuple(metric.split for metric in self.available if (metric.dataset, metric.epochs) == (dataset, epochs))

    @cached_property
    def available(self) -> tuple[Metric, ...]:
        """Every metric that can be queried, including ori-test."""
        return tuple(metric for metric in METRICS if metric in self._by_metric)

    def best_cells(self) -> list[str]:
        """A best cell for every dataset and split after 200 epochs: the maxima of their accuracies are the table's."""
        means = [accuracies.mean for metric, accuracies in self._by_metric.items() if metric.epochs == 200]
        return sorted({cell_strings()[np.nanargmax(mean)] for mean in means})

    def ranks(self, cells: Iterable[str], dataset: str, split: str) -> Ints | None:
        """(n,) rank of cells, given as strings, among all by their accuracy after 200 epochs; 1 is the best, equal ones
        share the better rank. None if the table lacks the accuracy of a cell."""
        accuracies = self._by_metric.get(Metric(dataset, split, 200))
        if accuracies is None or np.isnan(accuracies.mean).any():
            return None
        better = np.searchsorted(np.sort(-accuracies.mean), -accuracies.mean[cell_numbers(cells)], side="left")
        return better + 1

    def frame(self, cells: Iterable[str]) -> pd.DataFrame:
        """All accuracies of some cells, given as strings: one row per distinct cell and metric.

        Columns cell, dataset, split, epochs, value (%, mean over the trials), trials (0: unknown). No row if the table
        has no value.
        """
        names = list(dict.fromkeys(cells))
        numbers = cell_numbers(names)
        parts = []
        for metric in self.available:
            accuracies = self._by_metric[metric]
            values = {"value": accuracies.mean[numbers], "trials": accuracies.counts[numbers]}
            parts.append(pd.DataFrame({"cell": np.array(names, dtype=str), **metric._asdict(), **values}))
        return pd.concat(parts).dropna(subset=["value"]).reset_index(drop=True)

    @cached_property
    def _by_metric(self) -> dict[Metric, Accuracies]:
        """The measured accuracies, and ori-test if both of its halves are available."""
        accuracies = dict(self.accuracies)
        for dataset, split, epochs in set(METRICS) - set(MEASURED):
            halves = [self.accuracies.get(Metric(dataset, half, epochs)) for half in ("x-valid", "x-test")]
            if halves[0] and halves[1]:
                accuracies[Metric(dataset, split, epochs)] = mean_of_halves(halves[0], halves[1])
        return accuracies

    def _find(self, metric: Metric) -> Accuracies:
        if metric not in self._by_metric:
            raise NotInTableError(explain_missing(metric, self.available))
        return self._by_metric[metric]

    def _cost(self, cost: Cost, cells: ArrayLike) -> Floats:
        if cost not in self.costs:
            datasets = [dataset for measure, dataset in self.costs if measure == cost.measure]
            available = f"only of {', '.join(datasets)}" if datasets else "of no dataset"
            raise NotInTableError(f"this table has no {cost}, {available}; {HINT}")
        numbers = checked_numbers(cells)
        return _present(cost, self.costs[cost][numbers], numbers)

    # Files ---------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read a table. TableError, one line, if the file is missing, corrupt or of another kind."""
        content = table_file.read(path)
        try:
            return cls(*table_file.decode(content), sha256=hashlib.sha256(content).hexdigest())
        except Exception as error:  # zipfile and numpy raise almost anything on other bytes
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TableError(f"{path} is not a NAS-Bench-201 table ({reason}); {HINT}") from error

    def save(self, path: Path) -> None:
        """Write the table atomically. WriteError if it cannot be written."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The file's content, the same bytes for the same table on every machine."""
        return table_file.encode(self.source, self.accuracies, self.costs)


def _present(quantity: Metric | Cost, values: Floats, numbers: Ints) -> Floats:
    """The values, of which none may be NaN. NotInTableError names the first cell without a value."""
    missing = np.isnan(values)
    if missing.any():
        first = cell_strings()[numbers[missing][0]]
        raise NotInTableError(f"this table has no {quantity} for {missing.sum()} of the queried cells, first {first}")
    return values
