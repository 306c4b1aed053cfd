"""What the searches of a call have shown, in two or three sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

import pandas as pd

from harness.report import statistics
from harness.report.comparison import pair, scores_of, tested
from harness.report.content import Report
from harness.report.groups import Group
from harness.report.render.wording import p_value
from harness.report.statistics import ALPHA
from harness.text import printable

NAMED = 4
"""Most methods that a sentence names."""


def sentences(report: Report, groups: Iterable[Group]) -> list[str]:
    """For each group, on its first dataset and split: the best method, what it is significantly better than, what the
    searches cannot show, and how far the best method lies above the controls. Empty where fewer than two methods have
    accuracies."""
    found = []
    for group in dict.fromkeys(groups):
        rows = report.placed[(report.placed[list(Group._fields)] == list(group)).all(axis=1)]
        methods = [method for method in report.methods if method in set(rows["method"])]
        numbers = [(key, each) for key, each in scores_of(report, methods) if key[0] == group and len(each.columns) > 1]
        numbers.sort(key=lambda number: number[0][1] != group.searched_on)  # the images searched on come first
        for key, scores in numbers[:1]:
            found.append(printable(" ".join(_of(report, key, scores))))
    return found


def _of(report: Report, key: tuple[Group, str, str], scores: pd.DataFrame) -> list[str]:
    group, dataset, split = key
    means = scores.mean().sort_values(ascending=False, kind="stable")
    short, _ = report.short_names(means.index)
    best, second, *_ = means.index
    lines = [
        f"On {dataset} ({split}), {short[best]} has the highest mean of {len(means)} methods: {means[best]:.2f} %"
        f" (n = {scores[best].count()}), {means[best] - means[second]:.2f} points above {short[second]}."
    ]
    p_values = _corrected(scores, combinations(means.index, 2))
    shown = {other: p <= ALPHA for (first, other), p in p_values.items() if first == best}
    if not shown:
        lines.append("A method with one search cannot be tested: raise --seeds.")
        return [*lines, *_against_controls(report, group, scores, short), *_proxy(group)]
    behind = [other for other in means.index[1:] if shown.get(other) and _tends(scores, best, other) > 0]
    ahead = [other for other in means.index[1:] if shown.get(other) and other not in behind]
    open_ = [other for other in means.index[1:] if not shown.get(other)]
    level = f"level {ALPHA}" + (f", Holm over all {len(p_values)} pairs of methods" if len(p_values) > 1 else "")
    if behind:
        lines.append(f"It is significantly better than {_list([short[each] for each in behind])} ({level}).")
    if ahead:
        verb = "exceeds" if len(ahead) == 1 else "exceed"
        better = f"{_list([short[each] for each in ahead])} significantly {verb} it"
        lines.append(f"But {better} in most searches, though not in the mean ({level}).")
    if open_:
        fewest = int(scores[[best, *shown]].count().min())
        too_few = "" if behind or ahead else _too_few(fewest, len(p_values))
        lines.append(f"The difference to {_list([short[each] for each in open_])} could be chance{too_few}.")
    return [*lines, *_against_controls(report, group, scores, short), *_proxy(group)]


def _against_controls(report: Report, group: Group, scores: pd.DataFrame, short: Mapping[str, str]) -> Iterator[str]:
    """The best of the other methods against random cells and the control at an equal budget; p is Holm's, over each of
    the methods against each of these controls."""
    budget = report.budgets.get(group)
    equal = (budget.control if budget else None) or ""
    asked = [control for control in (equal, *sorted(report.controls)) if control in scores.columns]
    others = [method for method in scores.columns if method not in asked]
    others = [method for method in others if method not in report.set_apart] or others
    if not asked or not others:
        return
    means = scores.mean()
    best = max(others, key=lambda method: float(means[method]))
    p_values = _corrected(scores, product(others, asked))
    parts = []
    for control in asked:
        difference = float(means[best] - means[control])
        what = f"{abs(difference):.2f} points {'above' if difference >= 0 else 'below'} {short[control]}"
        what += " at equal multiply-adds" if control == equal else ""
        known = p_values.get((best, control))
        if known is not None and known <= ALPHA and difference * _tends(scores, best, control) < 0:
            what += f", though {'worse' if difference >= 0 else 'better'} in most searches"
        parts.append(what if known is None else f"{what} (p {p_value(known)})")
    yield f"Against the controls: {short[best]} is {' and '.join(parts)}."


def _corrected(scores: pd.DataFrame, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """p of the pairs of methods with more than one search each, corrected for all of them: which method is the best,
    and so which pairs a sentence is about, is seen in the results (docs/rules.md)."""
    both = {names: pair(scores, *names, paired=False) for names in pairs}
    found = {names: tested(*runs, paired=False).p for names, runs in both.items() if min(map(len, runs)) > 1}
    return dict(zip(found, statistics.holm(list(found.values())), strict=True))


def _tends(scores: pd.DataFrame, first: str, second: str) -> float:
    """Positive where searches of the first method tend to be better."""
    return tested(*pair(scores, first, second, paired=False), paired=False).direction


def _too_few(fewest: int, pairs: int) -> str:
    """Why no difference could have been shown, if that is so."""
    needed = statistics.minimum_seeds(pairs)
    return "" if fewest >= needed else f": {needed} searches of each method are needed to show any"


def _proxy(group: Group) -> list[str]:
    return ["These are small proxy searches: full-size ones may rank otherwise."] if group.label else []


def _list(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
