"""Checks of results that are to be published: each says in lines what is wrong. Needs no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.benchmarks.base import Benchmark, Evaluator
from harness.experiment.config import benchmark_name
from harness.experiment.merge import ForeignStore, named
from harness.experiment.store import SCORED, Record, Store

ROLES = ("method", "optimizer", "benchmark")


def problems(store: ForeignStore, records: Sequence[Record]) -> list[str]:
    """Corrupt files, failed runs, modified or unknown code, and missing sources."""
    found = [f"corrupt: {line}" for line in store.warnings]
    if not records:
        return [*found, "there are no records"]
    for record in records:
        found += [f"{named(record)}: {line}" for line in _of_record(store, record)]
    return found


def _of_record(store: Store, record: Record) -> Iterator[str]:
    provenance = record["provenance"]
    if record["status"] != "done":
        yield "it failed"
    if provenance.get("dirty"):
        yield "it ran with changes of the code that are not in its commit or distribution"
    if not provenance.get("commit") and (not provenance.get("distribution") or provenance.get("dirty") is None):
        yield "it does not say which commit or release of the code it ran with"
    sources = provenance.get("sources", {})
    for role in ROLES:
        if role in record["config"] and (lacking := _lacking(record["config"][role], sources.get(role), role)):
            yield lacking
    dataset = record["config"]["dataset"]
    sees_images = record["config"]["kind"] != "black-box"
    if dataset["origin"] == "external" and sees_images and "dataset" not in sources:
        yield "the source of its dataset is missing"
    for role, source in sources.items():
        path = store.source_path(source["sha256"])
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != source["sha256"]:
            yield f"the source of its {role}, {source['file']}, is not in sources/ or was changed"


def _lacking(config: Mapping[str, Any] | None, source: Mapping[str, Any] | None, role: str) -> str | None:
    if not config or "sha256" not in config:
        return None
    if source is None:
        return f"the source of its {role} is missing"
    if role != "benchmark" and source["sha256"] != config["sha256"]:
        return f"the source of its {role} is not the one of its config"
    return None


def tables_at_hand(benchmarks: Sequence[Benchmark], table: Path | None) -> list[tuple[Benchmark, Evaluator]]:
    """The benchmarks' own tables, and a table that is given, with each benchmark that can read it. ValueError or
    OSError if none can."""
    found = [(each, evaluator) for each in benchmarks if (evaluator := each.evaluator(None))]
    if table is None:
        return found
    given, refusals = [], []
    for benchmark in benchmarks:
        try:
            if evaluator := benchmark.evaluator(table):
                given.append((benchmark, evaluator))
        except ValueError as error:
            refusals.append(error)
    if not given:
        raise refusals[0]
    own = {evaluator.sha256 for _, evaluator in found}
    return found + [(benchmark, evaluator) for benchmark, evaluator in given if evaluator.sha256 not in own]


def score_problems(store: Store, records: Sequence[Record], tables: Sequence[tuple[Benchmark, Evaluator]]) -> list[str]:
    """Stored accuracies that differ from those of the tables at hand (`tables_at_hand`), and searches without any."""
    found = []
    all_scores = list(store.scores())
    for benchmark, evaluator in tables:
        for scores in all_scores:
            if (scores.benchmark, scores.sha256) == (benchmark.name, evaluator.sha256):
                truth, _ = evaluator.scores(sorted(set(scores.frame["architecture"])))
                both = pd.merge(scores.frame, truth, on=SCORED, how="left", suffixes=("", "_table"))
                wrong = int((both["value"] != both["value_table"]).sum())
                found += [f"{wrong} accuracies are not those of the table they name"] if wrong else []
    for name in dict.fromkeys(benchmark.name for benchmark, _ in tables):
        known = {text for scores in all_scores if scores.benchmark == name for text in scores.frame["architecture"]}
        searches = [r for r in records if r["status"] == "done" and "cells" in r]
        mine = [r for r in searches if benchmark_name(r["config"]) == name]
        missing = sum(record["cells"]["last"] not in known for record in mine)
        found += [f"{missing} searches have no accuracies: python -m harness report looks them up"] if missing else []
    return found


def unchecked_tables(store: Store, tables: Sequence[tuple[Benchmark, Evaluator]]) -> list[str]:
    """Where stored accuracies are from that no table at hand can confirm, those of a user's own space among them."""
    at_hand = {evaluator.sha256 for _, evaluator in tables}
    return sorted({each.source for each in store.scores() if each.sha256 not in at_hand})


def quickest(records: Sequence[Record]) -> Record | None:
    """The search that is run again: the shortest of the quick profile on a CPU, else a search by queries."""
    done = [r for r in records if r["status"] == "done" and "cells" in r]
    quick = [r for r in done if r["config"]["profile"] == "quick" and r["provenance"].get("device") == "cpu"]
    queries = [r for r in done if r["config"]["kind"] == "black-box"]
    candidates = [r for r in quick if r["config"]["kind"] == "one-shot"] or queries or quick
    return min(candidates, key=lambda r: (r["provenance"].get("seconds") or 0.0, r["key"]), default=None)
