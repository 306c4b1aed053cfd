"""What happened in every epoch of the runs of one group, as arrays ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.report.accuracies import main_splits
from harness.report.groups import DATASET_ORDER, GROUP, Group, in_order
from harness.store import Store

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """One-shot runs of one method, n seeds over T epochs; position t is the state after epoch t + 1."""

    method: str
    operations: int
    """K, the candidate operations of an edge."""
    entropy: Floats
    """(n, T, cell types) entropy of the operation weights, nats, mean over edges."""
    accuracy: Floats
    """(n, T, datasets) accuracy of the current cell in %, on `columns`; NaN where it was not looked up."""


def columns(accuracies: pd.DataFrame) -> list[tuple[str, str]]:
    """(dataset, split) of the accuracies that curves show, one split per dataset."""
    splits = main_splits(accuracies)
    return [(dataset, splits[dataset]) for dataset in in_order(splits, DATASET_ORDER)]


def read(store: Store, runs: pd.DataFrame, accuracies: pd.DataFrame, methods: Sequence[str]) -> dict[Group, list[Curves]]:
    """The curves of every group, its methods in the order of `methods`. Groups without one-shot runs are left out.

    `runs` are those whose records `store` has read: so their arrays are verified.
    """
    shown = columns(accuracies)
    values = _by_cell(accuracies, shown)
    found: dict[Group, list[Curves]] = {}
    for key, group in runs[runs["per_epoch"]].groupby(GROUP):
        by_method = {str(method): rows for method, rows in group.groupby("method")}
        found[Group(*key)] = [_curves(store, m, by_method[m]["key"], values) for m in methods if m in by_method]
    return found


def _by_cell(accuracies: pd.DataFrame, shown: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """One row per cell, one column per shown (dataset, split)."""
    wide = accuracies.pivot(index="cell", columns=["dataset", "split"], values="value")
    return wide.reindex(columns=pd.MultiIndex.from_tuples(shown, names=["dataset", "split"]))


def _curves(store: Store, method: str, keys: Sequence[str], values: pd.DataFrame) -> Curves:
    entropy, accuracy = [], []
    operations = 0
    for key in keys:
        arrays = store.arrays(key)
        operations = arrays["theta"].shape[2]
        entropy.append(arrays["entropy"])
        accuracy.append(values.reindex(arrays["cells"]).to_numpy(dtype=float))
    return Curves(method, operations, np.stack(entropy), np.stack(accuracy))
