"""Wins, ties and losses of methods against one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.report import accuracies, statistics
from harness.report.comparison import pair, scores_of, tested
from harness.report.content import Report
from harness.report.groups import Group
from harness.report.names import resolved
from harness.report.statistics import ALPHA


@dataclass(frozen=True)
class Matrix:
    """How often each method is significantly better than each other one, how often neither is, and how often worse."""

    methods: tuple[str, ...]
    """Short names, in the order asked."""
    cells: Mapping[tuple[int, int], tuple[int, int, int]]
    """(row, column) -> wins, ties and losses of the row; pairs that are nowhere together are missing."""

    def text(self, row: int, column: int) -> str:
        found = self.cells.get((row, column))
        return "/".join(map(str, found)) if found else ""


CAPTION = (
    "Wins/ties/losses of the row against the column, over groups and datasets (of every dataset the first split)."
    f" A win is significant at {ALPHA} after Holm's correction over all pairs of a group."
)


def matrix(report: Report, methods: Sequence[str], *, paired: bool = False) -> Matrix:
    """Of all pairs of methods, given as `comparison.compare` takes them. ValueError as there."""
    labels = resolved(report.labels, methods)
    found: dict[tuple[int, int], list[int]] = {}
    for tests in _by_group(report, labels, paired).values():
        corrected = statistics.holm([p for _, _, p in tests])
        for (places, direction, _), p in zip(tests, corrected, strict=True):
            won = 0 if p > ALPHA else 1 if direction > 0 else -1
            for (row, column), sign in ((places, won), (places[::-1], -won)):
                found.setdefault((row, column), [0, 0, 0])[1 - sign] += 1
    short, _ = report.short_names(labels)
    cells = {places: (wins, ties, losses) for places, (wins, ties, losses) in found.items()}
    return Matrix(tuple(short[label] for label in labels), cells)


Tested = tuple[tuple[int, int], float, float]
"""The places of two methods, by how much the first is better (positive or negative), and p."""


def _by_group(report: Report, labels: Sequence[str], paired: bool) -> dict[Group, list[Tested]]:
    main = {space: accuracies.main_splits(rows) for space, rows in report.accuracies.groupby("space")}
    found: dict[Group, list[Tested]] = {}
    for (group, dataset, split), scores in scores_of(report, labels):
        if main.get(group.space, {}).get(dataset, split) != split:
            continue
        for places in combinations(range(len(labels)), 2):
            first, second = (labels[place] for place in places)
            if not {first, second} <= set(scores.columns):
                continue
            ours, theirs = pair(scores, first, second, paired)
            if min(len(ours), len(theirs)) > 1:
                test = tested(ours, theirs, paired)
                found.setdefault(group, []).append((places, test.direction, test.p))
    return found
