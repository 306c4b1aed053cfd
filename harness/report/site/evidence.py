"""The evidence behind every number of the leaderboard, compact enough to embed in the page.

Searches are stored as columns, sorted by configuration and seed; values that many of them share are stored once and
referred to by index. All texts of the page are generated here: its script only combines them on demand.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.benchmarks.base import Graph
from harness.experiment.config import overridden
from harness.experiment.store import Record
from harness.report import columns, leaderboard, regret, retrained
from harness.report.columns import COSTS, LEADERBOARD, PAGE, SIZES
from harness.report.content import Report
from harness.report.costs import UNITS, Cost, Size
from harness.report.figures.cells import SHOWN, most_found
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.published import PublishedValue
from harness.report.render import wording
from harness.report.render.tables import entry, rows_of
from harness.report.render.wording import NOT_STATED, NOTHING, printable
from harness.report.runs import SUBSET
from harness.report.site import board, commands
from harness.report.site.board import Line
from harness.report.site.drawings import Drawings
from harness.report.site.pool import Pool
from harness.report.verdict import NOT_COMPARABLE, SIGNS

REGRET = ["best of the table", "mean regret", "hit rate", "different cells", "isomorphism classes"]

_KEY_DIGITS = 12
_NUMBER = ["method", *GROUP, "selection", "dataset", "split", "table"]
_TITLES = {
    "test_error": "test error, %",
    "top1_error": "top-1 error, %",
    "top5_error": "top-5 error, %",
    "params_millions": "parameters, millions",
    **{metric: f"search, {unit}" for metric, unit in UNITS.items()},
}
"""Titles of the published metrics that are listed in full, since papers give different values."""
_LISTED = ["dataset", "number", "mean", "std", "n", "protocol", "searched on", "status", "source"]

_OF_ONE_RUN = ("started", "seconds", "peak_memory_mb")  # provenance fields that runs on one machine do not share


def collect(report: Report) -> dict[str, Any]:
    """All data of the page's script, as JSON-compatible values."""
    pools = _Pools({cell: graphs for (_, cell), graphs in report.graphs.items()})
    searches = _Searches(report, pools)
    rows = _Rows(report, searches, pools)
    cited = iter(report.cited)
    numbers = [(ours, None if pd.isna(ours.published) else next(cited)) for ours in rows_of(report.leaderboard)]
    lines = [rows.line(ours) for ours, _ in numbers]
    filters, facets = board.filters(lines)
    blocks, block_indices = board.blocks(lines)
    page_rows = [
        {**rows.row(*number), "blocks": indices, "facets": pools.place("facets", choices)}
        for number, indices, choices in zip(numbers, block_indices, facets, strict=True)
    ]
    return {
        "row": list(page_rows[0]) if page_rows else [],
        "rows": [list(row.values()) for row in page_rows],
        "columns": board.described(),
        "blocks": blocks,
        "filters": filters,
        "signs": SIGNS,
        "configurations": searches.configurations,
        "searches": searches.columns,
        "trainings": rows.trainings,
        "regret": REGRET,
        "listed": _LISTED,
        **pools.values(),
    }


class _Pools:
    """Values shared by many rows and searches."""

    def __init__(self, graphs: Mapping[str, Sequence[Graph]]) -> None:
        """`graphs`: the graphs of each cell, by architecture string."""
        names = ("texts", "facts", "lines", "beside", "facets", "places", "origins", "cells")
        self._pools = {name: Pool() for name in names}
        self._drawings = Drawings()
        self._graphs = graphs

    def values(self) -> dict[str, list[Any]]:
        drawn = [self._drawings.draw(self._graphs[cell]) for cell in self._pools["cells"].values]
        shared = {name: getattr(self._drawings, name).values for name in ("kinds", "edges", "operations")}
        return {**{name: pool.values for name, pool in self._pools.items()}, "drawings": drawn, **shared}

    def place(self, name: str, value: Any) -> int:
        return self._pools[name].place(value)

    def text(self, text: str) -> int:
        return self.place("texts", printable(text))

    def texts(self, texts: Sequence[str]) -> list[int]:
        return [self.text(text) for text in texts]

    def facts(self, values: Mapping[str, Any]) -> int:
        """Index of a list of (name, value) texts; None values are omitted."""
        texts = {printable(name): _as_text(value) for name, value in values.items() if value is not None}
        return self.place("facts", list(texts.items()))


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":")))


