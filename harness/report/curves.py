"""What happened in every epoch of the runs of one group, as arrays ready to be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.report.accuracies import main_splits
from harness.report.groups import DATASET_ORDER, in_order
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


def read(store: Store, runs: pd.DataFrame, accuracies: pd.DataFrame, methods: Sequence[str]) -> list[Curves]:
    """The curves of one group's one-shot runs, by method in the order of `methods`.

    `runs` are records that `store` has read: so their arrays are verified.
    """
    values = _by_cell(accuracies)
    keys = runs[runs["per_epoch"]].groupby("method")["key"].agg(list)
    return [_curves(store, method, keys[method], values) for method in methods if method in keys]


def covered(curves: Sequence[Curves]) -> list[Curves]:
    """Without the runs that miss an accuracy somewhere: a mean over seeds must be over the same seeds everywhere."""
    kept = []
    for method in curves:
        complete = ~np.isnan(method.accuracy).any(axis=(1, 2))
        if complete.any():
            kept.append(replace(method, entropy=method.entropy[complete], accuracy=method.accuracy[complete]))
    return kept


def _by_cell(accuracies: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, one column for each of `columns`."""
    wide = accuracies.pivot(index="cell", columns=["dataset", "split"], values="value")
    return wide[columns(accuracies)]


def _curves(store: Store, method: str, keys: Sequence[str], values: pd.DataFrame) -> Curves:
    arrays = [store.arrays(key) for key in keys]
    entropy = np.stack([run["entropy"] for run in arrays])
    accuracy = values.reindex(np.concatenate([run["cells"] for run in arrays])).to_numpy(dtype=float)
    return Curves(
        method=method,
        operations=arrays[0]["theta"].shape[2],
        entropy=entropy,
        accuracy=accuracy.reshape(*entropy.shape[:2], values.shape[1]),
    )
