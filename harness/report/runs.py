"""The runs of a results folder as a table: one row per record, with the label of its configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.experiment import config
from harness.experiment.config import Label
from harness.experiment.store import Record
from harness.report.groups import GROUP, in_order

COLUMNS = [
    "key",
    "method",  # the label as text: what rows of tables are keyed by
    "label",  # the same as data (`config.Label`)
    "name",  # of the method in the registry
    "deviations",  # tuple: why the run cannot be the published experiment
    "subset",  # whether the search saw a part of its dataset only
    "external",  # whether the method came from a file or package of the user
    "family",
    *GROUP,
    "seed",
    "failure",  # last line of the traceback; empty for a run that is done
    "last",  # cell of the last epoch
    "best_valid",  # cell of the best supernet validation accuracy; missing for single-level runs
    "per_epoch",  # whether the run has arrays
]


def tabulate(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record, columns `COLUMNS`, in the order of the records.

    A label follows from the run's own record, so that runs that are added to a folder never rename others.
    """
    labels = unambiguous(records, [config.label(record) for record in records])
    rows = [_row(record, label) for record, label in zip(records, labels, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def unambiguous(records: Sequence[Record], labels: Sequence[Label]) -> list[Label]:
    """The labels, but a digest more where one label would stand for several configurations.

    That takes code whose defaults changed without a new version; runs that differ must never be averaged.
    """
    rows: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    keys = [config.row_key(record) for record in records]
    owners = [(*_group(record), str(label)) for record, label in zip(records, labels, strict=True)]
    for owner, key in zip(owners, keys, strict=True):
        rows[owner].add(key)
    return [
        label if len(rows[owner]) == 1 else Label(label.name, (*label.details, f"configuration={key[:8]}"))
        for label, owner, key in zip(labels, owners, keys, strict=True)
    ]


def methods_in_order(runs: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Every method as labelled: by its name's place in `order`, unlisted names after them; of one name those first in
    which least was changed."""
    rows = runs.drop_duplicates("method")
    places = in_order(rows["name"], order)
    keys = {
        method: (places.index(name), len(label.details), method)
        for method, name, label in zip(rows["method"], rows["name"], rows["label"], strict=True)
    }
    return sorted(keys, key=keys.__getitem__)


def without_shared(labels: Mapping[str, Label], subsets: Iterable[str] = ()) -> tuple[dict[str, str], str]:
    """Shorter names of labelled methods: without the details that all of them have; and those details.

    Args:
        labels: by method.
        subsets: methods whose searches saw a part of a dataset only; where it is said, it is called a proxy.
    """
    every = list(labels.values())
    shared = [detail for detail in every[0].details if all(detail in label.details for label in every)]
    proxies = set(subsets) & labels.keys()
    all_proxies = bool(shared) and proxies == labels.keys()
    short = {
        method: str(label.without(shared)) + SUBSET * (method in proxies and not all_proxies)
        for method, label in labels.items()
    }
    return short, ", ".join(shared) + SUBSET * all_proxies


SUBSET = " (subset proxy)"
"""Stands wherever the numbers of searches on a part of a dataset do."""


def _row(record: Record, label: Label) -> dict[str, Any]:
    asked = record["config"]
    cells = record.get("cells") or {}
    external = asked["method"]["origin"] == "external"
    return {
        "key": record["key"],
        "method": str(label),
        "label": label,
        "name": label.name if external else asked["method"]["name"],
        "deviations": config.deviations(record),
        "subset": config.is_subset(asked),
        "external": external,
        "family": record["family"],
        **dict(zip(GROUP, _group(record), strict=True)),
        "seed": asked["seed"],
        "failure": _last_line(record.get("failure")) if record["status"] == "failed" else "",
        "last": cells.get("last"),
        "best_valid": cells.get("best_valid"),
        "per_epoch": "arrays_sha256" in record,
    }


def _group(record: Record) -> tuple[str, str, str]:
    asked = record["config"]
    return config.benchmark_name(asked), asked.get("profile", ""), config.dataset_name(asked)


def _last_line(traceback: str | None) -> str:
    lines = (traceback or "").strip().splitlines()
    return lines[-1].strip() if lines else "no reason recorded"
