"""How good is this cell? Look-ups in tables of trained networks."""

from __future__ import annotations

from pathlib import Path

from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.benchmarks.nasbench201.table.cells import cell_numbers
from harness.benchmarks.nasbench201.table.metrics import Metric, NotInTableError, TableError
from harness.benchmarks.nasbench201.table.table import Table


def open_table(path: Path | None = None) -> Table:
    """The table in a file, or the bundled one: x-valid accuracies only. TableError if there is none."""
    return bundled_table() if path is None else Table.load(path)


__all__ = ["Metric", "NotInTableError", "Table", "TableError", "cell_numbers", "open_table"]
