"""Found cells of the DARTS space, trained from scratch: errors beside the published ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.experiment.store import Record
from harness.report.groups import GROUP
from harness.report.published import Published
from harness.report.render.wording import NOTHING

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

_IN_SIZE = ("cells", "channels", "epochs")


def searches(records: Iterable[Record]) -> list[Record]:
    """Without the trainings."""
    return [record for record in records if record["kind"] != "retrain"]


def trainings(records: Iterable[Record]) -> dict[str, Record]:
    """The trainings that are done, by key."""
    found = [record for record in records if record["kind"] == "retrain" and record["status"] == "done"]
    return {record["key"]: record for record in found if record.get(METRIC) is not None}


def finals(runs: pd.DataFrame, done: Mapping[str, Record]) -> pd.DataFrame:
    """One row per done search of the DARTS space and training of its last cell under the same seed: the columns of
    `runs`, and selection, dataset, split, metric, value (test error, %), params_millions, `table` with the recipe
    (where accuracies have the table that they were looked up in), and `training`, the key of the training.

    None is `usual`: published errors are of one cell that was chosen from several searches, so that no verdict on
    a mean over searches could be given.
    """
    trained = pd.DataFrame([_row(record) for record in done.values()], columns=_COLUMNS)
    searched = runs[(runs["failure"] == "") & (runs["space"] == "darts")].assign(selection="last", cell=runs["last"])
    found = searched.merge(trained, on=["cell", "seed"])
    return found.assign(split=SPLIT, metric=METRIC, usual=False)


_COLUMNS = ["cell", "seed", "dataset", "value", "params_millions", "table", "training"]


def _row(record: Record) -> list[Any]:
    asked = record["asked"]
    parameters = record.get("parameters")
    millions = None if parameters is None else parameters / 1e6
    return [asked["cell"], asked["seed"], asked["dataset"], record[METRIC], millions, recipe(record), record["key"]]


def recipe(record: Record) -> str:
    """E.g. `6 cells, C=8, 10 epochs`, then whatever else sets the training apart from its dataset's usual recipe."""
    asked = record["asked"]
    values, processes = asked["recipe"], asked.get("processes", 1)
    parts = [f"{values['cells']} cells, C={values['channels']}, {values['epochs']} epochs"]
    parts += [f"{name}={value}" for name, value in sorted(record["changed"].items()) if name not in _IN_SIZE]
    return ", ".join([*parts, *([f"{processes} processes"] if processes > 1 else [])])


def note(record: Record) -> str:
    """What keeps a training from being the papers' experiment; empty if nothing does."""
    dataset, epochs = record["asked"]["dataset"], record["asked"]["recipe"]["epochs"]
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
    keys = ["method", "name", "outside", *GROUP, "dataset", "recipe"]
    found = rows.groupby(keys, sort=False).agg(
        mean=("value", "mean"), std=("value", "std"), n=("value", "size"), params_millions=("params_millions", "mean")
    )
    rows = found.reset_index()
    names = zip(rows["name"], rows["outside"], strict=True)
    rows["published"] = [NOTHING if outside else _published(name, published) for name, outside in names]
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
