"""Per-epoch quantities of the one-shot runs of one group, stacked into arrays for the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.experiment.store import Arrays, Store
from harness.report.accuracies import main_splits
from harness.report.counts import counts
from harness.report.groups import DATASET_ORDER, in_order

Floats = NDArray[np.floating]
UNFIT = "figures leave out the run {}: its arrays are not those of such a run"


@dataclass(frozen=True)
class Curves:
    """One-shot runs of one method, n seeds over T epochs; position t is the state after epoch t + 1."""

    method: str
    name: str
    """Registry name; empty for an external method."""
    theta: Floats
    """(n, T, E, K) operation weights of the edges."""
    entropy: Floats
    """(n, T, cell types) entropy of the operation weights, nats, mean over edges."""
    supernet: Floats
    """(n, T) validation accuracy of the supernet, %; NaN where not measured."""
    accuracy: Floats
    """(n, T, datasets) accuracy of the current cell in %, for each of `columns`; NaN where not looked up."""
    passes: Floats
    """(n, T) images that passed through the supernet until the end of the epoch, forward and backward; NaN where the
    run does not count them."""

    @property
    def operations(self) -> int:
        """K, the number of candidate operations of an edge."""
        return int(self.theta.shape[3])

    @property
    def counted(self) -> bool:
        """Whether all runs count the images that passed."""
        return bool(np.isfinite(self.passes).all())


def last_validation(store: Store, key: str) -> float:
    """Validation accuracy (%) of a run's supernet after the last epoch; NaN if its arrays do not have it."""
    try:
        found = store.arrays(key, ["valid_accuracy"])
    except ValueError:  # no arrays; the figures say so
        return np.nan
    values = found.get("valid_accuracy", np.array([]))
    return float(values[-1]) if values.ndim == 1 and values.dtype.kind == "f" and len(values) else np.nan


def columns(accuracies: pd.DataFrame) -> list[tuple[str, str]]:
    """The (dataset, split) pairs that curves show, one split per dataset."""
    splits = main_splits(accuracies)
    return [(dataset, splits[dataset]) for dataset in in_order(splits, DATASET_ORDER)]


def by_cell(accuracies: pd.DataFrame) -> pd.DataFrame:
    """Accuracies in % with one row per cell and one column for each of `columns`."""
    wide = accuracies.pivot(index="cell", columns=["dataset", "split"], values="value")
    return wide[columns(accuracies)]


def read(store: Store, runs: pd.DataFrame, accuracies: pd.DataFrame, methods: Sequence[str]) -> list[Curves]:
    """Curves of one group's one-shot runs, in the order of `methods`.

    `runs` must come from records that `store` has read, which verifies their arrays.
    """
    values = by_cell(accuracies)
    per_epoch = dict(list(runs[runs["per_epoch"]].groupby("method")))
    read = (_curves(store, per_epoch[method], values) for method in methods if method in per_epoch)
    return [one for one in read if one is not None]


def covered(curves: Sequence[Curves]) -> list[Curves]:
    """Drop runs with a missing accuracy, so that means in all epochs and columns are over the same seeds."""
    kept = []
    for method in curves:
        complete = ~np.isnan(method.accuracy).any(axis=(1, 2))
        if complete.any():
            arrays = ("theta", "entropy", "supernet", "accuracy", "passes")
            kept.append(replace(method, **{array: getattr(method, array)[complete] for array in arrays}))
    return kept


LOGGED = {"theta": ("f", 3), "entropy": ("f", 2), "valid_accuracy": ("f", 1), "cells": ("U", 1)}
"""The arrays of a run that curves are made of: kind and dimensions, the first of which is that of the epochs."""


def _shapes(arrays: Arrays) -> tuple[tuple[int, ...], ...] | None:
    """Shapes of the logged arrays; None if they are not those of a run."""
    for name, (kind, dimensions) in LOGGED.items():
        if name not in arrays or (arrays[name].dtype.kind, arrays[name].ndim) != (kind, dimensions):
            return None
    shapes = tuple(arrays[name].shape for name in LOGGED)
    return shapes if len({shape[0] for shape in shapes}) == 1 and all(map(all, shapes)) else None


def _passes(log: Arrays) -> Floats:
    """(T,) images that passed until the end of each epoch of a run; NaN if it does not count them."""
    found, epochs = counts(log), len(log["cells"])
    return found.passes.cumsum() if found and len(found.passes) == epochs else np.full(epochs, np.nan)


def _logs(store: Store, runs: pd.DataFrame) -> dict[str, Arrays]:
    """The arrays of one method's runs, by key. Those that are not like the others are left out, with a warning."""
    logs: dict[str, Arrays] = {}
    for key in runs["key"]:
        try:
            logs[key] = store.arrays(key)
        except ValueError:
            logs[key] = {}
    shapes = {key: _shapes(arrays) for key, arrays in logs.items()}
    usual = Counter(shape for shape in shapes.values() if shape).most_common(1)
    fitting = {key for key, shape in shapes.items() if usual and shape == usual[0][0]}
    store.warnings += [UNFIT.format(key) for key in logs if key not in fitting]
    return {key: logs[key] for key in logs if key in fitting}


def _curves(store: Store, runs: pd.DataFrame, values: pd.DataFrame) -> Curves | None:
    logs = _logs(store, runs)
    if not logs:
        return None
    theta, entropy, supernet, cells = (np.stack([log[name] for log in logs.values()]) for name in LOGGED)
    accuracy = values.reindex(cells.ravel()).to_numpy(dtype=float)
    runs = runs[runs["key"].isin(logs)]
    first = runs.iloc[0]
    return Curves(
        method=first["method"],
        name="" if first["external"] else first["name"],
        theta=theta,
        entropy=entropy,
        supernet=supernet,
        accuracy=accuracy.reshape(*cells.shape, values.shape[1]),
        passes=np.stack([_passes(log) for log in logs.values()]),
    )
