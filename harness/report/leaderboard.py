"""The leaderboard: each method's mean over searches next to the published value and a verdict."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.report import statistics
from harness.report.columns import LEADERBOARD, held
from harness.report.groups import DATASET_ORDER, GROUP, PROFILE_ORDER, PROXIES, SELECTION_ORDER, SPLIT_ORDER, in_order
from harness.report.published import Published, PublishedValue
from harness.report.verdict import Obstacle, judge, obstacles

COLUMNS = held(LEADERBOARD)
"""Columns of the leaderboard frame, besides `OBSTACLES`."""
OBSTACLES = "obstacles"
"""Internal column, not rendered: the reasons why ours and the published value are not comparable (`verdict`)."""

_FLOATS = [
    "mean",
    "std",
    "published",
    "published_std",
    "difference",
    "low",
    "high",
    "resolution",
    "margin",
    "spread_ratio",
    "p",
    "p_holm",
]
_ROW = [
    "name",
    "published_as",
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
    """Aggregate runs into the leaderboard and attach published values and verdicts.

    Accuracies, errors and their sample standard deviations (ddof 1, missing for one run) are in percent.

    Args:
        finals: one row per run, selection, dataset and split (`accuracies.final`, `retrained.finals`).
        methods: labels of the methods in leaderboard order.
        unverified: names of unverified tables, whose rows are never judged.

    Returns:
        The frame with columns `COLUMNS` and `OBSTACLES`, and its published values. `difference` is ours - published
        where dataset, metric and split agree; `published_split` includes the dataset if it differs from ours; `p_holm`
        is `p` after Holm's correction over all rows that have one; `table` is the source of a number: the table looked
        up, or the recipe of the retraining.
    """
    grouped = finals.groupby(_ROW, sort=False)
    spread = grouped.agg(mean=("value", "mean"), std=("value", "std"), n=("value", "count"), cells=("cell", list))
    rows = _sorted(spread.reset_index(), methods).to_dict("records")
    cited = [_published(row, published) for row in rows]
    compared = [_compared(row, value, row["table"] in unverified) for row, value in zip(rows, cited, strict=True)]
    frame = pd.DataFrame(compared, columns=[*COLUMNS, OBSTACLES])
    typed = frame.astype(dict.fromkeys(_FLOATS, float) | {"n": int, "published_n": "Int64", "hits": "Int64"})
    tested = typed["p"].notna()
    if tested.any():
        typed.loc[tested, "p_holm"] = statistics.holm(typed.loc[tested, "p"].tolist())
    return typed, [value for value in cited if value is not None]


def _published(row: dict[Any, Any], published: Published) -> PublishedValue | None:
    """The published value shown in a row; for a proxy without one, that of the dataset it stands in for."""
    if row["external"]:  # the name of an external method may coincide with a published one
        return None
    dataset, searched_on = (PROXIES.get(name, name) for name in (row["dataset"], row["searched_on"]))
    metric_split = (row["metric"], row["split"])
    for name in row["published_as"]:
        exact = published.choose(name, row["space"], row["dataset"], *metric_split, row["searched_on"])
        if value := exact or published.choose(name, row["space"], dataset, *metric_split, searched_on):
            return value
    return None


def _compared(row: dict[Any, Any], published: PublishedValue | None, unverified: bool) -> dict[str, Any]:
    ours = dict(row)
    mean, std, n = row["mean"], row["std"], row["n"]
    if published is None:
        return {**ours, OBSTACLES: (), **judge(mean, std, n, None, False)._asdict()}
    same = (published.dataset, published.metric, published.split) == (ours["dataset"], ours["metric"], ours["split"])
    keys = ("deviations", "searched_on", "selection", "dataset", "metric", "split")
    reasons = obstacles(published, **{key: ours[key] for key in keys})
    if unverified and not any(reason == "unverified table" for _, reason in reasons):
        reasons += (Obstacle("source", "unverified table"),)
    margin = margin_of(row["space"], row["dataset"], row["split"])
    hits = sum(cell in published.cells for cell in row["cells"])
    judgement = judge(mean, std, n, published, not reasons, margin=margin, hits=hits)
    return {
        **ours,
        **judgement._asdict(),
        "margin": None if math.isnan(judgement.resolution) else margin,
        "published": published.mean,
        "published_std": published.std,
        "published_n": published.n,
        "published_split": qualified_split(published, row["dataset"]),
        "published_status": published.evidence,
        "difference": mean - published.mean if same else None,
        OBSTACLES: reasons,
    }


def margin_of(space: str, dataset: str, split: str) -> float | None:
    """Margin of agreement with a published mean, in points; None if the benchmark has none."""
    return BENCHMARKS[space].margins.get((dataset, split)) if space in BENCHMARKS else None


def qualified_split(published: PublishedValue, dataset: str) -> str:
    """The split of a published value, preceded by its dataset if that differs from ours."""
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
