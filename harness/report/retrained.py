"""Found cells of the DARTS space, trained from scratch: errors beside the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.experiment import config
from harness.experiment.store import Record
from harness.report.groups import GROUP
from harness.report.published import Published
from harness.report.render.wording import NOTHING
from harness.report.runs import unambiguous

METRIC = "test_error"
SPLIT = "test"
PUBLISHED_COLUMNS = [
    ("cifar10", "test_error"),
    ("cifar10", "params_millions"),
    ("cifar10", "search_gpu_days"),
    ("imagenet", "top1_error"),
    ("imagenet", "top5_error"),
    ("imagenet", "params_millions"),
    ("imagenet", "search_gpu_days"),
]
COLUMNS = ["method", *GROUP, "dataset", "recipe", "mean", "std", "n", "params_millions", "published"]

PUBLISHED_EPOCHS = {"cifar10": 600, "cifar100": 600, "imagenet": 250}
"""Of the trainings behind published errors: Liu, Simonyan and Yang (ICLR 2019), Section 3.3; PC-DARTS (ICLR 2020)."""

CHOSEN = ("published errors are of one cell, chosen from several searches",)


def searches(records: Iterable[Record]) -> list[Record]:
    """Without the trainings."""
    return [record for record in records if record["config"]["kind"] != config.RETRAINING]


def trainings(records: Iterable[Record]) -> dict[str, Record]:
    """The trainings that are done, by key."""
    retrainings = [record for record in records if record["config"]["kind"] == config.RETRAINING]
    done = [record for record in retrainings if record["status"] == "done"]
    return {record["key"]: record for record in done if record.get(METRIC) is not None}


def finals(runs: pd.DataFrame, done: Mapping[str, Record]) -> pd.DataFrame:
    """One row per done search of the DARTS space and training of its last cell under the same seed: the columns of
    `runs`, and selection, dataset, split, metric, value (test error, %), params_millions, `table` with the recipe
    (where accuracies have the table that they were looked up in), and `training`, the key of the training.

    All deviate from what is published, errors of one cell that was chosen from several searches: no verdict on a mean
    over searches could be given.
    """
    records = list(done.values())
    recipes = unambiguous(records, [config.recipe_label(record) for record in records])
    rows = [_row(record, str(recipe)) for record, recipe in zip(records, recipes, strict=True)]
    trained = pd.DataFrame(rows, columns=_COLUMNS)
    searched = runs[(runs["failure"] == "") & (runs["space"] == "darts")].assign(selection="last", cell=runs["last"])
    found = searched.merge(trained, on=["cell", "seed"])
    return found.assign(split=SPLIT, metric=METRIC, deviations=pd.Series([CHOSEN] * len(found), found.index, object))


_COLUMNS = ["cell", "seed", "dataset", "value", "params_millions", "table", "training"]


def _row(record: Record, recipe: str) -> list[Any]:
    trained = record["config"]
    parameters = record.get("parameters")
    millions = None if parameters is None else parameters / 1e6
    dataset = config.dataset_name(trained)
    return [trained["architecture"], trained["seed"], dataset, record[METRIC], millions, recipe, record["key"]]


def note(record: Record) -> str:
    """What keeps a training from being the papers' experiment; empty if nothing does."""
    dataset, epochs = config.dataset_name(record["config"]), record["config"]["protocol"]["values"]["epochs"]
    if dataset == "digits":
        return "digits proxy, short schedule"
    return "short schedule" if epochs < PUBLISHED_EPOCHS.get(dataset, 0) else ""


def notes(found: pd.DataFrame, done: Mapping[str, Record]) -> dict[tuple[str, str], str]:
    """The note on every dataset and recipe."""
    rows = found.drop_duplicates(["dataset", "table"])
    return {
        (dataset, name): note(done[key])
        for dataset, name, key in zip(rows["dataset"], rows["table"], rows["training"], strict=True)
    }


def table(trained: pd.DataFrame, published: Published, methods: Sequence[str]) -> pd.DataFrame:
    """Per method, group, dataset and recipe: our mean test error (%), its sample standard deviation, the number of
    searches, and what is published, each number with its metric, protocol and status. Columns `COLUMNS`."""
    if trained.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = trained.rename(columns={"table": "recipe"})
    rows["params_millions"] = rows["params_millions"].astype(float)
    keys = ["method", "name", "external", *GROUP, "dataset", "recipe"]
    found = rows.groupby(keys, sort=False).agg(
        mean=("value", "mean"), std=("value", "std"), n=("value", "size"), params_millions=("params_millions", "mean")
    )
    rows = found.reset_index()
    names = zip(rows["name"], rows["external"], strict=True)
    rows["published"] = [NOTHING if external else _published(name, published) for name, external in names]
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
