"""Formatting of numbers and texts of leaderboard rows, shared by all tables for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from harness.report.metrics import METRICS

NOTHING = "–"
NOT_STATED = "not stated"
RELATIONS = {"agrees": "=", "differs": "≠", "inconclusive": "~"}
"""Sign between ours and a comparable published value, by verdict."""

ACCURACIES = "ours: mean ± sample standard deviation (number of searches) of the accuracy in %{0}."
ERRORS = (
    "test error of cells retrained from scratch: the same in %, lower is better; never judged. Parameters: millions."
)
PUBLISHED = (
    "published: the same (?: not stated), with dataset and split where not ours; †: quoted from memory, not verified."
)


def ours(row: Any) -> str:
    """Our result, e.g. `93.85 ± 0.37 (4)`; without a deviation for one search. `row` is a leaderboard row."""
    return f"{spread(row.mean, row.std)} ({row.n})"


def spread_of(values: Sequence[float]) -> str:
    """Mean and sample standard deviation of some numbers, e.g. `93.85 ± 0.37`."""
    if not values:
        return NOTHING
    return spread(fmean(values), stdev(values) if len(values) > 1 else math.nan)


def published(row: Any) -> str:
    """The published result, e.g. `71.87 ± 0.57 (4)† ori-test`; the split is given if it differs from the row's."""
    if pd.isna(row.published):
        return NOTHING
    split = "" if row.published_split == row.split else f" {row.published_split or 'split not stated'}"
    return f"{spread(row.published, row.published_std)} ({published_n(row)}){recalled(row)}{split}"


def result(row: Any) -> str:
    """Our result, followed by the published one if it is comparable, e.g. `93.72 ± 0.34 (= 93.70 ± 0.36†)`."""
    ours = spread(row.mean, row.std)
    if row.verdict not in RELATIONS:
        return ours
    return f"{ours} ({RELATIONS[row.verdict]} {spread(row.published, row.published_std)}{recalled(row)})"


def published_mean(row: Any) -> str:
    """The published mean, e.g. `71.87†`."""
    return f"{plain(row.published)}{recalled(row)}"


def published_n(row: Any) -> str:
    return "?" if pd.isna(row.published_n) and not pd.isna(row.published) else plain(row.published_n)


def published_split(row: Any) -> str:
    return NOTHING if pd.isna(row.published) else row.published_split or NOT_STATED


def recalled(row: Any) -> str:
    """The mark of a published value that is quoted from memory, or whose standard deviation is."""
    return "†" if not pd.isna(row.published) and "recalled" in row.published_status else ""


def verdict(row: Any) -> str:
    """The verdict with its evidence, e.g. `inconclusive (0.54)`, `differs (0 of 8)`."""
    if not pd.isna(row.hits):
        return f"{row.verdict} ({row.hits} of {row.n})"
    return row.verdict if pd.isna(row.resolution) else f"{row.verdict} ({row.resolution:.2f})"


def p_plain(p: float) -> str:
    """A p-value without its relation sign unless it is tiny, e.g. `0.031`, `< 0.001`."""
    if pd.isna(p):
        return NOTHING
    return "< 0.001" if p < 1e-3 else f"{p:.3f}"


def judged(row: Any) -> list[str]:
    """What a verdict rests on, in phrases; empty if the row was not judged."""
    if not pd.isna(row.hits):
        interval = f"95 % interval (Clopper-Pearson) {100 * row.low:.0f} to {100 * row.high:.0f} %"
        ended = f"{row.hits} of {row.n} searches end in the cell in which all published ones end, {interval}"
        return [ended, f"Fisher's exact test p {p_value(row.p)}, {p_plain(row.p_holm)} corrected"]
    if pd.isna(row.resolution):
        return []
    margin = "no margin of agreement is known" if pd.isna(row.margin) else f"margin of agreement ±{row.margin:.2f}"
    return [
        f"95 % interval of the difference {row.low:+.2f} to {row.high:+.2f}",
        margin,
        f"smallest observed difference that would be significant {row.resolution:.2f}",
        f"t test p {p_value(row.p)}, {p_plain(row.p_holm)} corrected",
        f"ratio of the standard deviations {row.spread_ratio:.2f}, not judged",
    ]


def measured(row: Any) -> str:
    """The split, followed by the metric if it is not an accuracy: `x-test`, `test error`."""
    return " ".join(filter(None, [row.split, METRICS[row.metric].short]))


def spread(mean: float, std: float) -> str:
    """Mean and standard deviation, e.g. `93.85 ± 0.37`; only the mean for one search."""
    return f"{mean:.2f}" if pd.isna(std) else f"{mean:.2f} ± {std:.2f}"


def plain(value: Any, sign: str = "") -> str:
    """Format a single value: floats with two decimals, everything else by `str`."""
    if value is None or pd.isna(value):
        return NOTHING
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:{sign}.2f}"  # + 0.0 turns -0.0 into 0.0
    return str(value)


def ranges(numbers: Iterable[int]) -> str:
    """Integers as ranges, e.g. `0-3, 7`."""
    ordered = sorted(set(map(int, numbers)))
    parts = []
    for _, run in groupby(enumerate(ordered), key=lambda item: item[1] - item[0]):
        members = [number for _, number in run]
        parts.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else str(members[0]))
    return ", ".join(parts)


def p_value(p: float) -> str:
    """A p-value with its relation sign, e.g. `= 0.0312`, `< 0.0001`."""
    return "< 0.0001" if p < 1e-4 else f"= {p:.3g}"
