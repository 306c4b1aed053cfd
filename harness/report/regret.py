"""How far found cells are from the best of the table, how often it is found, and which cells are alike."""

from __future__ import annotations

import pandas as pd

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.space import isomorphism_class
from harness.report.groups import GROUP

RUN_COLUMNS = [
    "method",
    *GROUP,
    "seed",
    "selection",
    "dataset",
    "split",
    "cell",
    "isomorphism_class",
    "value",
    "best",
    "regret",
    "hit",
    "table",
]
SUMMARY_COLUMNS = ["method", *GROUP, "selection", "dataset", "split", "n", "regret", "hit_rate", "cells", "classes"]


def of_runs(finals: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """One row per run, selection, dataset and split, columns `RUN_COLUMNS`.

    `best`: the highest accuracy (%) of that table, dataset and split, whose cell every look-up holds; `regret`: best
    minus value, in points; `hit`: whether it is zero; `isomorphism_class`: the benchmark's string, equal for cells
    that it counts as the same.
    """
    best = accuracies.groupby(["table", "dataset", "split"])["value"].max().rename("best").reset_index()
    rows = finals.merge(best, on=["table", "dataset", "split"], how="left")
    rows["isomorphism_class"] = rows["cell"].map({cell: _class(cell) for cell in set(rows["cell"])})
    rows["regret"] = rows["best"] - rows["value"]
    rows["hit"] = rows["regret"] == 0
    return rows[RUN_COLUMNS]


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Per method, group, selection, dataset and split: mean regret, share of hits, numbers of distinct cells and of
    distinct isomorphism classes among the n runs. Columns `SUMMARY_COLUMNS`."""
    grouped = rows.groupby(["method", *GROUP, "selection", "dataset", "split"], sort=False)
    found = grouped.agg(
        n=("seed", "size"),
        regret=("regret", "mean"),
        hit_rate=("hit", "mean"),
        cells=("cell", "nunique"),
        classes=("isomorphism_class", "nunique"),
    )
    return found.reset_index()[SUMMARY_COLUMNS]


def _class(cell: str) -> str:
    """A cell of another space is in a class of its own."""
    try:
        return isomorphism_class(NASBench201().from_string(cell))
    except ValueError:
        return cell
