"""Test errors of searched architectures retrained from scratch, next to the published errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.experiment import config
from harness.experiment.store import Record
from harness.report.columns import RETRAINED, held
from harness.report.groups import GROUP, PROXIES
from harness.report.published import Published
from harness.report.render.wording import NOTHING
from harness.report.runs import unambiguous

METRIC = "test_error"
SPLIT = "test"
COLUMNS = held(RETRAINED)

CHOSEN = ("published errors are of one cell, chosen from several searches",)


def searches(records: Iterable[Record]) -> list[Record]:
    """The records of searches, without retrainings."""
    return [record for record in records if record["config"]["kind"] != config.RETRAINING]


def retrainings(records: Iterable[Record]) -> dict[str, Record]:
    """The finished retrainings, by key."""
    finished = [
        record for record in records if record["config"]["kind"] == config.RETRAINING and record["status"] == "done"
    ]
    return {record["key"]: record for record in finished if record.get(METRIC) is not None}


def finals(runs: pd.DataFrame, finished: Mapping[str, Record]) -> pd.DataFrame:
    """One row per finished search and retraining of its last cell under the same seed.

    Columns of `runs`, plus selection, dataset, split, metric, value (test error, %), params_millions, `table` (the
    recipe, in the column that names the looked-up table for accuracies) and `retraining` (key of the retraining).

    Every row has a deviation, so no verdict is given: published errors are of one cell chosen from several searches,
    ours are means over searches.
    """
    records = list(finished.values())
    recipes = unambiguous(records, [config.recipe_label(record) for record in records])
    rows = [_row(record, str(recipe)) for record, recipe in zip(records, recipes, strict=True)]
    trained = pd.DataFrame(rows, columns=_COLUMNS)
    finished_runs = runs[runs["failure"] == ""]
    searched = finished_runs.assign(selection="last", cell=finished_runs["last"])
    merged = searched.merge(trained, on=["space", "cell", "seed"])
    return merged.assign(split=SPLIT, metric=METRIC, deviations=pd.Series([CHOSEN] * len(merged), merged.index, object))


_COLUMNS = ["space", "cell", "seed", "dataset", "value", "params_millions", "table", "retraining"]


def _row(record: Record, recipe: str) -> list[Any]:
    trained = record["config"]
    parameters = record.get("parameters")
    millions = None if parameters is None else parameters / 1e6
    dataset = config.dataset_name(trained)
    space = config.benchmark_name(trained)
    return [space, trained["architecture"], trained["seed"], dataset, record[METRIC], millions, recipe, record["key"]]


def note(record: Record) -> str:
    """How a retraining departs from the papers' experiment (proxy dataset, short schedule); empty if it does not."""
    dataset, epochs = config.dataset_name(record["config"]), record["config"]["protocol"]["values"]["epochs"]
    if dataset in PROXIES:
        return f"{dataset} proxy, short schedule"
    benchmark = BENCHMARKS.get(config.benchmark_name(record["config"]))
    return "short schedule" if benchmark and epochs < benchmark.published_epochs.get(dataset, 0) else ""


def notes(trained: pd.DataFrame, finished: Mapping[str, Record]) -> dict[tuple[str, str], str]:
    """The note (`note`) for each dataset and recipe."""
    rows = trained.drop_duplicates(["dataset", "table"])
    return {
        (dataset, recipe): note(finished[key])
        for dataset, recipe, key in zip(rows["dataset"], rows["table"], rows["retraining"], strict=True)
    }


def table(trained: pd.DataFrame, published: Published, methods: Sequence[str]) -> pd.DataFrame:
    """Our mean test error (%), its sample standard deviation, the number of searches and the published values (each
    with metric, protocol and status), per method, group, dataset and recipe. Columns `COLUMNS`."""
    if trained.empty:
        return pd.DataFrame(columns=COLUMNS)
    rows = trained.rename(columns={"table": "recipe"})
    rows["params_millions"] = rows["params_millions"].astype(float)
    keys = ["method", "name", "external", *GROUP, "dataset", "recipe"]
    aggregated = rows.groupby(keys, sort=False).agg(
        mean=("value", "mean"), std=("value", "std"), n=("value", "size"), params_millions=("params_millions", "mean")
    )
    rows = aggregated.reset_index()
    names = zip(rows["name"], rows["space"], rows["external"], strict=True)
    rows["published"] = [NOTHING if external else _published(name, space, published) for name, space, external in names]
    order = {method: position for position, method in enumerate(methods)}
    return rows.sort_values("method", key=lambda column: column.map(order), kind="stable")[COLUMNS]


def _published(name: str, space: str, published: Published) -> str:
    parts = []
    for dataset, metric in BENCHMARKS[space].published_columns if space in BENCHMARKS else ():
        for value in published.values(name, space, dataset, metric):
            spread = "" if pd.isna(value.std) else f" ± {value.std:g}"
            experiment = f", {value.experiment}" if value.protocol else ""
            parts.append(f"{dataset} {metric} {value.mean:g}{spread} ({value.evidence}{experiment})")
    return "; ".join(parts) or NOTHING
