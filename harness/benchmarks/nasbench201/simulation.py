"""The search signal of NAS-Bench-201: what a query returns and costs.

Dong and Yang, "NAS-Bench-201" (ICLR 2020), Section 5, and their scripts (D-X-Y/AutoDL-Projects, R_EA): a query returns
the x-valid accuracy on CIFAR-10 of a random trial after 12 epochs of training, and costs the seconds of these epochs
and of one evaluation on x-valid. A table that has only means over the trials returns these, which records declare.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.benchmarks.base import Arch, Signal
from harness.benchmarks.nasbench201.space import CELLS, all_cells
from harness.benchmarks.nasbench201.table.metrics import Accuracies, Cost, Metric
from harness.benchmarks.nasbench201.table.table import Table

DATASET = "cifar10"
SPLIT = "x-valid"
QUERY_EPOCHS = 12
EVALUATION_SHARE = 0.37
"""Seconds of an evaluation on x-valid, in those of a training epoch, for tables without them: 2.55, 4.15 and 2.39 s
against 7.22, 12.46 and 4.88 s, the sums over the cells 0, 11 and 284 of the official sample files."""


def queried_epochs(table: Table) -> int:
    """After how many epochs of training a query returns the accuracy: 12 if the table has those accuracies; otherwise
    200, a substitute that records must declare."""
    return QUERY_EPOCHS if Metric(DATASET, SPLIT, QUERY_EPOCHS) in table.available else 200


def can_be_queried(table: Table) -> bool:
    """Whether it has what a query returns."""
    return Metric(DATASET, SPLIT, queried_epochs(table)) in table.available


def trials_averaged(table: Table) -> int:
    """How many trials are behind each accuracy that a query returns at least: 1, or more if the table has only means; 0
    if their number is unknown."""
    accuracies = _accuracies(table)
    return 1 if accuracies.trials is None else int(accuracies.trials.min())


class _Signals(NamedTuple):
    """What queries return, by cell."""

    trials: dict[Arch, list[float]]
    """Accuracies."""
    means: dict[Arch, float]
    seconds: dict[Arch, float]


@lru_cache(maxsize=2)
def _signals(table: Table) -> _Signals:
    """NotInTableError if the table lacks a cell."""
    cells, numbers = list(all_cells()), np.arange(CELLS)
    means, _ = table.accuracy(numbers, DATASET, SPLIT, queried_epochs(table))
    trials = [[value for value in values if value == value] for values in _accuracies(table).values.tolist()]
    training = table.train_seconds(numbers, DATASET, QUERY_EPOCHS)
    if Cost("evaluation_seconds", DATASET) in table.costs:
        evaluation = table.evaluation_seconds(numbers, DATASET)
    else:
        evaluation = EVALUATION_SHARE * training / QUERY_EPOCHS
    by_cell = (trials, means.tolist(), (training + evaluation).tolist())
    return _Signals(*(dict(zip(cells, values, strict=True)) for values in by_cell))


def _accuracies(table: Table) -> Accuracies:
    return table.accuracies[Metric(DATASET, SPLIT, queried_epochs(table))]


def queries(table: Table) -> Callable[[Arch, np.random.Generator | None], Signal]:
    """The query of a black box. The table is read at the first call."""

    def query(arch: Arch, rng: np.random.Generator | None) -> Signal:
        signals = _signals(table)
        try:
            trials, seconds = signals.trials[arch], signals.seconds[arch]
        except (KeyError, TypeError):
            raise ValueError(f"the method queried {str(arch)[:200]}, which is not a cell of the table") from None
        return Signal(signals.means[arch] if rng is None else trials[rng.integers(len(trials))], seconds)

    return query
