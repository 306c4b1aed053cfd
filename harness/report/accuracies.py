"""Accuracies of found cells, from the look-ups: one table per number."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from harness.benchmarks.nasbench201.table.known import verified_cells
from harness.experiment.store import REPORTED_EPOCHS, Lookups
from harness.report.groups import GROUP, SPLIT_ORDER

COLUMNS = ["cell", "dataset", "split", "value", "table"]

METRIC_OF_SPLIT = {
    "test": "test_accuracy",
    "x-test": "test_accuracy",
    "ori-test": "test_accuracy",
    "x-valid": "valid_accuracy",
}


def one_table_per_number(lookups: Sequence[Lookups]) -> pd.DataFrame:
    """Columns `COLUMNS`: accuracies (%) after `REPORTED_EPOCHS`; a table is named by 12 digits of its SHA-256.

    All numbers of one dataset and split come from one table: of those that have it a verified one, then the one with
    the most (dataset, split) pairs; among equals the one with the smallest SHA-256.
    """
    unknown = unverified(lookups)
    parts: dict[Hashable, pd.DataFrame] = {}
    ordered = sorted(lookups, key=lambda table: (table.sha256[:12] in unknown, -_pairs(_reported(table)), table.sha256))
    for frame in map(_reported, ordered):
        for pair, rows in frame.groupby(["dataset", "split"]):
            parts.setdefault(pair, rows)
    return pd.concat(parts.values()) if parts else pd.DataFrame(columns=COLUMNS)


def unverified(lookups: Sequence[Lookups]) -> frozenset[str]:
    """Tables, by 12 digits of their SHA-256, whose validation accuracies are not the benchmark's, or that lack them."""
    return frozenset(
        table.sha256[:12] for table in lookups if len(table.frame) and not verified_cells(table.sha256, table.frame)
    )


def final(runs: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """One row per done run, selection, dataset and split: the columns of `runs` and of `accuracies`, selection and
    metric."""
    done = runs[runs["failure"] == ""]
    selected = pd.concat(
        [
            done.assign(selection="last", cell=done["last"]),
            done.assign(selection="best-valid", cell=done["best_valid"]),
        ]
    )
    found = selected.merge(accuracies, on="cell")
    return found.assign(metric=found["split"].map(METRIC_OF_SPLIT))


def main_splits(accuracies: pd.DataFrame) -> dict[str, str]:
    """For each dataset the split that figures show: the whole test set, else x-test, ori-test, x-valid."""
    known = accuracies[["dataset", "split"]].drop_duplicates()
    best = known.sort_values("split", key=lambda split: split.map(SPLIT_ORDER.index)).drop_duplicates("dataset")
    return dict(zip(best["dataset"], best["split"], strict=True))


def uncovered(runs: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """How many done runs have no accuracy of their last cell, by group and table: columns of `GROUP`, table, count.

    Without any table, all of them, under an empty name.
    """
    done = runs[runs["failure"] == ""]
    cells: dict[Any, set[str]] = {table: set(rows["cell"]) for table, rows in accuracies.groupby("table")}
    missing = [
        done.loc[~done["last"].isin(known), GROUP].assign(table=table)
        for table, known in (cells or {"": set()}).items()
    ]
    return pd.concat(missing).groupby([*GROUP, "table"]).size().reset_index(name="count")


def _reported(lookups: Lookups) -> pd.DataFrame:
    frame = lookups.frame
    known = frame[(frame["epochs"] == REPORTED_EPOCHS) & frame["split"].isin(METRIC_OF_SPLIT)]
    return known[["cell", "dataset", "split", "value"]].assign(table=lookups.sha256[:12])


def _pairs(frame: pd.DataFrame) -> int:
    return len(frame[["dataset", "split"]].drop_duplicates())
