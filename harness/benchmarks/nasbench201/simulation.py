"""The search signal of NAS-Bench-201: what a query returns and costs.

Dong and Yang, "NAS-Bench-201" (ICLR 2020), Section 5: a query returns the x-valid accuracy on CIFAR-10 after 12 epochs
of training and costs the seconds of that training.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from harness.benchmarks.base import Arch, Signal
from harness.benchmarks.nasbench201.space import all_cells
from harness.benchmarks.nasbench201.table.cells import cell_numbers
from harness.benchmarks.nasbench201.table.metrics import Metric
from harness.benchmarks.nasbench201.table.table import Table

DATASET = "cifar10"
QUERY_EPOCHS = 12


def signal_epochs(table: Table) -> int:
    """12 if the table has those accuracies; otherwise 200, a substitute that records must declare."""
    return QUERY_EPOCHS if Metric(DATASET, "x-valid", QUERY_EPOCHS) in table.available else 200


@lru_cache(maxsize=2)
def signals(table: Table) -> dict[Arch, Signal]:
    """The signal of every cell; the cost is always that of 12 epochs. NotInTableError if the table lacks a cell."""
    cells = list(all_cells())
    numbers = cell_numbers(cells)
    accuracies, _ = table.accuracy(numbers, DATASET, "x-valid", signal_epochs(table))
    seconds = table.train_seconds(numbers, DATASET, QUERY_EPOCHS)
    return dict(zip(cells, map(Signal, accuracies.tolist(), seconds.tolist()), strict=True))


def queries(table: Table) -> Callable[[Arch], Signal]:
    """The query of a black box. The table is read at the first call."""

    def query(arch: Arch) -> Signal:
        try:
            return signals(table)[arch]
        except (KeyError, TypeError):
            raise ValueError(f"the method queried {str(arch)[:200]}, which is not a cell of the table") from None

    return query
