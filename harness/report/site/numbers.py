"""The numbers of the leaderboard page, each with its evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.experiment.store import Record
from harness.report import columns, leaderboard, regret, retrained
from harness.report.columns import LEADERBOARD, PAGE
from harness.report.content import Report
from harness.report.costs import Size
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.published import PublishedValue
from harness.report.render import wording
from harness.report.render.tables import rows_of
from harness.report.render.wording import NOT_STATED
from harness.report.site import board, commands
from harness.report.site.board import Line
from harness.report.site.pools import KEY_DIGITS, Pools, short
from harness.report.site.searches import Searches, overrides
from harness.report.verdict import NOT_COMPARABLE
from harness.text import printable

REGRET = ["best cell of the table", "mean regret", "hit rate", "distinct cells", "isomorphism classes"]

_NUMBER = ["method", *GROUP, "selection", "dataset", "split", "table"]
_OF_SEARCH = ["key", "value", "retraining", "rank"]


class Numbers:
    """The numbers of the leaderboard, looked up or from retraining, each with its evidence."""

    def __init__(self, report: Report, searches: Searches, pools: Pools) -> None:
        self.retrainings: dict[str, list[Any]] = {}
        self._report, self._searches, self._pools = report, searches, pools
        self._datasets = list(dict.fromkeys(report.leaderboard["dataset"]))
        self._regrets = _regrets(report)
        self._sizes = {(size.method, *size.group, size.dataset, size.recipe): size for size in report.sizes}
        self._indices: dict[str, int] = {}
        self._ranked: dict[tuple[int, str], dict[int, int]] = {}
        ranked = report.finals.dropna(subset=["rank_of"])
        self._rank_of = dict(zip(ranked["table"], ranked["rank_of"], strict=True))
        self._finals: dict[tuple[str, ...], list[tuple[str, float, str | None, int | None]]] = {}
        for frame in (report.finals.assign(retraining=None), report.retrained_finals.assign(rank=None)):
            if len(frame):
                numbers = zip(*(frame[name].astype(str).tolist() for name in _NUMBER), strict=True)
                of_searches = zip(*(frame[name].tolist() for name in _OF_SEARCH), strict=True)
                for number, search in zip(numbers, of_searches, strict=True):
                    self._finals.setdefault(number, []).append(search)

    def line(self, ours: Any) -> Line:
        configuration = self._searches.configuration(ours)
        retraining = self._retraining_of(ours)
        return Line(
            ours,
            black_box=bool(self._searches.records[configuration]["config"].get("table")),
            kind=self._searches.records[configuration]["config"]["kind"],
            proxy=self._searches.configurations[configuration]["proxy"],
            shared=self._searches.configurations[configuration]["shared"],
            recipe=_with_note(ours.table, retraining) if retraining else "",
        )

    def row(self, ours: Any, value: PublishedValue | None) -> dict[str, Any]:
        """The page's data of a number; unless noted otherwise, texts are indices into `texts`."""
        pools, index = self._pools, self._searches.configuration(ours)
        configuration = self._searches.configurations[index]
        retraining = self._retraining_of(ours)
        start, end = configuration["searches"]
        values: list[float | None] = [None] * (end - start)
        retrainings: list[int | None] = [None] * (end - start)
        ranks: dict[int, int] = {}
        for key, value_of_search, retraining_key, rank in self._finals[_number_key(ours)]:
            search = self._searches.indices[key] - start
            values[search] = round(value_of_search, 4)
            if not pd.isna(rank):
                ranks[self._searches.columns[ours.selection][start + search]] = int(rank)
            retrainings[search] = self._retraining(retraining_key) if retraining_key else None
        size = self._sizes[(ours.method, *_group(ours), ours.dataset, ours.table)] if retraining else None
        shown = columns.shown(LEADERBOARD, PAGE)
        return {
            "configuration": index,  # index into `configurations`
            "selection": ours.selection,
            "measure": self._measured(ours),  # dataset, split and metric: index into `measures`
            "verdict": ours.verdict,
            "texts": pools.texts([column.read(ours) for column in shown]),  # one per column
            # Sort keys by column name, for columns that are not sorted by their texts.
            "orders": {column.name: column.order(ours) for column in shown if column.order},
            "pair": pools.texts(board.pair(ours)),
            "size": None if size is None else pools.beside(size),  # of a retrained cell: index into `beside`
            "about": pools.text(self._about(ours, retraining)),
            # Indices into `lines`; null if nothing is published.
            "comparison": None
            if value is None
            else [pools.index("lines", line) for line in self._sides(ours, value, size)],
            "reasons": pools.text("; ".join(reason for _, reason in ours.obstacles)),
            "judged": pools.text("; ".join(wording.judged(ours))),
            "left_out": pools.text(_left_out(values.count(None), configuration["failed"], bool(retraining))),
            "origin": self._origin(ours, retraining, retrainings),  # the table or the retraining: index into `origins`
            "values": values,  # % of every search of the configuration; null if it is not counted
            "retrainings": retrainings if retraining else None,  # of the same searches: indices into `retrainings`
            **self._regret(ours, values),
            "ranks": self._ranks(ours, ranks),  # of cells in their space: index into `ranks`; null if none is known
            "id": _address(ours),
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

    def _ranks(self, ours: Any, ranks: Mapping[int, int]) -> int | None:
        if not ranks:
            return None
        table = (self._measured(ours), ours.table)
        self._ranked.setdefault(table, {}).update(ranks)
        return list(self._ranked).index(table)

    def ranks(self) -> list[dict[str, Any]]:
        """For each accuracy of a table, how many cells it ranks, and the rank of each cell by its index."""
        return [
            {"of": f"{self._rank_of[table]:,}", "cells": [ranks.get(cell) for cell in range(max(ranks) + 1)]}
            for (_, table), ranks in self._ranked.items()
        ]

    def _retraining_of(self, ours: Any) -> Record | None:
        """One of the retrainings behind a number; None if the number was looked up."""
        return self._report.retrainings.get(self._finals[_number_key(ours)][0][2] or "")

    def _measured(self, ours: Any) -> int:
        metric = METRICS[ours.metric]
        measured = wording.measured(ours)
        return self._pools.index(
            "measures",
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

    def _about(self, ours: Any, retraining: Record | None) -> str:
        """Sentence that describes the number: dataset, split, unit, origin and cell."""
        unit = "error in %, lower is better" if METRICS[ours.metric].lower else "accuracy in %"
        origin = ", ".join(filter(None, [_evaluation(ours), "looked up in a table"]))
        if retraining:
            origin = f"after retraining from scratch: {_with_note(ours.table, retraining)}"
        selection, sentence = SELECTIONS[ours.selection], Group(*_group(ours)).sentence
        return f"{ours.dataset} {ours.split}, {unit}, {origin}; {selection}. {sentence}."

    def _sides(self, ours: Any, value: PublishedValue, size: Size | None) -> Iterator[list[Any]]:
        """Lines of the comparison below the numbers: heading, ours, published, and whether the difference makes the
        numbers not comparable."""
        differing = {aspect for aspect, _ in ours.obstacles}
        record = self._searches.records[self._searches.configuration(ours)]
        protocol = f"{ours.profile} profile{', overrides' if overrides(record['config']) else ''}"
        split = leaderboard.qualified_split(value, ours.dataset) or NOT_STATED
        name = ours.table if size else f"table {ours.table}"
        yield ["split", ours.split, split, "split" in differing]
        yield ["searched on", ours.searched_on, value.searched_on or NOT_STATED, "searched on" in differing]
        yield ["cell", SELECTIONS[ours.selection], "as published", "cell" in differing]
        yield ["protocol", protocol, value.experiment if value.protocol else NOT_STATED, "protocol" in differing]
        yield ["status", "searches below", value.evidence, False]
        yield ["source", printable(name), value.source, size is not None or "source" in differing]
        if size:
            yield ["parameters", size.ours, size.theirs, size.verdict == NOT_COMPARABLE]
        cost = self._searches.cost(Group(*_group(ours)), ours.method)
        yield ["search cost, median", printable(cost.ours), cost.theirs, cost.verdict == NOT_COMPARABLE]

    def _origin(self, ours: Any, retraining: Record | None, retrainings: Sequence[int | None]) -> int:
        origin: dict[str, Any]
        if retraining is None:
            facts = {"table, SHA-256": f"{ours.table}…", "source of the table": self._report.tables[ours.table]}
            origin = {
                "recipe": None,
                "arguments": "",
                "afterwards": "",
                "machines": [],
                "facts": self._pools.facts(facts),
            }
            return self._pools.index("origins", origin)
        config = retraining["config"]
        arguments, afterwards = commands.retraining(retraining)
        search_machines = self._searches.configurations[self._searches.configuration(ours)]["machines"]
        machines = dict.fromkeys(self.retrainings["machine"][index] for index in retrainings if index is not None)
        origin = {
            "recipe": self._pools.facts({**config["protocol"]["values"], **config["numerics"]}),
            "arguments": arguments,
            "afterwards": afterwards,
            "machines": [machine for machine in machines if machine not in search_machines],
            "facts": self._pools.facts({"training data, SHA-256": config["dataset"]["sha256"]}),
        }
        return self._pools.index("origins", origin)

    def _retraining(self, key: str) -> int:
        """Index of a retraining in the columns of `retrainings`; two searches can share a retraining."""
        if key not in self._indices:
            self._indices[key] = len(self._indices)
            record = self._report.retrainings[key]
            provenance, parameters = record["provenance"], record.get("parameters")
            for name, value in {
                "key": key[:KEY_DIGITS],
                "parameters": None if parameters is None else f"{parameters:,}",
                "seconds": short(provenance.get("seconds")),
                "machine": self._pools.machine(record),
            }.items():
                self.retrainings.setdefault(name, []).append(value)
        return self._indices[key]


def _evaluation(ours: Any) -> str:
    """How the benchmark of a number evaluates accuracies; empty for a custom space."""
    benchmark = Group(*_group(ours)).benchmark
    return benchmark.evaluation if benchmark else ""


def _with_note(recipe: str, retraining: Record) -> str:
    note = retrained.note(retraining)
    return printable(f"{recipe} ({note})" if note else recipe)


def _left_out(missing: int, failed: int, trained: bool) -> str:
    why = "a retraining of its cell" if trained else "such a cell or an accuracy of it in the table"
    parts = [f"{missing} finished without {why}"] if missing else []
    parts += [f"{failed} failed"] if failed else []
    return f"not counted: {', '.join(parts)}" if parts else ""


def _group(row: Any) -> tuple[str, str, str]:
    return row.space, row.profile, row.searched_on


def _address(row: Any) -> str:
    """What links to a number call it: the same in every report of it."""
    return hashlib.sha256("\n".join(_number_key(row)).encode()).hexdigest()[:KEY_DIGITS]


def _number_key(row: Any) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in _NUMBER)


def _regrets(report: Report) -> dict[tuple[str, ...], tuple[float, Any]]:
    """Best accuracy of the table (%) and row of `regret.summary` for every number that was looked up.

    Keys omit the table, since all look-ups of a number are from one table.
    """
    key_columns = _NUMBER[:-1]
    best = report.regrets.groupby(key_columns, sort=False)["best"].first()
    return {
        key: (round(best[key], 4), row)
        for row in rows_of(regret.summary(report.regrets))
        if (key := tuple(str(getattr(row, name)) for name in key_columns))
    }
