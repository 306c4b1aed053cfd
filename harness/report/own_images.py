"""Searches on a user's own images, which no table has accuracies for: what the supernets and the retrained cells reach
there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.experiment.config import Label
from harness.experiment.store import Record, Store
from harness.report.curves import last_validation
from harness.report.groups import GROUP, Group

EXTERNAL = "external:"


@dataclass(frozen=True)
class OwnImages:
    """One group of searches, and the black boxes whose cells were retrained on its images. Methods are called by their
    labels."""

    group: Group
    methods: Mapping[str, Label]
    """In leaderboard order."""
    searches: Mapping[str, int]
    """Finished ones of each method."""
    supernets: Mapping[str, Sequence[float]]
    """Accuracy (%) of each search's supernet on the images held out, after the last epoch. Methods are missing that
    hold no images out or have no supernet."""
    accuracies: Mapping[tuple[str, str], Sequence[float]]
    """Test accuracy (%) of each search's cell after training from scratch, by method and recipe."""
    recipes: Mapping[str, Record]
    """One of the trainings by each recipe."""


def gather(
    store: Store,
    runs: pd.DataFrame,
    trained: pd.DataFrame,
    retrainings: Mapping[str, Record],
    methods: Sequence[str],
) -> tuple[OwnImages, ...]:
    """Every group of finished searches on images of a user's own.

    Args:
        runs: columns `runs.COLUMNS`.
        trained: errors of retrained cells (`retrained.finals`).
        retrainings: their records by key.
        methods: labels in leaderboard order.
    """
    done = runs[runs["failure"] == ""]
    own = done[done["searched_on"].str.startswith(EXTERNAL)]
    groups = [Group(*map(str, key)) for key in own[GROUP].drop_duplicates().itertuples(index=False, name=None)]
    return tuple(_of_group(store, group, done, trained, retrainings, methods) for group in groups)


def _of_group(
    store: Store,
    group: Group,
    done: pd.DataFrame,
    trained: pd.DataFrame,
    retrainings: Mapping[str, Record],
    methods: Sequence[str],
) -> OwnImages:
    here = trained[(trained["space"] == group.space) & (trained["dataset"] == group.searched_on)]
    elsewhere = done["queries"].astype(bool) & done["key"].isin(here["key"])  # black boxes do not search on images
    rows = done[(done[GROUP] == list(group)).all(axis=1) | elsewhere]
    here = here[here["key"].isin(rows["key"])]
    labels = dict(zip(rows["method"], rows["label"], strict=True))
    supernets = {
        str(method): found
        for method, searches in rows[rows["per_epoch"].astype(bool)].groupby("method")
        if (found := _supernets(store, searches["key"]))
    }
    return OwnImages(
        group,
        {method: labels[method] for method in methods if method in labels},
        {str(method): int(count) for method, count in rows["method"].value_counts().items()},
        supernets,
        {
            (str(method), str(recipe)): [100 - float(error) for error in errors]
            for (method, recipe), errors in here.groupby(["method", "table"])["value"]
        },
        {
            str(recipe): retrainings[key]
            for recipe, key in here.drop_duplicates("table")[["table", "retraining"]].itertuples(index=False, name=None)
        },
    )


def _supernets(store: Store, keys: pd.Series) -> list[float]:
    last = [last_validation(store, key) for key in keys]
    return [accuracy for accuracy in last if not math.isnan(accuracy)]
