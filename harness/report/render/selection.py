r"""Chosen methods and numbers as LaTeX for a paper: one line per method, the best of each column in bold, nothing else.

For `\input`, in a document that loads booktabs.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import pandas as pd

from harness.report import retrained
from harness.report.content import Report
from harness.report.groups import DATASET_ORDER, GROUP, SELECTIONS, SPLIT_ORDER, Group, in_order
from harness.report.metrics import METRICS
from harness.report.render.latex import END, begin, escape, line
from harness.report.render.wording import NOTHING, spread

SELECTION = "last"
Metric = tuple[str, str]
"""Dataset and split."""
Numbers = dict[tuple[str, str, str], Any]
"""Rows of the leaderboard by method, dataset and split."""


def render(report: Report, methods: Sequence[str], metrics: Sequence[Metric] = ()) -> str:
    """A table per group of searches.

    Args:
        methods: labels, in the order of the lines.
        metrics: in the order of the columns; without a split, the first of a dataset. Empty: that of all datasets.

    Raises:
        ValueError: if the methods have no such number.
    """
    rows = report.leaderboard[
        (report.leaderboard["selection"] == SELECTION) & report.leaderboard["method"].isin(methods)
    ]
    asked_in_vain = [pair for pair in metrics if not _columns(rows, [pair])]
    lines = [
        text
        for key, group in rows.groupby([*GROUP, _recipes(rows)], sort=False)
        for text in _table(report, key, group, methods, metrics)
    ]
    if not lines or asked_in_vain:
        known = sorted({f"{dataset}:{split}" for dataset, split in zip(rows["dataset"], rows["split"], strict=True)})
        what = ", ".join(":".join(filter(None, pair)) for pair in asked_in_vain)
        of_what = f" of {what}, which --metric asks" if what else ""
        raise ValueError(f"these methods have no accuracies{of_what}; known: {', '.join(known) or 'none'}")
    return "\n".join(["% Needs \\usepackage{booktabs}", *lines]) + "\n"


def _recipes(rows: pd.DataFrame) -> pd.Series:
    """Retrainings by different recipes are different tables."""
    return rows["table"].where(rows["metric"] == retrained.METRIC, "")


def _table(
    report: Report, key: tuple[Hashable, ...], rows: pd.DataFrame, methods: Sequence[str], metrics: Sequence[Metric]
) -> Iterator[str]:
    *names, recipe = map(str, key)
    group = Group(*names)
    columns = _columns(rows, metrics)
    if not columns:
        return
    present = [method for method in methods if method in set(rows["method"])]
    short, shared = report.short_names(present)
    numbers: Numbers = {(str(row.method), str(row.dataset), str(row.split)): row for row in rows.itertuples()}
    best = {column: _best(numbers, column, present, lower=bool(recipe)) for column in columns}
    what = METRICS[retrained.METRIC].name if recipe else "accuracy"
    caption = f"{group.title}: {what} in %, mean ± sample standard deviation; {SELECTIONS[SELECTION]}"
    caption += "".join(f"; {text}" for text in (recipe, f"all with {shared}" if shared else "", group.proxy) if text)
    counts = {
        method: {numbers[(method, *column)].n for column in columns if (method, *column) in numbers}
        for method in present
    }
    name = re.sub(r"[^A-Za-z0-9]+", "-", "-".join((*group, recipe))).strip("-")
    yield from begin(f"{caption}.", name, "lr" + "r" * len(columns))
    yield line(["method", "$n$", *(escape(f"{dataset}, {split}") for dataset, split in columns)])
    yield r"\midrule"
    for method in present:
        cells = [_cell(numbers.get((method, *column)), method in best[column]) for column in columns]
        yield line([escape(short[method]), "/".join(map(str, sorted(counts[method]))), *cells])
    yield from END


def _columns(rows: pd.DataFrame, metrics: Sequence[Metric]) -> list[Metric]:
    splits = {
        str(dataset): in_order(part["split"], SPLIT_ORDER) for dataset, part in rows.groupby("dataset", sort=False)
    }
    asked = metrics or [(dataset, "") for dataset in in_order(splits, DATASET_ORDER)]
    columns = [(dataset, split or splits.get(dataset, [""])[0]) for dataset, split in asked]
    return [(dataset, split) for dataset, split in columns if split in splits.get(dataset, [])]


def _best(numbers: Numbers, column: Metric, methods: Sequence[str], lower: bool) -> set[str]:
    """The methods with the best mean in a column, as it is printed; none where there is but one."""
    means = {method: round(numbers[(method, *column)].mean, 2) for method in methods if (method, *column) in numbers}
    if len(means) < 2:
        return set()
    best = (min if lower else max)(means.values())
    return {method for method, mean in means.items() if mean == best}


def _cell(row: Any, best: bool) -> str:
    if row is None:
        return escape(NOTHING)
    text = escape(spread(row.mean, row.std))
    return rf"\textbf{{{text}}}" if best else text