class _Searches:
    """The finished searches, by configuration and seed."""

    def __init__(self, report: Report, pools: _Pools) -> None:
        self.configurations: list[dict[str, Any]] = []
        self.columns: dict[str, list[Any]] = {}
        self.places: dict[str, int] = {}
        """Index of each search in the columns, by its key."""
        self.records: list[Record] = []
        """The first record of each configuration."""
        self._places: dict[tuple[str, ...], int] = {}
        self._report, self._pools = report, pools
        self._costs = {(*cost.group, cost.method): cost for cost in report.costs}
        runs = report.runs.assign(position=range(len(report.runs)))
        for key, searches in runs.sort_values("seed", kind="stable").groupby([*GROUP, "method"]):
            records = [report.records[position] for position in searches["position"]]
            self._add(Group(*map(str, key[:3])), str(key[3]), searches, records)

    def place(self, row: Any) -> int:
        """Index of the configuration of a leaderboard row."""
        return self._places[row.space, row.profile, row.searched_on, row.method]

    def _add(self, group: Group, method: str, runs: pd.DataFrame, records: Sequence[Record]) -> None:
        finished = [record for record in records if record["status"] == "done"]
        if not finished:
            return
        first, config = finished[0], finished[0]["config"]
        label = runs["label"].iloc[0]
        start = len(self.columns.get("seed", ()))
        record_machines = [_machine(self._pools, record) for record in finished]
        machines = list(dict.fromkeys(record_machines))
        for record, machine in zip(finished, record_machines, strict=True):
            self.places[record["key"]] = len(self.places)
            for name, value in self._columns(record, machines.index(machine) + 1).items():
                self.columns.setdefault(name, []).append(value)
        self._places[(*group, method)] = len(self.configurations)
        self.records.append(first)
        counts = Counter(str(record["cells"]["last"]) for record in finished)
        self.configurations.append(
            {
                "method": printable(method),
                "name": printable(label.name),
                "details": printable(", ".join(label.details)),
                "proxy": (group.label or SUBSET * bool(runs["subset"].iloc[0])).strip(" ()"),
                "sentence": group.sentence,
                "black_box": config["kind"] == "black-box",
                "searches": [start, start + len(finished)],
                "failed": len(runs) - len(finished),
                "machines": machines,
                "command": printable(commands.searching(first, (record["config"]["seed"] for record in finished))),
                "notes": self._pools.texts(_command_notes(config)),
                "changed": self._pools.facts(_changed(config)),
                "settings": self._pools.facts(config["settings"]),
                "protocol": self._pools.facts({**config["protocol"]["values"], **config["numerics"]}),
                "data": self._pools.facts(_data(config, finished)),
                "cost": _beside(self._pools, self.cost(group, method)),
                "published": self._numbers(first),
                "found": [
                    [self._pools.place("cells", cell), f"found by {count} of {len(finished)}"]
                    for cell, count in most_found(counts, SHOWN)
                ],
                "found_where": f"{group.title}; searches: {len(finished)}, different cells: {len(counts)}",
            }
        )

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
            "last": self._pools.place("cells", cells["last"]),
            "best-valid": None if best is None else self._pools.place("cells", best),
            "best_epoch": cells.get("best_valid_epoch"),
            "key": record["key"][:_KEY_DIGITS],
            "machine": machine,  # number among the machines of the configuration, from 1
            "seconds": _short(provenance.get("seconds")),
            "memory": _short(provenance.get("peak_memory_mb")),
            "queries": record.get("queries"),
            "simulated": _short(record.get("search_seconds")),
        }


