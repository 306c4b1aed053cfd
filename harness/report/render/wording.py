"""How the numbers of a leaderboard row read in every table for people."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pandas as pd

NOTHING = "–"

ACCURACIES = (
    "ours: mean ± sample standard deviation (number of searches) of the accuracy in % of the found cells after 200"
    " epochs of training, for each cell the mean over the table's trials."
)
ERRORS = (
    "test error of the cell, trained from scratch: mean ± sample standard deviation (number of searches) of the error"
    " in % of the found cells, lower is better, each trained once here by the recipe named, under its search's own"
    " seed. Never judged: published errors are of one cell that was chosen from several searches, after a full"
    " schedule. Parameters: millions, mean over the cells."
)
PUBLISHED = (
    "published: mean ± standard deviation (number of searches; ?: not stated), with its split where that is not ours"
    " (for digits, of CIFAR-10); †: recalled (value or spread), not verified."
)


def ours(row: Any) -> str:
    """E.g. `93.85 ± 0.37 (4)`; no spread for one search. `row` has the attributes of a leaderboard row."""
    return _accuracy(row.mean, row.std, str(row.n))


def published(row: Any) -> str:
    """E.g. `71.87 ± 0.57 (4) ori-test`; the split is named where it is not that of the row."""
    if pd.isna(row.published):
        return NOTHING
    n = "?" if pd.isna(row.published_n) else str(row.published_n)
    mark = "†" if "recalled" in row.published_status else ""
    split = "" if row.published_split == row.split else f" {row.published_split or 'split not stated'}"
    return _accuracy(row.published, row.published_std, n) + mark + split


def printable(text: str) -> str:
    """One line without control characters, whatever a method is called or a traceback holds."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def ranges(numbers: Iterable[int]) -> str:
    """Whole numbers, e.g. `0-3, 7`."""
    ordered = sorted(set(map(int, numbers)))
    parts = []
    for _, run in groupby(enumerate(ordered), key=lambda item: item[1] - item[0]):
        members = [number for _, number in run]
        parts.append(f"{members[0]}-{members[-1]}" if len(members) > 1 else str(members[0]))
    return ", ".join(parts)


def p_value(p: float) -> str:
    """E.g. `= 0.0312`, `< 0.0001`."""
    return "< 0.0001" if p < 1e-4 else f"= {p:.3g}"


def _accuracy(mean: float, std: float, n: str) -> str:
    spread = "" if pd.isna(std) else f" ± {std:.2f}"
    return f"{mean:.2f}{spread} ({n})"
