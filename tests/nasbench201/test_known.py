"""A table is verified by the validation accuracies of every cell."""

from dataclasses import replace

import numpy as np
import pytest

from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.benchmarks.nasbench201.table.known import is_verified
from harness.benchmarks.nasbench201.table.metrics import Accuracies, Metric

METRIC = Metric("cifar10", "x-valid", 200)


@pytest.mark.parametrize("value, verified", [(None, True), (12.3, False), (np.nan, False)])
def test_one_other_or_missing_accuracy_is_enough(value, verified):
    installed = bundled_table()
    values = installed.accuracies[METRIC].mean.copy()
    if value is not None:
        values[7] = value
    accuracies = {**installed.accuracies, METRIC: Accuracies(values[:, None])}
    assert is_verified(replace(installed, accuracies=accuracies, sha256="")) == verified
