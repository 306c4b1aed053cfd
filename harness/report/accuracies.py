"""Accuracies of the architectures of searches, from stored scores: one table per number."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.base import Evaluator
from harness.experiment.store import Scores
from harness.report.groups import GROUP, SPLIT_ORDER, in_order

COLUMNS = ["space", "cell", "dataset", "split", "metric", "value", "table"]
RANKS = ["rank", "rank_of"]
_RANKED = ["space", "table", "cell", "dataset", "split"]
SHOWN_DIGITS = 12
"""Number of leading SHA-256 digits by which reports name a table."""


def one_table_per_number(scores: Sequence[Scores]) -> pd.DataFrame:
    """Merge looked-up accuracies (%) so that each benchmark, dataset and split comes from a single table.

    Verified tables are preferred, then the table with the most (dataset, split) pairs, then the smallest SHA-256.
    Columns `COLUMNS`; a table is named by the first 12 digits of its SHA-256.
    """
    unverified_tables = unverified(scores)
    parts: dict[Hashable, pd.DataFrame] = {}
    ordered = sorted(scores, key=lambda table: (_name(table) in unverified_tables, -_pairs(table.frame), table.sha256))
    for table in ordered:
        for pair, rows in table.frame.groupby(["dataset", "split"]):
            parts.setdefault((table.benchmark, pair), _with_table(table, rows))
    return pd.concat(parts.values()) if parts else pd.DataFrame(columns=COLUMNS)


def _with_table(table: Scores, rows: pd.DataFrame) -> pd.DataFrame:
    renamed = rows.rename(columns={"architecture": "cell"}).assign(space=table.benchmark, table=_name(table))
    return renamed[COLUMNS]


def _name(table: Scores) -> str:
    return table.sha256[:SHOWN_DIGITS]


def unverified(scores: Sequence[Scores]) -> frozenset[str]:
    """Names (12 digits of the SHA-256) of tables of built-in benchmarks whose validation accuracies are missing or
    differ from the benchmark's."""
    built_in = [table for table in scores if len(table.frame) and table.benchmark in BENCHMARKS]
    return frozenset(
        _name(table) for table in built_in if not BENCHMARKS[table.benchmark].is_verified(table.sha256, table.frame)
    )


def final(runs: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """One row per finished run, selection, dataset and split: columns of `runs` and `accuracies`, plus `selection`."""
    finished = runs[runs["failure"] == ""]
    selected = pd.concat(
        [
            finished.assign(selection="last", cell=finished["last"]),
            finished.assign(selection="best-valid", cell=finished["best_valid"]),
        ]
    )
    return selected.merge(accuracies, on=["space", "cell"])


def with_ranks(finals: pd.DataFrame, tables: Iterable[tuple[str, Evaluator]]) -> pd.DataFrame:
    """Add the rank of each cell in its space, `rank` and `rank_of`, to rows of `final`: missing unless one of the
    complete `tables`, each with its space, is the very one that the number is from."""
    parts = [pd.DataFrame(columns=[*_RANKED, *RANKS])]
    for space, evaluator in tables:
        name = evaluator.sha256[:SHOWN_DIGITS]
        cells = finals.loc[(finals["space"] == space) & (finals["table"] == name), "cell"].unique()
        if len(cells):
            ranks = evaluator.ranks(cells).rename(columns={"architecture": "cell"})
            parts.append(ranks.assign(space=space, table=name)[[*_RANKED, *RANKS]])
    known = pd.concat(parts[1:] or parts).drop_duplicates(_RANKED)
    return finals.merge(known, on=_RANKED, how="left").astype(dict.fromkeys(RANKS, "Int64"))


def main_splits(accuracies: pd.DataFrame) -> dict[str, str]:
    """For each dataset of one benchmark the split that figures show: the first in `SPLIT_ORDER`."""
    pairs = accuracies[["dataset", "split"]].drop_duplicates()
    return {str(dataset): in_order(rows["split"], SPLIT_ORDER)[0] for dataset, rows in pairs.groupby("dataset")}


def uncovered(runs: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """Count finished runs without an accuracy of their last cell, by group and table: columns `GROUP`, table, count.

    Runs on a benchmark without any table are all counted, with an empty table name.
    """
    finished = runs[runs["failure"] == ""]
    missing = [pd.DataFrame(columns=[*GROUP, "table"])]
    for space, space_runs in finished.groupby("space"):
        tables = accuracies[accuracies["space"] == space].groupby("table")
        cells_by_table: dict[Any, set[str]] = {table: set(rows["cell"]) for table, rows in tables}
        missing += [
            space_runs.loc[~space_runs["last"].isin(cells), GROUP].assign(table=table)
            for table, cells in (cells_by_table or {"": set()}).items()
        ]
    return pd.concat(missing).groupby([*GROUP, "table"]).size().reset_index(name="count")


def _pairs(frame: pd.DataFrame) -> int:
    return len(frame[["dataset", "split"]].drop_duplicates())
