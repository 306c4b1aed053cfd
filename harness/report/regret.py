"""Regret of the selected cells against the best cell of the table, hit rates, and isomorphism classes."""

from __future__ import annotations

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.report.columns import REGRET, RUNS, held
from harness.report.groups import GROUP

RUN_COLUMNS = [*held(RUNS), "isomorphism_class"]
SUMMARY_COLUMNS = held(REGRET)


def of_runs(finals: pd.DataFrame, accuracies: pd.DataFrame) -> pd.DataFrame:
    """Add regret and isomorphism class to the accuracies of runs.

    Args:
        finals: rows of `accuracies.final`, of benchmarks whose best architectures are among `accuracies`.
        accuracies: columns `accuracies.COLUMNS`; every stored look-up includes the best cell of its table.

    Returns:
        One row per run, selection, dataset and split, columns `RUN_COLUMNS`. `best`: highest accuracy (%) of the table
        on that dataset and split, or the benchmark's constant (`optimum`); `regret`: best minus value, in points;
        `hit`: whether the regret is zero; `isomorphism_class`: string that is equal for cells that the benchmark
        considers isomorphic; `rank` and `rank_of` as in `finals`, where it has them.
    """
    keys = ["space", "table", "dataset", "split"]
    best = accuracies.groupby(keys)["value"].max().rename("best").reset_index()
    fixed = [optimum(*key) for key in best[["space", "dataset", "split"]].itertuples(index=False, name=None)]
    best["best"] = [value if known is None else known for value, known in zip(best["best"], fixed, strict=True)]
    rows = finals.merge(best, on=keys, how="left")
    cells = rows[["space", "cell"]].drop_duplicates()
    classes = [_class(*pair) for pair in cells.itertuples(index=False, name=None)]
    rows = rows.merge(cells.assign(isomorphism_class=classes), on=["space", "cell"], how="left")
    rows["regret"] = rows["best"] - rows["value"]
    rows["hit"] = rows["regret"] == 0
    return rows.reindex(columns=RUN_COLUMNS)


def of_every_run(finals: pd.DataFrame, regrets: pd.DataFrame) -> pd.DataFrame:
    """All rows of `accuracies.final`, with the regrets of `of_runs`, missing where the best architecture is not known.
    Columns `RUN_COLUMNS`."""
    number = ["method", *GROUP, "seed", "selection", "dataset", "split", "table"]
    added = [name for name in RUN_COLUMNS if name not in finals.columns]
    return finals.merge(regrets[[*number, *added]], on=number, how="left").reindex(columns=RUN_COLUMNS)


def optimum(space: str, dataset: str, split: str) -> float | None:
    """The accuracy (%) from which regret counts on a benchmark, whatever the best cell of its table is; None: that."""
    return BENCHMARKS[space].optima.get((dataset, split)) if space in BENCHMARKS else None


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean regret, hit rate and numbers of distinct cells and isomorphism classes among the n runs, per method, group,
    selection, dataset and split. Columns `SUMMARY_COLUMNS`."""
    grouped = rows.groupby(["method", *GROUP, "selection", "dataset", "split"], sort=False)
    aggregated = grouped.agg(
        n=("seed", "size"),
        regret=("regret", "mean"),
        hit_rate=("hit", "mean"),
        cells=("cell", "nunique"),
        classes=("isomorphism_class", "nunique"),
    )
    return aggregated.reset_index()[SUMMARY_COLUMNS]


def _class(space: str, cell: str) -> str:
    """Isomorphism class of a cell; cells of custom spaces and invalid strings each form their own class."""
    try:
        return BENCHMARKS[space].equivalence_class(cell) if space in BENCHMARKS else cell
    except ValueError:
        return cell
