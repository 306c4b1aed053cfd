"""Numbers that no cell can have are no table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.cells import cell_strings
from harness.benchmarks.nasbench201.table.metrics import COSTS, MEASURED, Accuracies, Cost, Floats, Metric, TableError


def check(source: str, accuracies: Mapping[Metric, Accuracies], costs: Mapping[Cost, Floats]) -> None:
    """TableError if what a table is made of cannot be right. Makes the arrays read-only."""
    if not source.strip() or not source.isprintable():
        raise TableError("the source of a table is one line of text")
    if not accuracies:
        raise TableError("it has no accuracies")
    for metric, known in accuracies.items():
        _check_accuracies(metric, known)
    for cost, values in costs.items():
        if cost not in COSTS:
            raise TableError(f"{cost} is no cost of NAS-Bench-201")
        _check(str(cost), values, np.float64, (CELLS,), upper=np.finfo(np.float64).max)


def _check_accuracies(metric: Metric, known: Accuracies) -> None:
    if metric not in MEASURED:
        raise TableError(f"{metric} is no measured accuracy of NAS-Bench-201")
    columns = 1 if known.trials is not None else known.values.shape[-1]
    _check(str(metric), known.values, np.float64, (CELLS, columns), upper=100)
    if known.trials is not None:
        _check(f"trials of {metric}", known.trials, np.int64, (CELLS,), upper=100)


def _check(what: str, array: NDArray[Any], dtype: type, shape: tuple[int, ...], upper: float) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise TableError(f"{what}: expected {dtype.__name__} of shape {shape}, got {array.dtype} {array.shape}")
    wrong = (array < 0) | (array > upper)
    if wrong.any():
        cell = cell_strings()[np.argwhere(wrong)[0][0]]
        raise TableError(f"{what}: {array[wrong][0]} is not between 0 and {upper:g} (cell {cell})")
    if np.isnan(array).all():
        raise TableError(f"{what}: no values")
    array.setflags(write=False)
