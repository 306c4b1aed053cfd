"""The finished searches of the page, by configuration and seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Sized
from typing import Any

import pandas as pd

from harness.experiment.config import benchmark_name, overridden
from harness.experiment.store import Record
from harness.report.content import Report
from harness.report.costs import UNITS, Cost
from harness.report.figures.cells import SHOWN, most_frequent
from harness.report.groups import GROUP, Group
from harness.report.published import PublishedValue
from harness.report.render import wording
from harness.report.render.wording import NOTHING
from harness.report.runs import SUBSET
from harness.report.site import commands
from harness.report.site.pools import KEY_DIGITS, Pools, short
from harness.text import printable

_TITLES = {
    "test_error": "test error, %",
    "top1_error": "top-1 error, %",
    "top5_error": "top-5 error, %",
    "params_millions": "parameters, millions",
    **{metric: f"search, {unit}" for metric, unit in UNITS.items()},
}
"""Titles of the published metrics that are listed in full, since papers give different values."""
LISTED = ["dataset", "number", "mean", "std", "n", "protocol", "searched on", "status", "source"]

MEASURED = {
    "seconds": "wall time, s",
    "cpu_seconds": "CPU time, s",
    "load": "load of the machine (running processes, mean)",
    "memory": "peak memory, MB",
    "queries": "queries",
    "simulated": "simulated time, s",
}
"""Titles of what is measured of every search, by column."""


class Searches:
    """The finished searches, by configuration and seed."""

    def __init__(self, report: Report, pools: Pools) -> None:
        self.configurations: list[dict[str, Any]] = []
        self.columns: dict[str, list[Any]] = {}
        self.indices: dict[str, int] = {}
        """Index of each search in the columns, by its key."""
        self.records: list[Record] = []
        """The first record of each configuration."""
        self.names: dict[str, int] = {}
        """Index of each method, by its name without settings."""
        self._configurations: dict[tuple[str, ...], int] = {}
        self._report, self._pools = report, pools
        self._costs = {(*cost.group, cost.method): cost for cost in report.costs}
        runs = report.runs.assign(position=range(len(report.runs)))
        for key, searches in runs.sort_values("seed", kind="stable").groupby([*GROUP, "method"]):
            records = [report.records[position] for position in searches["position"]]
            self._add(Group(*map(str, key[:3])), str(key[3]), searches, records)
        self._place_controls()
        self._share_details()
        self.columns = {name: values for name, values in self.columns.items() if set(values) != {None}}

    def configuration(self, row: Any) -> int:
        """Index of the configuration of a leaderboard row."""
        return self._configurations[row.space, row.profile, row.searched_on, row.method]

    def _add(self, group: Group, method: str, runs: pd.DataFrame, records: Sequence[Record]) -> None:
        finished = [record for record in records if record["status"] == "done"]
        if not finished:
            return
        first, config = finished[0], finished[0]["config"]
        label = runs["label"].iloc[0]
        start = len(self.columns.get("seed", ()))
        record_machines = [self._pools.machine(record) for record in finished]
        machines = list(dict.fromkeys(record_machines))
        for record, machine in zip(finished, record_machines, strict=True):
            self.indices[record["key"]] = len(self.indices)
            for name, value in self._columns(record, machines.index(machine) + 1).items():
                self.columns.setdefault(name, []).append(value)
        self._configurations[(*group, method)] = len(self.configurations)
        self.records.append(first)
        counts = Counter(str(record["cells"]["last"]) for record in finished)
        self.configurations.append(
            {
                "of": self.names.setdefault(str(runs["name"].iloc[0]), len(self.names)),  # index into `methods`
                "method": printable(method),
                "name": printable(label.name),
                "details": label.details,
                "control": method in self._report.set_apart,
                "proxy": self._proxy(group, method, bool(runs["subset"].iloc[0])),
                "sentence": group.sentence,
                "black_box": config["kind"] == "black-box",
                "training_free": config["kind"] == "training-free",
                "searches": [start, start + len(finished)],
                "failed": len(runs) - len(finished),
                "machines": machines,
                "command": printable(commands.searching(first, (record["config"]["seed"] for record in finished))),
                "notes": self._pools.texts(_command_notes(config)),
                "overrides": self._pools.facts(overrides(config)),
                "settings": self._pools.facts(config["settings"]),
                "protocol": self._pools.facts({**config["protocol"]["values"], **config["numerics"]}),
                "protocol_id": printable(f"{config['protocol']['id']}, version {config['protocol']['version']}"),
                "data": self._pools.facts(_data(config, finished)),
                "cost": self._pools.beside(self.cost(group, method)),
                "published": self._numbers(first),
                "cells": [
                    [self._pools.cell(first, cell), f"{count} of {len(finished)} searches"]
                    for cell, count in most_frequent(counts, SHOWN)
                ],
                "cells_of": f"{group.title}; {_number(finished, 'search', 'es')}, {_number(counts, 'distinct cell')}",
            }
        )

    def _proxy(self, group: Group, method: str, subset: bool) -> str:
        """What the searches of a row are a proxy of. Cells that see no data and are looked up are none."""
        if method in self._report.controls and group.benchmark and not group.benchmark.recipes():
            return ""
        return (group.label or SUBSET * subset).strip(" ()")

    def _place_controls(self) -> None:
        """Rows of a control that stands in several groups have the configuration of its searches."""
        runs = self._report.runs
        homes = dict(zip(runs["key"], runs[GROUP].itertuples(index=False, name=None), strict=True))
        rows = self._report.placed.drop_duplicates([*GROUP, "method"])
        for key, method, *group in rows[["key", "method", *GROUP]].itertuples(index=False, name=None):
            home = self._configurations.get((*homes[key], method))
            if home is not None:
                self._configurations.setdefault((*group, method), home)

    def _share_details(self) -> None:
        """Move details that all methods of a table share from the names of the methods to the heading of the table."""
        tables: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for configuration, record in zip(self.configurations, self.records, strict=True):
            config = record["config"]
            table = benchmark_name(config), config["profile"], bool(config.get("table"))
            tables.setdefault(table, []).append(configuration)
        for configurations in tables.values():
            first, *others = (configuration["details"] for configuration in configurations)
            shared = [detail for detail in first if others and all(detail in details for details in others)]
            for configuration in configurations:
                own = [detail for detail in configuration["details"] if detail not in shared]
                configuration |= {"details": printable(", ".join(own)), "shared": printable(", ".join(shared))}

    def cost(self, group: Group, method: str) -> Cost:
        return self._costs[(*group, method)]

    def _numbers(self, record: Record) -> list[list[int]]:
        """All published errors, sizes and costs of a method, listed together as in a paper's table."""
        config = record["config"]
        if "external" in (config["method"]["origin"], config["benchmark"]["origin"]):
            return []
        values = self._report.published.of_method(config["method"]["name"], config["benchmark"]["name"], _TITLES)
        return [self._pools.texts(_listed(value)) for value in values]

    def _columns(self, record: Record, machine: int) -> dict[str, Any]:
        cells, provenance = record["cells"], record["provenance"]
        best = cells.get("best_valid")
        return {
            "seed": record["config"]["seed"],
            "last": self._pools.cell(record, cells["last"]),
            "best-valid": None if best is None else self._pools.cell(record, best),
            "best_epoch": cells.get("best_valid_epoch"),
            "key": record["key"][:KEY_DIGITS],
            "machine": machine,  # number among the machines of the configuration, from 1
            "seconds": short(provenance.get("seconds")),
            "cpu_seconds": short(provenance.get("cpu_seconds")),
            "load": short(provenance.get("load")),
            "memory": short(provenance.get("peak_memory_mb")),
            "queries": record.get("queries"),
            "simulated": short(record.get("search_seconds")),
        }