class _Rows:
    """The numbers of the leaderboard, looked up or from retraining, each with its evidence."""

    def __init__(self, report: Report, searches: _Searches, pools: _Pools) -> None:
        self.trainings: dict[str, list[Any]] = {}
        self._report, self._searches, self._pools = report, searches, pools
        self._datasets = list(dict.fromkeys(report.leaderboard["dataset"]))
        self._regrets = _regrets(report)
        self._sizes = {(size.method, *size.group, size.dataset, size.recipe): size for size in report.sizes}
        self._places: dict[str, int] = {}
        both = [report.finals.assign(training=None), report.trained_finals]
        finals = pd.concat([frame[[*_NUMBER, "key", "value", "training"]] for frame in both if len(frame)] or both[:1])
        self._finals: dict[tuple[str, ...], list[tuple[str, float, str | None]]] = {}
        numbers = zip(*(finals[name].astype(str) for name in _NUMBER), strict=True)
        for number, *search in zip(numbers, finals["key"], finals["value"], finals["training"], strict=True):
            self._finals.setdefault(number, []).append(tuple(search))

    def line(self, ours: Any) -> Line:
        configuration = self._searches.place(ours)
        training = self._training_of(ours)
        return Line(
            ours,
            black_box=bool(self._searches.records[configuration]["config"].get("table")),
            proxy=self._searches.configurations[configuration]["proxy"],
            recipe=_with_note(ours.table, training) if training else "",
        )

    def row(self, ours: Any, value: PublishedValue | None) -> dict[str, Any]:
        """The page's data of a number; unless noted otherwise, texts are indices into `texts`."""
        pools, place = self._pools, self._searches.place(ours)
        configuration = self._searches.configurations[place]
        training = self._training_of(ours)
        start, end = configuration["searches"]
        values: list[float | None] = [None] * (end - start)
        trainings: list[int | None] = [None] * (end - start)
        for key, value_of_search, training_key in self._finals[_number_key(ours)]:
            search = self._searches.places[key] - start
            values[search] = round(value_of_search, 4)
            trainings[search] = self._training(training_key) if training_key else None
        size = self._sizes[(ours.method, *_group(ours), ours.dataset, ours.table)] if training else None
        shown = columns.shown(LEADERBOARD, PAGE)
        return {
            "configuration": place,  # index into `configurations`
            "selection": ours.selection,
            "place": self._measured(ours),  # dataset, split and metric: index into `places`
            "verdict": ours.verdict,
            "texts": pools.texts([column.read(ours) for column in shown]),  # one per column
            # Sort keys by column name, for columns that are not sorted by their texts.
            "orders": {column.name: column.order(ours) for column in shown if column.order},
            "pair": pools.texts(board.pair(ours)),
            "size": None if size is None else _beside(pools, size),  # of a retrained cell: index into `beside`
            "about": pools.text(self._about(ours, training)),
            # Indices into `lines`; null if nothing is published.
            "comparison": None
            if value is None
            else [pools.place("lines", line) for line in self._sides(ours, value, size)],
            "reasons": pools.text("; ".join(reason for _, reason in ours.obstacles)),
            "left_out": pools.text(_left_out(values.count(None), configuration["failed"], bool(training))),
            "origin": self._origin(ours, training, trainings),  # the table or the retraining: index into `origins`
            "values": values,  # % of every search of the configuration; null if it is not counted
            "trainings": trainings if training else None,  # of the same searches, indices into columns of `trainings`
            **self._regret(ours, values),
        }

    def _regret(self, ours: Any, values: Sequence[float | None]) -> dict[str, Any]:
        """Texts of the regret summary (`REGRET`), and the regret of every search; null for retrained cells."""
        if _number_key(ours)[:-1] not in self._regrets:
            return {"regret": None, "regrets": None}
        best, summary = self._regrets[_number_key(ours)[:-1]]
        hits = f"{100 * summary.hit_rate:.1f} % ({round(summary.hit_rate * summary.n)} of {summary.n})"
        mean_regret = f"{wording.plain(summary.regret)} points"
        facts = [f"{best:.2f}", mean_regret, hits, str(summary.cells), str(summary.classes)]
        regrets = [None if value is None else self._pools.text(f"{best - value:.2f}") for value in values]
        return {"regret": self._pools.texts(facts), "regrets": regrets}

    def _training_of(self, ours: Any) -> Record | None:
        """One of the retrainings behind a number; None if the number was looked up."""
        return self._report.trainings.get(self._finals[_number_key(ours)][0][2] or "")

    def _measured(self, ours: Any) -> int:
        metric = METRICS[ours.metric]
        measured = wording.measured(ours)
        return self._pools.place(
            "places",
            {
                "name": printable(f"{ours.dataset} {measured}"),
                "dataset": printable(ours.dataset),
                "title": measured,
                "order": self._datasets.index(ours.dataset),
                "lower": metric.lower,
                "value": "error" if metric.lower else "accuracy",
                "unit": "test errors in %, lower is better"
                if metric.lower
                else " ".join(filter(None, ["accuracies in %", _evaluation(ours)])),
            },
        )

    def _about(self, ours: Any, training: Record | None) -> str:
        """Sentence that describes the number: dataset, split, unit, origin and cell."""
        unit = "error in %, lower is better" if METRICS[ours.metric].lower else "accuracy in %"
        origin = ", ".join(filter(None, [_evaluation(ours), "looked up in a table"]))
        if training:
            origin = f"after training from scratch here: {_with_note(ours.table, training)}"
        selection, sentence = SELECTIONS[ours.selection], Group(*_group(ours)).sentence
        return f"{ours.dataset} {ours.split}, {unit}, {origin}; {selection}. {sentence}."

    def _sides(self, ours: Any, value: PublishedValue, size: Size | None) -> Iterator[list[Any]]:
        """Lines of the comparison below the numbers: heading, ours, published, and whether the difference makes the
        numbers not comparable."""
        differing = {aspect for aspect, _ in ours.obstacles}
        record = self._searches.records[self._searches.place(ours)]
        protocol = f"{ours.profile} profile{', changed' if _changed(record['config']) else ''}"
        place = leaderboard.place(value, ours.dataset) or NOT_STATED
        name = ours.table if size else f"table {ours.table}"
        yield ["split", ours.split, place, "split" in differing]
        yield ["searched on", ours.searched_on, value.searched_on or NOT_STATED, "searched on" in differing]
        yield ["cell", SELECTIONS[ours.selection], "as published", "cell" in differing]
        yield ["protocol", protocol, value.protocol or NOT_STATED, "protocol" in differing]
        yield ["how known", "searches below", value.evidence, False]
        yield ["source", printable(name), value.source, size is not None or "source" in differing]
        if size:
            yield ["parameters", size.ours, size.theirs, size.verdict == NOT_COMPARABLE]
        cost = self._searches.cost(Group(*_group(ours)), ours.method)
        yield ["search cost, median", printable(cost.ours), cost.theirs, cost.verdict == NOT_COMPARABLE]

    def _origin(self, ours: Any, training: Record | None, trainings: Sequence[int | None]) -> int:
        origin: dict[str, Any]
        if training is None:
            facts = {"table, SHA-256": f"{ours.table}…", "source of the table": self._report.tables[ours.table]}
            origin = {
                "recipe": None,
                "arguments": "",
                "afterwards": "",
                "machines": [],
                "facts": self._pools.facts(facts),
            }
            return self._pools.place("origins", origin)
        config = training["config"]
        arguments, afterwards = commands.training(training)
        search_machines = self._searches.configurations[self._searches.place(ours)]["machines"]
        machines = dict.fromkeys(self.trainings["machine"][index] for index in trainings if index is not None)
        origin = {
            "recipe": self._pools.facts({**config["protocol"]["values"], **config["numerics"]}),
            "arguments": arguments,
            "afterwards": afterwards,
            "machines": [machine for machine in machines if machine not in search_machines],
            "facts": self._pools.facts({"training data, SHA-256": config["dataset"]["sha256"]}),
        }
        return self._pools.place("origins", origin)

    def _training(self, key: str) -> int:
        """Index of a retraining in the columns of `trainings`; two searches can share a retraining."""
        if key not in self._places:
            self._places[key] = len(self._places)
            record = self._report.trainings[key]
            provenance, parameters = record["provenance"], record.get("parameters")
            for name, value in {
                "key": key[:_KEY_DIGITS],
                "parameters": None if parameters is None else f"{parameters:,}",
                "seconds": _short(provenance.get("seconds")),
                "machine": _machine(self._pools, record),
            }.items():
                self.trainings.setdefault(name, []).append(value)
        return self._places[key]


