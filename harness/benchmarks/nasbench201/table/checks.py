"""Validation of a table's content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.cells import cell_strings
from harness.benchmarks.nasbench201.table.metrics import COSTS, MEASURED, Accuracies, Cost, Floats, Metric, TableError


def check(source: str, accuracies: Mapping[Metric, Accuracies], costs: Mapping[Cost, Floats]) -> None:
    """Check types, shapes and ranges, and make the arrays read-only. TableError if anything cannot be right."""
    if not source.strip() or not source.isprintable():
        raise TableError("the source of a table must be one line of text")
    if not accuracies:
        raise TableError("it has no accuracies")
    for metric, values in accuracies.items():
        _check_accuracies(metric, values)
    for cost, array in costs.items():
        if cost not in COSTS:
            raise TableError(f"{cost} is not a cost of NAS-Bench-201")
        _check(str(cost), array, np.float64, (CELLS,), upper=np.finfo(np.float64).max)


def _check_accuracies(metric: Metric, accuracies: Accuracies) -> None:
    if metric not in MEASURED:
        raise TableError(f"{metric} is not a measured accuracy of NAS-Bench-201")
    columns = 1 if accuracies.trials is not None else accuracies.values.shape[-1]
    _check(str(metric), accuracies.values, np.float64, (CELLS, columns), upper=100)
    if accuracies.trials is not None:
        _check(f"trials of {metric}", accuracies.trials, np.int64, (CELLS,), upper=100)


def _check(name: str, array: NDArray[Any], dtype: type, shape: tuple[int, ...], upper: float) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise TableError(f"{name}: expected {dtype.__name__} of shape {shape}, got {array.dtype} {array.shape}")
    invalid = (array < 0) | (array > upper)
    if invalid.any():
        cell = cell_strings()[np.argwhere(invalid)[0][0]]
        raise TableError(f"{name}: {array[invalid][0]} is not between 0 and {upper:g} (cell {cell})")
    if np.isnan(array).all():
        raise TableError(f"{name}: no values")
    array.setflags(write=False)
