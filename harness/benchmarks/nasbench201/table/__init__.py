"""The tabular benchmark: look-up of the accuracies and costs of trained architectures."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.benchmarks.nasbench201.table.cells import cell_numbers
from harness.benchmarks.nasbench201.table.metrics import Metric, NotInTableError, TableError
from harness.benchmarks.nasbench201.table.table import Table


def open_table(path: Path | None = None) -> Table:
    """Load the table in a file, or the bundled one, which has x-valid accuracies only. TableError if it is unusable."""
    return bundled_table() if path is None else Table.load(path)


__all__ = ["Metric", "NotInTableError", "Table", "TableError", "cell_numbers", "open_table"]
