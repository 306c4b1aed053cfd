"""Pairwise comparison of methods: effect size, interval, test and practical relevance."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from harness.benchmarks.base import Noise
from harness.experiment.config import Label
from harness.report import statistics
from harness.report.content import Report
from harness.report.groups import GROUP, Group
from harness.report.render.wording import ranges
from harness.report.runs import SUBSET
from harness.report.sentences import SELECTION, Comparison, Comparisons
from harness.text import printable


def names(text: str) -> list[str]:
    """Split labels of methods at commas outside of brackets: `a,b [epochs=3, lr=0.1]` are two labels.

    Raises ValueError for fewer than two labels or for duplicates.
    """
    labels = [name.strip() for name in re.split(r",(?![^\[]*\])", text)]
    if len(labels) < 2 or not all(labels):
        raise ValueError(f"a comparison needs at least two methods, as in A,B; got {text!r}")
    if len(set(labels)) < len(labels):
        raise ValueError(f"a method cannot be compared with itself: {text!r}")
    return labels


def compare(report: Report, methods: Sequence[str], table: Path | None) -> Comparisons:
    """Compare the first of `methods` with each of the others, in every group, dataset and split that both have.

    The compared cells are those of the last epoch. With more than two methods, p is corrected by Holm's method over
    the comparisons on one dataset and split.

    Args:
        methods: labels of the methods in the report.
        table: tabular benchmark from which the noise between isomorphic cells is estimated.

    Raises:
        ValueError: if the results have no runs of a method.
    """
    methods = [_resolved(report, method) for method in methods]
    first, *others = methods
    short, shared = report.short_names(methods)
    comparisons: list[Comparison] = []
    notes: list[str] = []
    for (group, dataset, split), scores in _scores(report, methods):
        noise = group.benchmark.noise(table, dataset, split) if group.benchmark else None
        uncorrected = []
        for second in others:
            if not {first, second} <= set(scores.columns):
                continue
            label = group.label or SUBSET * bool({first, second} & report.subsets)
            comparison = _compare(scores, first, second, group, dataset, split, noise, label.strip(" ()"))
            if comparison is None:
                notes.append(_no_common_seeds(scores, first, second, group, dataset, split))
            else:
                uncorrected.append(comparison)
        corrected = statistics.holm([comparison.test.p for comparison in uncorrected])
        comparisons += [
            replace(
                comparison,
                first=short[comparison.first],
                second=short[comparison.second],
                corrected=p,
                comparisons=len(uncorrected),
            )
            for comparison, p in zip(uncorrected, corrected, strict=True)
        ]
    notes += _never_together(report, methods)
    return Comparisons(tuple(comparisons), shared, tuple(map(printable, notes)))


def blocks(report: Report, methods: Sequence[str], group: Group, dataset: str, split: str) -> pd.DataFrame:
    """(seeds, methods) accuracies of the seeds that all methods share: the blocks of `ranks.rank`."""
    for key, scores in _scores(report, methods):
        if key == (group, dataset, split):
            return scores.reindex(columns=list(methods)).dropna()
    return pd.DataFrame(columns=list(methods), dtype=float)


Scores = Iterator[tuple[tuple[Group, str, str], pd.DataFrame]]


def _scores(report: Report, methods: Sequence[str]) -> Scores:
    """For each group, dataset and split: accuracies (%) by seed (rows) and method (columns)."""
    yield from _looked_up(report, methods)
    yield from _trained(report, methods)


def _trained(report: Report, methods: Sequence[str]) -> Scores:
    """Scores of retrained cells (100 minus the test error), by recipe."""
    trained = report.retrained_finals[report.retrained_finals["method"].isin(methods)]
    for key, rows in trained.groupby([*GROUP, "dataset", "table"], sort=False):
        *group, dataset, recipe = map(str, key)
        accuracies = rows.assign(accuracy=100 - rows["value"].astype(float))
        scores = accuracies.pivot(index="seed", columns="method", values="accuracy")
        yield (Group(*group), dataset, f"test, retrained cells: {recipe}"), scores


def _looked_up(report: Report, methods: Sequence[str]) -> Scores:
    """Scores from tabular benchmarks, in leaderboard order."""
    columns = [*GROUP, "dataset", "split"]
    rows = report.leaderboard
    looked_up = rows["table"].isin(report.tables.keys())
    wanted = rows[(rows["selection"] == SELECTION) & rows["method"].isin(methods) & looked_up]
    finals = report.finals[(report.finals["selection"] == SELECTION) & report.finals["method"].isin(methods)]
    finals_by_key = dict(iter(finals.groupby(columns)))
    for key in wanted[columns].drop_duplicates().itertuples(index=False, name=None):
        *group, dataset, split = map(str, key)
        scores = finals_by_key[key].pivot(index="seed", columns="method", values="value")
        yield (Group(*group), dataset, split), scores


def _compare(
    scores: pd.DataFrame,
    first: str,
    second: str,
    group: Group,
    dataset: str,
    split: str,
    noise: Noise | None,
    label: str,
) -> Comparison | None:
    """Compare two methods over their common seeds; None if there are none."""
    paired = scores[[first, second]].dropna().sort_index()
    if paired.empty:
        return None
    ours, theirs = paired[[first]].to_numpy(), paired[[second]].to_numpy()
    differences = (ours - theirs).round(9)  # floating-point errors must not make equal accuracies differ
    spread = statistics.summary(differences)
    test = statistics.paired_test(ours, theirs)
    return Comparison(
        group=group,
        dataset=dataset,
        split=split,
        label=label,
        first=first,
        second=second,
        seeds=tuple(map(int, paired.index)),
        unpaired=(_only(scores, first, second), _only(scores, second, first)),
        mean=spread.mean,
        std=spread.std,
        median=spread.median,
        iqm=spread.iqm,
        interval=statistics.interval(differences) if len(paired) > 1 else None,
        better=int((differences > 0).sum()),
        equal=int((differences == 0).sum()),
        test=test,
        corrected=test.p,
        comparisons=1,
        improvement=statistics.probability_of_improvement(ours, theirs),
        noise=noise,
    )


def _only(scores: pd.DataFrame, method: str, other: str) -> tuple[int, ...]:
    """Seeds with a score of `method` but none of `other`."""
    return tuple(sorted(map(int, scores.index[scores[method].notna() & scores[other].isna()])))


def _resolved(report: Report, method: str) -> str:
    """The label of a method; the digest of an external method may be omitted if its name is unique.

    Raises ValueError if the results have no runs of the method.
    """
    if method in report.methods:
        return method
    candidates = [
        candidate
        for candidate, label in report.labels.items()
        if str(Label(label.name.partition("@")[0], label.details)) == method
    ]
    if len(candidates) != 1:
        available = ", ".join(report.methods) or "no methods"
        raise ValueError(printable(f"no runs of {method} in these results; available: {available}"))
    return candidates[0]


def _no_common_seeds(scores: pd.DataFrame, first: str, second: str, group: Group, dataset: str, split: str) -> str:
    seeds = "; ".join(f"{method} has {ranges(scores.index[scores[method].notna()])}" for method in (first, second))
    pair = f"{first} against {second} on {dataset} ({split}; {group.labelled_title})"
    return f"{pair}: no common seeds, so nothing is paired ({seeds})"


def _never_together(report: Report, methods: Sequence[str]) -> Iterator[str]:
    """A line for every pair of methods without a common group, dataset and split."""
    keys = {
        method: {key for key, scores in _scores(report, [method]) if method in scores.columns} for method in methods
    }
    first, *others = methods
    for second in others:
        if not keys[first] & keys[second]:
            groups = "; ".join(f"{method}: {_groups(keys[method])}" for method in (first, second))
            yield f"{first} against {second}: no group, dataset and split where both have accuracies ({groups})"


def _groups(keys: Iterable[tuple[Group, str, str]]) -> str:
    return ", ".join(sorted({group.labelled_title for group, _, _ in keys})) or "none"