def overrides(config: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that differ from the defaults, the optimizer if replaced, and the subset of the images if any."""
    optimizer, part = config["optimizer"], config["dataset"].get("part")
    return {
        **overridden(config),
        **({"optimizer": optimizer["name"]} if optimizer else {}),
        **({"images": part} if part else {}),
    }


def _data(config: Mapping[str, Any], finished: Sequence[Record]) -> dict[str, Any]:
    started = [record["provenance"]["started"] for record in finished if record["provenance"].get("started")]
    return {
        "search data, SHA-256": config["dataset"].get("sha256"),
        "search split": (config["dataset"].get("split") or {}).get("name"),
        "searches started": f"{min(started)} to {max(started)}" if started else None,
    }


def _command_notes(config: Mapping[str, Any]) -> list[str]:
    """Notes on external files and tables that the command does not identify."""
    notes = []
    for what in ("method", "optimizer"):
        if sha256 := (config[what] or {}).get("sha256"):
            notes.append(f"FILE.py of the {what} has the SHA-256 {sha256}.")
    if config["benchmark"]["origin"] == "external":
        return [*notes, f"FILE.py of the space: the SHA-256 of file and class is {config['benchmark']['sha256']}."]
    if table := config.get("table"):
        signal = f"queries return validation accuracies after {table['epochs']} epochs of training"
        notes.append(f"TABLE is the table with the SHA-256 {table['sha256']}; {signal}.")
    return notes


def _listed(value: PublishedValue) -> list[str]:
    """Texts of a published value, in the order of `LISTED`."""
    return [
        value.dataset or NOTHING,
        _TITLES[value.metric],
        value.printed,
        wording.plain(value.std),
        NOTHING if value.n is None else str(value.n),
        *(
            text or NOTHING
            for text in (value.protocol and value.experiment, value.searched_on, value.evidence, value.source)
        ),
    ]


def _number(things: Sized, name: str, plural: str = "s") -> str:
    return f"{len(things):,} {name}{plural if len(things) != 1 else ''}"
