"""What the searches of a call have shown, in two or three sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from harness.report import statistics
from harness.report.comparison import pair, scores_of, tested
from harness.report.content import Report
from harness.report.groups import Group
from harness.report.statistics import ALPHA
from harness.text import printable

NAMED = 4
"""Most methods that a sentence names."""


def sentences(report: Report, groups: Iterable[Group]) -> list[str]:
    """For each group, on its first dataset and split: the best method, what it is significantly better than, and what
    the searches cannot show. Empty where fewer than two methods have accuracies."""
    found = []
    for group in dict.fromkeys(groups):
        rows = report.runs[(report.runs[list(Group._fields)] == list(group)).all(axis=1)]
        compared = {*rows["method"], *report.controls}
        methods = [method for method in report.methods if method in compared]
        numbers = [(key, each) for key, each in scores_of(report, methods) if key[0] == group and len(each.columns) > 1]
        numbers.sort(key=lambda number: number[0][1] != group.searched_on)  # the images searched on come first
        for key, scores in numbers[:1]:
            found.append(printable(" ".join(_of(report, key, scores))))
    return found


def _of(report: Report, key: tuple[Group, str, str], scores: pd.DataFrame) -> list[str]:
    group, dataset, split = key
    means = scores.mean().sort_values(ascending=False, kind="stable")
    short, _ = report.short_names([method for method in means.index if method not in report.controls] or means.index)
    short = {method: report.labels[method].name for method in means.index} | short
    best, second, *_ = means.index
    lines = [
        f"On {dataset} ({split}), {short[best]} has the highest mean of {len(means)} methods: {means[best]:.2f} %"
        f" (n = {scores[best].count()}), {means[best] - means[second]:.2f} points above {short[second]}."
    ]
    pairs = {other: pair(scores, best, other, paired=False) for other in means.index[1:]}
    ready = {other: both for other, both in pairs.items() if min(map(len, both)) > 1}
    if not ready:
        return [*lines, "One search of each is no test: raise --seeds.", *_proxy(group)]
    corrected = statistics.holm([tested(*both, paired=False).p for both in ready.values()])
    shown = {other: p <= ALPHA for other, p in zip(ready, corrected, strict=True)}
    beaten = [short[other] for other in means.index[1:] if shown.get(other)]
    open_ = [short[other] for other in means.index[1:] if not shown.get(other)]
    if beaten:
        lines.append(f"It is significantly better than {_list(beaten)} (level {ALPHA}, Holm over {len(ready)}).")
    if open_:
        lines.append(f"The difference to {_list(open_)} could be chance{_too_few(ready, beaten)}.")
    return [*lines, *_proxy(group)]


def _too_few(ready: Mapping[str, tuple[pd.Series, pd.Series]], beaten: Sequence[str]) -> str:
    """Why no difference could have been shown, if that is so."""
    fewest, needed = min(len(part) for both in ready.values() for part in both), statistics.minimum_seeds(len(ready))
    return "" if beaten or fewest >= needed else f": {needed} searches of each method are needed to show any"


def _proxy(group: Group) -> list[str]:
    return ["These are small proxy searches: full-size ones may rank otherwise."] if group.label else []


def _list(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
