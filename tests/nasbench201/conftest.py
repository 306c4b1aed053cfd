from __future__ import annotations

import numpy as np
import pytest

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table import Metric, Table, open_table
from harness.benchmarks.nasbench201.table.table import Accuracies


@pytest.fixture(scope="session")
def bundled() -> Table:
    return open_table()


@pytest.fixture
def small() -> Table:
    """One metric, one trial: cell number n has n / 200 percent."""
    values = np.arange(CELLS)[:, np.newaxis] / 200
    return Table("numbers made up", {Metric("cifar10", "test", 200): Accuracies(values)}, {})
