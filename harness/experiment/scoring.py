"""Scores of the architectures of stored searches, from a table or a user's own function, written beside the runs."""

from __future__ import annotations

from collections.abc import Collection

from harness.benchmarks.base import Benchmark, Evaluator
from harness.experiment.claims import waited_for
from harness.experiment.config import benchmark_name, is_search_of
from harness.experiment.plan import benchmark_config
from harness.experiment.store import Record, Scores, Store


def score(
    store: Store,
    benchmark: Benchmark,
    evaluator: Evaluator,
    chosen_only: bool = False,
    keys: Collection[str] | None = None,
) -> list[str]:
    """Write what an evaluator says of every architecture that a stored search of the benchmark passed through, and of
    the best ones; with `chosen_only`, of those that searches ended with or chose; with `keys`, of these searches only.

    One process at a time, so that none overwrites what another adds. Returns a line for every architecture whose
    evaluation failed.
    """
    with waited_for(store.claim_path(evaluator.sha256)):
        return _add_scores(store, benchmark, evaluator, chosen_only, keys)


def _add_scores(
    store: Store, benchmark: Benchmark, evaluator: Evaluator, chosen_only: bool, keys: Collection[str] | None
) -> list[str]:
    config = benchmark_config(benchmark)
    name = benchmark_name({"benchmark": config})
    known = {
        architecture
        for scores in store.scores()
        if (scores.benchmark, scores.sha256) == (name, evaluator.sha256)
        for architecture in scores.frame["architecture"]
    }
    stored = store.records() if keys is None else [r for key in keys if (r := store.read(key))]
    records = [r for r in stored if r["status"] == "done" and is_search_of(r["config"], config)]
    passed = {architecture for record in records for architecture in _architectures(store, record, chosen_only)}
    best = set(evaluator.best() if passed else ())
    missing = sorted((passed | best) - known)
    if not missing:
        return []
    frame, failures = evaluator.scores(missing)
    if len(frame):
        has_best = bool(best) and best <= known | set(frame["architecture"])
        store.write_scores(Scores(name, evaluator.sha256, evaluator.source, frame, has_best))
    return failures


def _architectures(store: Store, record: Record, chosen_only: bool) -> set[str]:
    """Those of a search."""
    chosen = {record["cells"]["last"], record["cells"].get("best_valid")} - {None}
    if chosen_only:
        return chosen
    if "arrays_sha256" in record:
        return {str(cell) for cell in store.arrays(record["key"])["cells"]}
    return chosen | {cell for _, _, cell, _ in record.get("improvements", ())}
