"""The runs of a results folder as a frame: one row per record, labelled by its configuration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.experiment import config
from harness.experiment.config import Label
from harness.experiment.store import Record
from harness.report.controls import is_control
from harness.report.groups import GROUP, in_order

COLUMNS = [
    "key",
    "method",  # label as text; the key of table rows
    "label",  # the same label, structured (`config.Label`)
    "name",  # registry name of the method
    "published_as",  # tuple of names that published rows of it may have (`config.published_as`)
    "deviations",  # tuple of reasons why the run differs from the published experiment
    "subset",  # whether the search used only a subset of its dataset
    "external",  # whether the method came from a user's file or package
    "family",
    *GROUP,
    "seed",
    "failure",  # last line of the traceback; empty for a finished run
    "last",  # final cell
    "best_valid",  # cell of the best supernet validation accuracy; missing for single-level runs
    "overrides",  # what the user set to another value than the default, by name
    "per_epoch",  # whether the run has the per-epoch arrays of weight sharing
    "queries",  # whether it queries a table or nothing, and no images
]


UNPUBLISHED = "no published protocol in this space"


def tabulate(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record, columns `COLUMNS`, in the order of the records.

    A label depends only on the run's own record, so adding runs to a folder does not rename the others.
    """
    row_of = [_but_for_the_seed(record) for record in records]
    firsts = dict(zip(row_of, records, strict=True))
    labels = unambiguous(list(firsts.values()), [config.label(record) for record in firsts.values()])
    shared = {row: _of_row(record, label) for (row, record), label in zip(firsts.items(), labels, strict=True)}
    rows = [{**shared[row], **_of_run(record)} for row, record in zip(row_of, records, strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _but_for_the_seed(record: Record) -> bytes:
    """Of a run what the runs of one row have in common, so that it is worked out once for thousands of them."""
    return msgspec.json.encode([{**record["config"], "seed": None}, record["provenance"].get("dirty")])


def unambiguous(records: Sequence[Record], labels: Sequence[Label]) -> list[Label]:
    """Append a configuration digest to labels that several configurations of one group share.

    This happens if defaults in the code changed without a new version; different configurations must not be averaged.
    """
    configurations: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    keys = [config.row_key(record) for record in records]
    labelled = [(*_group(record), str(label)) for record, label in zip(records, labels, strict=True)]
    for group_label, key in zip(labelled, keys, strict=True):
        configurations[group_label].add(key)
    return [
        label
        if len(configurations[group_label]) == 1
        else Label(label.name, (*label.details, f"configuration={key[:8]}"))
        for label, group_label, key in zip(labels, labelled, keys, strict=True)
    ]


def methods_in_order(runs: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Labels of all methods: controls last, then sorted by the position of their names in `order` (unlisted names
    last), then by the number of overrides and their values."""
    rows = runs.drop_duplicates("method")
    names = in_order(rows["name"], order)
    keys = {
        method: (is_control(*kind), names.index(kind[0]), len(label.details), _by_value(overrides), method)
        for method, label, overrides, *kind in zip(
            *(rows[column] for column in ("method", "label", "overrides", "name", "family", "external")), strict=True
        )
    }
    return sorted(keys, key=keys.__getitem__)


def _by_value(overrides: Mapping[str, Any]) -> list[tuple[str, bool, float, str]]:
    """Sort key of overrides: numbers by their size."""
    numbers = {name: isinstance(value, int | float) for name, value in overrides.items()}
    return [
        (name, not numbers[name], float(value) if numbers[name] else 0.0, str(value))
        for name, value in sorted(overrides.items())
    ]


def without_shared(
    labels: Mapping[str, Label], subsets: Iterable[str] = (), blind: Collection[str] = ()
) -> tuple[dict[str, str], str]:
    """Shorten labels by the details that all of them share.

    Args:
        labels: label of each method.
        subsets: methods that searched on a subset of a dataset; their names are marked as proxies.
        blind: controls that see no data, which need not share a detail.

    Returns:
        The short name of each method, and the shared details as text.
    """
    sharing = labels.keys() - set(blind) or labels.keys()
    first, *others = (label.details for method, label in labels.items() if method in sharing)
    shared = [detail for detail in first if all(detail in details for details in others)]
    proxies = set(subsets) & labels.keys()
    all_proxies = bool(shared) and proxies == sharing
    short = {
        method: str(label.without(shared)) + SUBSET * (method in proxies and not all_proxies)
        for method, label in labels.items()
    }
    return short, ", ".join(shared) + SUBSET * all_proxies


SUBSET = " (searched on a subset)"
"""Marks the numbers of searches on a part of the dataset's images, in every table and figure."""


def _of_row(record: Record, label: Label) -> dict[str, Any]:
    configuration = record["config"]
    external = configuration["method"]["origin"] == "external"
    return {
        "method": str(label),
        "label": label,
        "name": label.name if external else configuration["method"]["name"],
        "published_as": config.published_as(configuration),
        "deviations": (*config.deviations(record), *_own_protocol(configuration)),
        "subset": config.is_subset(configuration),
        "external": external,
        **dict(zip(GROUP, _group(record), strict=True)),
        "overrides": config.overridden(configuration),
        "queries": configuration["kind"] == "black-box",
    }


def _own_protocol(configuration: Mapping[str, Any]) -> tuple[str, ...]:
    """That a built-in method has no published protocol in a built-in space: every search of it is under one of ours."""
    method, benchmark = configuration["method"], BENCHMARKS.get(config.benchmark_name(configuration))
    if benchmark is None or method["origin"] != "built-in" or configuration["profile"] == "paper":
        return ()
    budget = None
    if configuration["kind"] == "one-shot":
        budget = benchmark.default_protocol("paper", configuration["dataset"]["name"], method["name"])
    elif configuration["kind"] == "training-free":
        budget = benchmark.default_scoring("paper", method["name"])
    return (UNPUBLISHED,) if budget and budget.profile != "paper" else ()


def _of_run(record: Record) -> dict[str, Any]:
    cells = record.get("cells") or {}
    return {
        "key": record["key"],
        "family": record["family"],
        "seed": record["config"]["seed"],
        "failure": _last_line(record.get("failure")) if record["status"] == "failed" else "",
        "last": cells.get("last"),
        "best_valid": cells.get("best_valid"),
        "per_epoch": record["config"]["kind"] == "one-shot" and "arrays_sha256" in record,
    }


def _group(record: Record) -> tuple[str, str, str]:
    configuration = record["config"]
    return config.benchmark_name(configuration), configuration.get("profile", ""), config.dataset_name(configuration)


def _last_line(traceback: str | None) -> str:
    lines = (traceback or "").strip().splitlines()
    return lines[-1].strip() if lines else "no reason recorded"
