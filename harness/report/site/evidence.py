"""Where every number of the leaderboard comes from, compact enough to travel inside a page.

The searches are columns, sorted by configuration and seed; whatever many of them share is written once and named by
its place in a list. What one number rests on is put together only when somebody asks for it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.experiment.config import overridden
from harness.experiment.store import REPORTED_EPOCHS, Record
from harness.report import leaderboard, regret, retrained
from harness.report.content import Report
from harness.report.costs import UNITS, Cost
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.published import PublishedValue
from harness.report.render import wording
from harness.report.runs import SUBSET
from harness.report.site import commands

ROW = [
    "configuration",  # place in `configurations`
    "selection",
    "dataset",
    "split",
    "metric",
    "mean",  # this and the next two: text, as in all tables
    "std",
    "n",
    "published",  # place in `published`, or null
    "difference",
    "verdict",
    "obstacles",  # what keeps the two from being compared: pairs of an aspect and a reason
    "origin",  # place in `origins`: the table that was looked up, or the training
    "values",  # in % of every search of the configuration; null if it does not count
    "trainings",  # of the same searches, places in the columns of `trainings`; null if the values were looked up
    "size",  # millions of parameters, ours and published, and a verdict: text; null if they were looked up
    "best",  # accuracy in % of the best cell of the table; this and all that follows: null if cells were trained
    "regret",  # mean over the searches, in points: text
    "hits",  # searches, out of n, that found the best
    "cells",  # different ones among what the n searches found
    "classes",  # of isomorphic cells
]

_KEY_DIGITS = 12
_NUMBER = ["method", *GROUP, "selection", "dataset", "split", "table"]
_TITLES = {
    "test_error": "test error, %",
    "top1_error": "top-1 error, %",
    "top5_error": "top-5 error, %",
    "params_millions": "parameters, millions",
    **{metric: f"search, {unit}" for metric, unit in UNITS.items()},
}
"""Of published numbers that are listed in full, since different papers give different values."""

_OF_ONE_RUN = ("started", "seconds", "peak_memory_mb")  # in its provenance; the rest is the same for many


def collect(report: Report) -> dict[str, Any]:
    """Everything the page shows of the leaderboard and the searches behind it, as JSON would have it."""
    published = _Interned()
    searches = _Searches(report, published)
    rows = _Rows(report, searches, published)
    return {
        "row": ROW,
        "rows": [rows.row(ours, value) for ours, value in _with_published(report)],
        "metrics": {name: metric._asdict() for name, metric in METRICS.items()},
        "titles": _TITLES,
        "origins": rows.origins.values,
        "trainings": rows.trainings,
        "configurations": searches.configurations,
        "searches": searches.columns,
        "cells": searches.cells.values,
        "provenances": searches.provenances.values,
        "published": published.values,
        "selections": SELECTIONS,
    }


class _Interned:
    """A list in which everything stands once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        text = json.dumps(value, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(value)
        return self._places[text]


class _Searches:
    """The searches that are done, by configuration and seed."""

    def __init__(self, report: Report, published: _Interned) -> None:
        self.configurations: list[dict[str, Any]] = []
        self.columns: dict[str, list[Any]] = {}
        self.cells = _Interned()
        self.provenances = _Interned()
        self.places: dict[str, int] = {}
        """Of every search in the columns, by its key."""
        self._places: dict[tuple[str, ...], int] = {}
        self._report, self._published = report, published
        self._costs = {(*cost.group, cost.method): cost for cost in report.costs}
        runs = report.runs.assign(place=range(len(report.runs)))
        for key, own in runs.sort_values("seed", kind="stable").groupby([*GROUP, "method"]):
            self._add(Group(*map(str, key[:3])), str(key[3]), own, [report.records[place] for place in own["place"]])

    def place(self, row: Any) -> int:
        """The configuration of a leaderboard row."""
        return self._places[row.space, row.profile, row.searched_on, row.method]

    def _add(self, group: Group, method: str, runs: pd.DataFrame, records: Sequence[Record]) -> None:
        done = [record for record in records if record["status"] == "done"]
        if not done:
            return
        first, config = done[0], done[0]["config"]
        label = runs["label"].iloc[0]
        start = len(self.columns.get("seed", ()))
        for record in done:
            self.places[record["key"]] = len(self.places)
            for name, value in self._columns(record).items():
                self.columns.setdefault(name, []).append(value)
        started = [record["provenance"]["started"] for record in done if record["provenance"].get("started")]
        self._places[(*group, method)] = len(self.configurations)
        self.configurations.append(
            {
                "method": wording.printable(method),
                "name": wording.printable(label.name),
                "details": wording.printable(", ".join(label.details)),
                "family": first["family"],
                **group._asdict(),
                "proxy": (group.label or SUBSET * bool(runs["subset"].iloc[0])).strip(" ()"),
                "sentence": group.sentence,
                "kind": config["kind"],
                "settings": config["settings"],
                "protocol": {**config["protocol"]["values"], **config["numerics"]},
                "changed": _changed(config),
                "source": config["method"].get("sha256"),
                "optimizer": (config["optimizer"] or {}).get("sha256"),
                "data": config["dataset"].get("sha256"),
                "split": (config["dataset"].get("split") or {}).get("name"),
                "table": (config.get("table") or {}).get("sha256"),
                "signal_epochs": (config.get("table") or {}).get("epochs"),
                "searches": [start, start + len(done)],
                "failed": len(runs) - len(done),
                "started": [min(started), max(started)] if started else [],
                "command": commands.searching(first, (record["config"]["seed"] for record in done)),
                "cost": self._cost(self._costs[(*group, method)]),
                "published": self._numbers(first),
            }
        )

    def _cost(self, cost: Cost) -> dict[str, Any]:
        seconds = None if math.isnan(cost.shown_seconds) else _short(cost.shown_seconds)
        return {"seconds": seconds, "ours": cost.ours, "theirs": cost.theirs, "verdict": cost.verdict}

    def _numbers(self, record: Record) -> list[int]:
        """All errors, sizes and costs that are published of a method, which a paper's table has beside each other."""
        config = record["config"]
        if "external" in (config["method"]["origin"], config["benchmark"]["origin"]):
            return []
        values = self._report.published.of_method(config["method"]["name"], config["benchmark"]["name"], _TITLES)
        return [self._published.place(_published(value)) for value in values]

    def _columns(self, record: Record) -> dict[str, Any]:
        cells, provenance = record["cells"], record["provenance"]
        best = cells.get("best_valid")
        return {
            "seed": record["config"]["seed"],
            "last": self.cells.place(cells["last"]),
            "best-valid": None if best is None else self.cells.place(best),
            "best_epoch": cells.get("best_valid_epoch"),
            "key": record["key"][:_KEY_DIGITS],
            "provenance": self.provenances.place(_shared(provenance)),
            "seconds": _short(provenance.get("seconds")),
            "memory": _short(provenance.get("peak_memory_mb")),
            "queries": record.get("queries"),
            "simulated": _short(record.get("search_seconds")),
        }


def _with_published(report: Report) -> Iterator[tuple[Any, PublishedValue | None]]:
    cited = iter(report.cited)
    rows: Iterator[Any] = report.leaderboard.itertuples()
    for row in rows:
        yield row, None if pd.isna(row.published) else next(cited)


class _Rows:
    """The numbers of the leaderboard, looked up or trained, each with what it rests on."""

    def __init__(self, report: Report, searches: _Searches, published: _Interned) -> None:
        self.origins = _Interned()
        self.trainings: dict[str, list[Any]] = {}
        self._report, self._searches, self._published = report, searches, published
        self._regrets = _regrets(report)
        self._sizes = {(size.method, *size.group, size.dataset, size.recipe): size for size in report.sizes}
        self._places: dict[str, int] = {}
        both = [report.finals.assign(training=None), report.trained_finals]
        behind = pd.concat([found[[*_NUMBER, "key", "value", "training"]] for found in both if len(found)] or both[:1])
        self._behind: dict[tuple[str, ...], list[tuple[str, float, str | None]]] = {}
        numbers = zip(*(behind[name].astype(str) for name in _NUMBER), strict=True)
        for number, *search in zip(numbers, behind["key"], behind["value"], behind["training"], strict=True):
            self._behind.setdefault(number, []).append(tuple(search))

    def row(self, ours: Any, value: PublishedValue | None) -> list[Any]:
        """In the order of `ROW`."""
        configuration = self._searches.place(ours)
        behind = self._behind[_number_key(ours)]
        training = self._report.trainings.get(behind[0][2] or "")
        origin = _trained_by(training, ours.table) if training else _looked_up_in(ours.table, self._report)
        start, end = self._searches.configurations[configuration]["searches"]
        values: list[float | None] = [None] * (end - start)
        trainings: list[int | None] = [None] * (end - start)
        for key, number, trained in behind:
            place = self._searches.places[key] - start
            values[place] = round(number, 4)
            trainings[place] = self._training(trained) if trained else None
        return [
            configuration,
            ours.selection,
            ours.dataset,
            ours.split,
            ours.metric,
            _number(ours.mean),
            _number(ours.std),
            ours.n,
            None if value is None else self._published.place(_published(value, ours.dataset)),
            _number(ours.difference, "+"),
            ours.verdict,
            [list(obstacle) for obstacle in ours.obstacles],
            self.origins.place(origin),
            values,
            trainings if training else None,
            self._size(ours) if training else None,
            *self._regrets.get(_number_key(ours), [None] * 5),
        ]

    def _size(self, ours: Any) -> list[str]:
        size = self._sizes[ours.method, ours.space, ours.profile, ours.searched_on, ours.dataset, ours.table]
        return [size.ours, size.theirs, size.verdict]

    def _training(self, key: str) -> int:
        """The place of a training in the columns; two searches can share one."""
        if key not in self._places:
            self._places[key] = len(self._places)
            record = self._report.trainings[key]
            provenance = record["provenance"]
            for name, value in {
                "key": key[:_KEY_DIGITS],
                "parameters": record.get("parameters"),
                "seconds": _short(provenance.get("seconds")),
                "memory": _short(provenance.get("peak_memory_mb")),
                "provenance": self._searches.provenances.place(_shared(provenance)),
            }.items():
                self.trainings.setdefault(name, []).append(value)
        return self._places[key]


def _looked_up_in(table: str, report: Report) -> dict[str, Any]:
    return {
        "name": f"table {table}",
        "about": f"{REPORTED_EPOCHS} epochs of training, looked up in a table",
        "note": "",
        "facts": {"table, SHA-256": f"{table}…", "source of the table": report.tables[table]},
        "recipe": None,
        "arguments": "",
        "afterwards": "",
    }


def _trained_by(record: Record, name: str) -> dict[str, Any]:
    arguments, afterwards = commands.training(record)
    config = record["config"]
    return {
        "name": name,
        "about": f"training from scratch here: {name}",
        "note": retrained.note(record),
        "facts": {"training data, SHA-256": config["dataset"]["sha256"]},
        "recipe": {**config["protocol"]["values"], **config["numerics"]},
        "arguments": arguments,
        "afterwards": afterwards,
    }


def _changed(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the user set to another value than the default, and where a dataset is not all of the official images."""
    optimizer, part = config["optimizer"], config["dataset"].get("part")
    return {
        **overridden(config),
        **({"optimizer": optimizer["name"]} if optimizer else {}),
        **({"images": part} if part else {}),
    }


def _number_key(row: Any) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in _NUMBER)


def _regrets(report: Report) -> dict[tuple[str, ...], list[Any]]:
    """What the row of an accuracy ends with. Without the table: a number that was looked up has but one."""
    runs: Iterator[Any] = report.found.drop_duplicates(list(_NUMBER)).itertuples()
    best = {_number_key(run): run.best for run in runs}
    tables = {key[:-1]: key for key in best}
    rows: Iterator[Any] = regret.summary(report.found).itertuples()
    return {
        (key := tables[tuple(str(getattr(row, name)) for name in _NUMBER[:-1])]): [
            round(best[key], 4),
            _number(row.regret),
            round(row.hit_rate * row.n),
            row.cells,
            row.classes,
        ]
        for row in rows
    }


def _shared(provenance: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in provenance.items() if name not in _OF_ONE_RUN}


def _published(value: PublishedValue, dataset: str = "") -> dict[str, Any]:
    """`dataset`: that of the number beside which it stands."""
    return {
        "dataset": value.dataset,
        "mean": _number(value.mean),
        "printed": value.printed,
        "std": _number(value.std),
        "n": value.n,
        "metric": value.metric,
        "split": leaderboard.place(value, dataset or value.dataset),
        "protocol": value.protocol,
        "searched_on": value.searched_on,
        "status": value.evidence,
        "recalled": value.recalled,
        "source": value.source,
    }


def _number(value: float, sign: str = "") -> str | None:
    """Two decimals, as in all tables."""
    return None if pd.isna(value) else f"{round(value, 2) + 0.0:{sign}.2f}"  # + 0.0: no minus before a zero


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
