"""Found cells of the DARTS space, trained from scratch: errors beside the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from harness.report.groups import GROUP
from harness.report.published import Published
from harness.report.wording import NOTHING
from harness.store import Record

METRIC = "test_error"
PUBLISHED_COLUMNS = [
    ("cifar10", "test_error"),
    ("cifar10", "params_millions"),
    ("cifar10", "search_gpu_days"),
    ("imagenet", "top1_error"),
    ("imagenet", "top5_error"),
    ("imagenet", "params_millions"),
]
COLUMNS = ["method", *GROUP, "dataset", "recipe", "mean", "std", "n", "params_millions", "published"]


def searches(records: Iterable[Record]) -> list[Record]:
    """Without the trainings."""
    return [record for record in records if record["kind"] != "retrain"]


def finals(runs: pd.DataFrame, records: Iterable[Record]) -> pd.DataFrame:
    """One row per done search of the DARTS space and training of its last cell under the same seed: the columns of
    `runs`, and selection, dataset, split, metric, value (test error, %), params_millions, recipe, table (empty)."""
    trained = pd.DataFrame([_row(record) for record in records if record["kind"] == "retrain"], columns=_COLUMNS)
    trained = trained[trained["value"].notna()]
    done = runs[(runs["failure"] == "") & (runs["space"] == "darts")].assign(selection="last", cell=runs["last"])
    return done.merge(trained, on=["cell", "seed"]).assign(split="test", metric=METRIC, table="")


_COLUMNS = ["cell", "seed", "dataset", "value", "params_millions", "recipe"]


def _row(record: Record) -> list[Any]:
    asked = record["asked"]
    recipe = asked["recipe"]
    size = f"{recipe['cells']} cells, C={recipe['channels']}, {recipe['epochs']} epochs"
    error = record.get("test_error") if record["status"] == "done" else None
    return [asked["cell"], asked["seed"], asked["dataset"], error, record.get("params_millions"), size]


def table(trained: pd.DataFrame, published: Published, methods: Sequence[str]) -> pd.DataFrame:
    """Per method, group, dataset and recipe: our mean test error (%), its sample standard deviation, the number of
    searches, and what is published, each number with its metric, protocol and status. Columns `COLUMNS`."""
    if trained.empty:
        return pd.DataFrame(columns=COLUMNS)
    keys = ["method", "name", *GROUP, "dataset", "recipe"]
    found = trained.groupby(keys, sort=False).agg(
        mean=("value", "mean"), std=("value", "std"), n=("value", "size"), params_millions=("params_millions", "mean")
    )
    rows = found.reset_index()
    rows["published"] = [_published(name, published) for name in rows["name"]]
    order = {method: place for place, method in enumerate(methods)}
    return rows.sort_values("method", key=lambda column: column.map(order), kind="stable")[COLUMNS]


def _published(name: str, published: Published) -> str:
    parts = []
    for dataset, metric in PUBLISHED_COLUMNS:
        for value in published.values(name, "darts", dataset, metric):
            spread = "" if pd.isna(value.std) else f" ± {value.std:g}"
            protocol = f", {value.protocol}" if value.protocol else ""
            parts.append(f"{dataset} {metric} {value.mean:g}{spread} ({value.evidence}{protocol})")
    return "; ".join(parts) or NOTHING
