"""Where every number of the leaderboard comes from, compact enough to travel inside a page.

The searches are columns, sorted by configuration and seed; whatever many of them share is written once and named by
its place in a list. What one number rests on is put together only when somebody asks for it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import pandas as pd

from harness.report import regret, wording
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.published import PublishedValue
from harness.store import Record

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
    "table",  # the first 12 digits of its SHA-256
    "best",  # accuracy in % of the best cell of the table
    "regret",  # mean over the searches, in points: text
    "hits",  # searches, out of n, that found the best
    "cells",  # different ones among what the n searches found
    "classes",  # of isomorphic cells
]

_KEY_DIGITS = 12
_OF_ONE_RUN = ("started", "seconds", "peak_memory_mb")  # in its provenance; the rest is the same for many


def collect(report: Report) -> dict[str, Any]:
    """Everything the page shows of the leaderboard and the searches behind it, as JSON would have it."""
    searches = _Searches(report)
    published = _Interned()
    regrets = _regrets(report)
    rows = [[*_row(row, searches, published), *regrets[_number_key(row[0])]] for row in _with_published(report)]
    return {
        "row": ROW,
        "rows": rows,
        "configurations": searches.configurations,
        "searches": searches.columns,
        "cells": searches.cells.values,
        "accuracies": _accuracies(report, searches.cells.values),
        "provenances": searches.provenances.values,
        "published": published.values,
        "tables": dict(report.tables),
        "selections": SELECTIONS,
    }


def command(record: Record, seeds: Iterable[int]) -> str:
    """The command that repeats the searches of one configuration, of which `record` is one.

    A method or optimizer from outside stands as FILE.py:Class: records hold the digest of the file, not its place.
    """
    asked = record["asked"]
    name = asked["method"]
    words = ["--space", asked["space"], "--methods", f"FILE.py:{name}" if asked.get("source") else name]
    words += ["--seeds", seed_ranges(seeds), "--profile", asked["profile"]]
    if record["kind"] == "black-box":
        words += ["--table", "TABLE"]
    else:
        device = str(record["provenance"].get("device"))
        words += ["--dataset", asked["dataset"], "--device", device if device in ("cpu", "mps") else "cuda"]
        words += ["--threads", str(record["provenance"].get("threads") or 1)]
    for setting, value in sorted((record.get("changed") or {}).items()):
        if setting in asked["settings"] or setting in asked["protocol"]:
            words += ["--set", f"{name}.{setting}={_value(value)}"]
        elif setting == "optimizer":  # what else can be changed follows from the table
            words += ["--set", f"{name}.optimizer=FILE.py:{value}"]
    return shlex.join(["python", "run_all.py", *words])


def seed_ranges(seeds: Iterable[int]) -> str:
    """E.g. `0-3,7`. One seed alone is a range too, since the command takes a single number for how many."""
    ordered = sorted(set(seeds))
    parts = []
    for _, run in groupby(enumerate(ordered), key=lambda item: item[1] - item[0]):
        members = [seed for _, seed in run]
        parts.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else str(members[0]))
    return f"{ordered[0]}-{ordered[0]}" if len(ordered) == 1 else ",".join(parts)


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

    def __init__(self, report: Report) -> None:
        self.configurations: list[dict[str, Any]] = []
        self.columns: dict[str, list[Any]] = {}
        self.cells = _Interned()
        self.provenances = _Interned()
        self._places: dict[tuple[str, ...], int] = {}
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
        first, asked = done[0], done[0]["asked"]
        start = len(self.columns.get("seed", ()))
        for record in done:
            for name, value in self._columns(record).items():
                self.columns.setdefault(name, []).append(value)
        started = [record["provenance"]["started"] for record in done if record["provenance"].get("started")]
        self._places[(*group, method)] = len(self.configurations)
        self.configurations.append(
            {
                "method": wording.printable(method),
                "family": first["family"],
                **group._asdict(),
                "proxy": group.labelled_title.removeprefix(group.title).strip(" ()"),
                "sentence": group.sentence,
                "kind": first["kind"],
                "settings": asked["settings"],
                "protocol": asked["protocol"],
                "changed": first.get("changed") or {},
                "source": asked.get("source"),
                "optimizer": asked.get("optimizer_sha256"),
                "data": asked.get("data_sha256"),
                "table": asked.get("table"),
                "signal_epochs": asked.get("signal_epochs"),
                "searches": [start, start + len(done)],
                "failed": len(runs) - len(done),
                "started": [min(started), max(started)] if started else [],
                "command": command(first, (record["asked"]["seed"] for record in done)),
            }
        )

    def _columns(self, record: Record) -> dict[str, Any]:
        cells, provenance = record["cells"], record["provenance"]
        best = cells.get("best_valid")
        return {
            "seed": record["asked"]["seed"],
            "last": self.cells.place(cells["last"]),
            "best-valid": None if best is None else self.cells.place(best),
            "best_epoch": cells.get("best_valid_epoch"),
            "key": record["key"][:_KEY_DIGITS],
            "provenance": self.provenances.place(
                {name: value for name, value in provenance.items() if name not in _OF_ONE_RUN}
            ),
            "seconds": _short(provenance.get("seconds")),
            "memory": _short(provenance.get("peak_memory_mb")),
            "queries": record.get("queries"),
            "simulated": _short(record.get("search_seconds")),
        }


def _with_published(report: Report) -> Iterator[tuple[Any, PublishedValue | None]]:
    cited = iter(report.cited)
    accuracies = report.leaderboard[report.leaderboard["metric"] != "test_error"]
    rows: Iterator[Any] = accuracies.itertuples()
    for row in rows:
        yield row, None if pd.isna(row.published) else next(cited)


def _number_key(row: Any) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in ("method", *GROUP, "selection", "dataset", "split"))


def _regrets(report: Report) -> dict[tuple[str, ...], list[Any]]:
    """What a row ends with, for every number of the leaderboard."""
    runs: Iterator[Any] = report.found.itertuples()
    best = {_number_key(run): run.best for run in runs}
    rows: Iterator[Any] = regret.summary(report.found).itertuples()
    return {
        (key := _number_key(row)): [
            round(best[key], 4),
            _number(row.regret),
            round(row.hit_rate * row.n),
            row.cells,
            row.classes,
        ]
        for row in rows
    }


def _row(row: tuple[Any, PublishedValue | None], searches: _Searches, published: _Interned) -> list[Any]:
    ours, value = row
    return [
        searches.place(ours),
        ours.selection,
        ours.dataset,
        ours.split,
        ours.metric,
        _number(ours.mean),
        _number(ours.std),
        ours.n,
        None if value is None else published.place(_published(value)),
        _number(ours.difference, "+"),
        ours.verdict,
        ours.table,
    ]


def _published(value: PublishedValue) -> dict[str, Any]:
    return {
        "mean": _number(value.mean),
        "std": _number(value.std),
        "n": value.n,
        "metric": value.metric,
        "split": value.split,
        "protocol": value.protocol,
        "searched_on": value.searched_on,
        "status": value.evidence,
        "recalled": "recalled" in value.evidence,
        "source": value.source,
    }


def _accuracies(report: Report, cells: list[str]) -> dict[str, list[float | None]]:
    """By `dataset split`: the accuracy (%) of each of `cells`, null where it was not looked up."""
    return {
        f"{dataset} {split}": [
            None if pd.isna(value) else round(value, 4)
            for value in found.drop_duplicates("cell").set_index("cell")["value"].reindex(cells).tolist()
        ]
        for (dataset, split), found in report.accuracies.groupby(["dataset", "split"])
    }


def _number(value: float, sign: str = "") -> str | None:
    """Two decimals, as in all tables."""
    return None if pd.isna(value) else f"{round(value, 2) + 0.0:{sign}.2f}"  # + 0.0: no minus before a zero


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
