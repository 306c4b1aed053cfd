from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.oracles import Metric, Table, open_table
from harness.oracles.convert import read_csv
from harness.oracles.table import Accuracies
from harness.spaces.nasbench201 import CELLS


@pytest.fixture(scope="session")
def bundled() -> Table:
    return open_table()


@pytest.fixture(scope="session")
def csv_file(test_data: Path) -> Path:
    return test_data / "nasbench201" / "nasbench201.csv.gz"


@pytest.fixture(scope="session")
def full(csv_file: Path) -> Table:
    """The table with everything: both epochs, every split."""
    return read_csv(csv_file)[0]


@pytest.fixture
def small() -> Table:
    """One metric, one trial: cell number n has n / 200 percent."""
    values = np.arange(CELLS)[:, np.newaxis] / 200
    return Table("numbers made up", {Metric("cifar10", "test", 200): Accuracies(values)}, {})
