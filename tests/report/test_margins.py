"""The margins of agreement against the tables and papers that they come from."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench201.space import all_cells, isomorphism_class
from harness.benchmarks.nasbench201.table import open_table
from harness.report.published import load
from tests.report.conftest import PUBLISHED

MARGINS = BENCHMARKS["nasbench201"].margins


def test_margins_are_the_deviations_between_isomorphic_cells(test_data: Path):
    frame = pd.read_csv(test_data / "nasbench201" / "nasbench201.csv.gz")
    classes = frame["unique"]
    for dataset, prefix in (("cifar10", "cifar10"), ("cifar100", "cifar100"), ("imagenet16-120", "imagenet16")):
        valid = frame[[f"{prefix}_valid_200_t{trial}" for trial in range(3)]].mean(axis=1)
        test = frame[f"{prefix}_test_200"]
        columns = {"test": test} if dataset == "cifar10" else {"ori-test": test, "x-test": 2 * test - valid}
        for split, accuracy in {"x-valid": valid, **columns}.items():
            within = accuracy - accuracy.groupby(classes).transform("mean")
            pooled = sqrt(np.square(within).sum() / (len(frame) - classes.nunique()))
            assert MARGINS[dataset, split] == pytest.approx(pooled, abs=0.006)


def test_margins_of_x_valid_follow_from_the_installed_table():
    table, classes = open_table(), pd.Series([isomorphism_class(cell) for cell in all_cells()])
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        accuracy = pd.Series(table.accuracy(np.arange(len(classes)), dataset, "x-valid")[0])
        within = accuracy - accuracy.groupby(classes).transform("mean")
        pooled = sqrt(np.square(within).sum() / (len(classes) - classes.nunique()))
        assert MARGINS[dataset, "x-valid"] == pytest.approx(pooled, abs=0.006)


def test_every_split_has_a_margin():
    splits = {dataset: {split for name, split in MARGINS if name == dataset} for dataset, _ in MARGINS}
    assert splits["cifar10"] == {"test", "x-valid"}
    assert splits["cifar100"] == splits["imagenet16-120"] == {"x-test", "ori-test", "x-valid"}


def test_margin_of_the_darts_space_is_the_published_deviation_of_one_cell():
    (value,) = [
        value
        for value in load(PUBLISHED).values("darts-2nd", "darts", "cifar10", "test_error")
        if value.protocol == "direct"
    ]
    assert (value.mean, value.n) == (2.76, 10)
    assert BENCHMARKS["darts"].margins["cifar10", "test"] == value.std
