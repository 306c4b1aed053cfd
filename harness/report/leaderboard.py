"""The leaderboard: every method's mean over searches, beside the published value and a verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from harness.report.groups import DATASET_ORDER, GROUP, PROFILE_ORDER, SELECTION_ORDER, SPLIT_ORDER, in_order
from harness.report.metrics import DATASET_OF_PROXY
from harness.report.published import Published, PublishedValue
from harness.report.verdict import Obstacle, judge, obstacles

COLUMNS = [
    "method",
    "family",
    *GROUP,
    "selection",
    "dataset",
    "metric",
    "split",
    "mean",
    "std",
    "n",
    "published",
    "published_std",
    "published_n",
    "published_split",
    "published_status",
    "difference",
    "verdict",
    "table",
]
"""Of the leaderboard as a file."""
OBSTACLES = "obstacles"
"""A column of the leaderboard in memory: what keeps ours from being compared with the published value (`verdict`)."""

_ACCURACIES = ["mean", "std", "published", "published_std", "difference"]
_ROW = [
    "name",
    "deviations",
    "external",
    "method",
    "family",
    *GROUP,
    "selection",
    "dataset",
    "metric",
    "split",
    "table",
]


def build(
    finals: pd.DataFrame, published: Published, methods: Sequence[str], unverified: Collection[str] = ()
) -> tuple[pd.DataFrame, list[PublishedValue]]:
    """The leaderboard, columns `COLUMNS` and `OBSTACLES`, and the published values that stand in it.

    `finals` has one row per run, selection, dataset and split (`accuracies.final`, `retrained.finals`). Accuracies,
    errors and their sample standard deviations (ddof 1, missing for one run) are in percent; `methods` says in which
    order methods come. `difference` is ours - published where both have the same dataset, metric and split;
    `published_split` names the dataset too where it is another; `table` is what a number rests on: the table that was
    looked up, or the recipe of the training; no row of an `unverified` table is judged.
    """
    spread = finals.groupby(_ROW, sort=False)["value"].agg(["mean", "std", "count"]).reset_index()
    rows = _sorted(spread.rename(columns={"count": "n"}), methods).to_dict("records")
    cited = [_published(row, published) for row in rows]
    compared = [_compared(row, value, row["table"] in unverified) for row, value in zip(rows, cited, strict=True)]
    frame = pd.DataFrame(compared, columns=[*COLUMNS, OBSTACLES])
    typed = frame.astype(dict.fromkeys(_ACCURACIES, float) | {"n": int, "published_n": "Int64"})
    return typed, [value for value in cited if value is not None]


def _published(row: dict[Any, Any], published: Published) -> PublishedValue | None:
    if row["external"]:  # its name is the user's own and may be anyone's
        return None
    dataset, searched_on = (DATASET_OF_PROXY.get(name, name) for name in (row["dataset"], row["searched_on"]))
    where = (row["metric"], row["split"])
    own = published.choose(row["name"], row["space"], row["dataset"], *where, row["searched_on"])
    return own or published.choose(row["name"], row["space"], dataset, *where, searched_on)


def _compared(row: dict[Any, Any], published: PublishedValue | None, unverified: bool) -> dict[str, Any]:
    ours = dict(row)
    if published is None:
        return {**ours, OBSTACLES: (), "verdict": judge(row["mean"], row["std"], row["n"], None, False)}
    same = (published.dataset, published.metric, published.split) == (ours["dataset"], ours["metric"], ours["split"])
    keys = ("deviations", "searched_on", "selection", "dataset", "metric", "split")
    found = obstacles(published, **{key: ours[key] for key in keys})
    if unverified and not any(reason == "unverified table" for _, reason in found):
        found += (Obstacle("source", "unverified table"),)
    return {
        **ours,
        "published": published.mean,
        "published_std": published.std,
        "published_n": published.n,
        "published_split": place(published, row["dataset"]),
        "published_status": published.evidence,
        "difference": row["mean"] - published.mean if same else None,
        "verdict": judge(row["mean"], row["std"], row["n"], published, not found),
        OBSTACLES: found,
    }


def place(published: PublishedValue, dataset: str) -> str:
    """The split of a published value, with its dataset where that is not ours."""
    return published.split if published.dataset == dataset else f"{published.dataset} {published.split}".strip()


def _sorted(frame: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    orders: dict[str, Sequence[str]] = {
        "space": (),
        "profile": PROFILE_ORDER,
        "searched_on": (),
        "selection": SELECTION_ORDER,
        "method": methods,
        "dataset": DATASET_ORDER,
        "split": SPLIT_ORDER,
        "table": (),
    }
    ranks = pd.DataFrame({key: frame[key].map(_ranks(frame[key], order)) for key, order in orders.items()})
    return frame.loc[ranks.sort_values(list(orders)).index].reset_index(drop=True)


def _ranks(values: Iterable[str], order: Sequence[str]) -> dict[str, int]:
    return {value: rank for rank, value in enumerate(in_order(values, order))}