def _evaluation(ours: Any) -> str:
    """How the benchmark of a number evaluates accuracies; empty for a custom space."""
    benchmark = Group(*_group(ours)).benchmark
    return benchmark.evaluation if benchmark else ""


def _machine(pools: _Pools, record: Record) -> int:
    """Machine and versions of a run, as index into `facts`."""
    shared = {name: value for name, value in record["provenance"].items() if name not in _OF_ONE_RUN}
    versions = shared.pop("versions", None) or {}
    return pools.facts({**shared, **versions})


def _beside(pools: _Pools, of: Cost | Size) -> int:
    """Ours, published and verdict of a cost or a size, and its sort key, as index into `beside`."""
    of_columns, order = (COSTS, of.shown_seconds) if isinstance(of, Cost) else (SIZES, of.millions)
    texts = map(printable, entry(of_columns, of).values())
    return pools.place("beside", [*texts, None if math.isnan(order) else order])


def _with_note(recipe: str, training: Record) -> str:
    note = retrained.note(training)
    return printable(f"{recipe} ({note})" if note else recipe)


def _left_out(missing: int, failed: int, trained: bool) -> str:
    why = "a training of the cell" if trained else "such a cell or without its accuracy in the table"
    parts = [f"{missing} finished without {why}"] if missing else []
    parts += [f"{failed} failed"] if failed else []
    return "; ".join(f"{part}: not counted" for part in parts)


def _changed(config: Mapping[str, Any]) -> dict[str, Any]:
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
            notes.append(f"The {what} came from a file with the SHA-256 {sha256}.")
    if config["benchmark"]["origin"] == "external":
        return [*notes, f"The space came from a file; the digest of file and class is {config['benchmark']['sha256']}."]
    if table := config.get("table"):
        signal = f"its cells were scored after {table['epochs']} epochs of training"
        notes.append(f"TABLE is the table with the SHA-256 {table['sha256']}; {signal}.")
    return notes


def _group(row: Any) -> tuple[str, str, str]:
    return row.space, row.profile, row.searched_on


def _number_key(row: Any) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in _NUMBER)


def _regrets(report: Report) -> dict[tuple[str, ...], tuple[float, Any]]:
    """Best accuracy of the table (%) and row of `regret.summary` for every number that was looked up.

    Keys omit the table, since all look-ups of a number are from one table.
    """
    key_columns = _NUMBER[:-1]
    best = report.found.groupby(key_columns, sort=False)["best"].first()
    return {
        key: (round(best[key], 4), row)
        for row in rows_of(regret.summary(report.found))
        if (key := tuple(str(getattr(row, name)) for name in key_columns))
    }


def _listed(value: PublishedValue) -> list[str]:
    """Texts of a published value, in the order of `_LISTED`."""
    return [
        value.dataset or NOTHING,
        _TITLES[value.metric],
        value.printed,
        wording.plain(value.std),
        NOTHING if value.n is None else str(value.n),
        *(text or NOTHING for text in (value.protocol, value.searched_on, value.evidence, value.source)),
    ]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
