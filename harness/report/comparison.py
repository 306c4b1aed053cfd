"""Pairwise comparison of methods: effect size, interval, test and practical relevance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pandas as pd

from harness.report import statistics
from harness.report.content import Report
from harness.report.groups import GROUP, PROXIES, Group
from harness.report.names import resolved
from harness.report.render.wording import ranges
from harness.report.runs import SUBSET
from harness.report.sentences import SELECTION, Comparison, Comparisons
from harness.report.statistics import Test
from harness.text import printable


def compare(report: Report, methods: Sequence[str], *, paired: bool = False) -> Comparisons:
    """Compare the first of `methods`, the reference, with each of the others, in every group, dataset and split that
    both have.

    The compared cells are the final ones. p is corrected by Holm's method over a family of comparisons that
    does not depend on the other names: the reference against all methods of the group, on the benchmark's primary
    dataset and split; and, as a family of their own, on all other datasets and splits together.

    Args:
        methods: labels of the methods in the report, or bare names (`names.resolve`).
        paired: pair searches by seed.

    Raises:
        ValueError: if the results have no runs of a method, or several rows of its name.
    """
    methods = resolved(report.labels, methods)
    first, *others = methods
    short, shared = report.short_names(methods)
    comparisons: list[Comparison] = []
    notes: list[str] = []
    families = _families(report, first, paired)
    for (group, dataset, split), scores in scores_of(report, methods):
        noise = group.benchmark.margins.get((dataset, split)) if group.benchmark else None
        primary = _is_primary(group, dataset, split)
        family = families.get((group, primary), {})
        for second in others:
            if not {first, second} <= set(scores.columns):
                continue
            label = group.label or SUBSET * bool({first, second} & report.subsets)
            comparison = _compare(scores, first, second, group, dataset, split, noise, label.strip(" ()"), paired)
            if comparison is None:
                notes.append(_no_common_seeds(scores, first, second, group, dataset, split))
                continue
            corrected = family.get((dataset, split, second), comparison.test.p)
            comparisons.append(
                replace(
                    comparison,
                    first=short[first],
                    second=short[second],
                    corrected=corrected,
                    comparisons=len(family) or 1,
                    primary=primary,
                )
            )
    notes += _never_together(report, methods)
    notes += [CONTROL.format(short[method]) for method in methods if method in report.controls]
    return Comparisons(tuple(comparisons), shared, tuple(map(printable, notes)))


CONTROL = "{0} is a control that sees no data: one set of its searches is compared with all groups of the benchmark"

Family = dict[tuple[str, str, str], float]
"""Corrected p by dataset, split and the method that the reference is compared with."""


def _families(report: Report, reference: str, paired: bool) -> dict[tuple[Group, bool], Family]:
    """The primary (True) and the secondary (False) family of each group: the reference against all other methods."""
    families: dict[tuple[Group, bool], Family] = {}
    for (group, dataset, split), scores in scores_of(report, report.methods):
        if reference not in scores.columns:
            continue
        family = families.setdefault((group, _is_primary(group, dataset, split)), {})
        for other in scores.columns.drop(reference):
            ours, theirs = pair(scores, reference, other, paired)
            if min(len(ours), len(theirs)) > 1:
                family[dataset, split, other] = tested(ours, theirs, paired).p
    return {
        key: dict(zip(family, statistics.holm(list(family.values())), strict=True)) for key, family in families.items()
    }


def _is_primary(group: Group, dataset: str, split: str) -> bool:
    """Whether a dataset, or the one that it is a proxy of, and a split are the benchmark's primary ones."""
    official = (PROXIES.get(dataset, dataset), split.partition(",")[0])
    return group.benchmark is not None and group.benchmark.primary == official


def pair(scores: pd.DataFrame, first: str, second: str, paired: bool) -> tuple[pd.Series, pd.Series]:
    """Accuracies of two methods by seed: of all seeds, or of those that both have."""
    both = scores[[first, second]].sort_index()
    if paired:
        both = both.dropna()
    return both[first].dropna(), both[second].dropna()


def tested(ours: pd.Series, theirs: pd.Series, paired: bool) -> Test:
    """Whether the accuracies of two methods differ."""
    test = statistics.paired_test if paired else statistics.unpaired_test
    return test(ours.to_numpy()[:, None], theirs.to_numpy()[:, None])


def blocks(report: Report, methods: Sequence[str], group: Group, dataset: str, split: str) -> pd.DataFrame:
    """(seeds, methods) accuracies of the seeds that all methods share: the blocks of `ranks.rank`."""
    for key, scores in scores_of(report, methods):
        if key == (group, dataset, split):
            return scores.reindex(columns=list(methods)).dropna()
    return pd.DataFrame(columns=list(methods), dtype=float)


Scores = Iterator[tuple[tuple[Group, str, str], pd.DataFrame]]


def scores_of(report: Report, methods: Sequence[str]) -> Scores:
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
    noise: float | None,
    label: str,
    paired: bool,
) -> Comparison | None:
    """Compare two methods, paired over their common seeds; None if there are no searches to compare."""
    by_seed = pair(scores, first, second, paired)
    if not all(map(len, by_seed)):
        return None
    ours, theirs = (accuracies.to_numpy(dtype=float)[:, None] for accuracies in by_seed)
    # Rounded, as floating-point errors must not make equal accuracies differ.
    differences = (ours - theirs).round(9) if paired else None
    first_summary, second_summary = statistics.summary(ours), statistics.summary(theirs)
    spread = first_summary._replace(
        mean=first_summary.mean - second_summary.mean,
        std=statistics.pooled_std(ours, theirs),
        median=first_summary.median - second_summary.median,
        iqm=first_summary.iqm - second_summary.iqm,
    )
    if differences is not None:
        spread = statistics.summary(differences)
    test = tested(*by_seed, paired)
    return Comparison(
        group=group,
        dataset=dataset,
        split=split,
        label=label,
        first=first,
        second=second,
        paired=paired,
        n=(len(ours), len(theirs)),
        left_out=(_only(scores, first, second), _only(scores, second, first)) if paired else ((), ()),
        mean=spread.mean,
        std=spread.std,
        median=spread.median,
        iqm=spread.iqm,
        interval=statistics.mean_interval(ours, theirs, paired=paired) if min(len(ours), len(theirs)) > 1 else None,
        better=None if differences is None else int((differences > 0).sum()),
        equal=None if differences is None else int((differences == 0).sum()),
        test=test,
        corrected=test.p,
        comparisons=1,
        primary=False,
        improvement=statistics.probability_of_improvement(ours, theirs),
        noise=noise,
    )


def _only(scores: pd.DataFrame, method: str, other: str) -> tuple[int, ...]:
    """Seeds with a score of `method` but none of `other`."""
    return tuple(sorted(map(int, scores.index[scores[method].notna() & scores[other].isna()])))


def _no_common_seeds(scores: pd.DataFrame, first: str, second: str, group: Group, dataset: str, split: str) -> str:
    seeds = "; ".join(f"{method} has {ranges(scores.index[scores[method].notna()])}" for method in (first, second))
    pair = f"{first} against {second} on {dataset} ({split}; {group.labelled_title})"
    return f"{pair}: no common seeds, so nothing is paired ({seeds})"


def _never_together(report: Report, methods: Sequence[str]) -> Iterator[str]:
    """A line for every pair of methods without a common group, dataset and split."""
    keys: dict[str, set[tuple[Group, str, str]]] = {method: set() for method in methods}
    for key, scores in scores_of(report, methods):
        for method in scores.columns:
            keys[method].add(key)
    first, *others = methods
    for second in others:
        if not keys[first] & keys[second]:
            groups = "; ".join(f"{method}: {_groups(keys[method])}" for method in (first, second))
            yield f"{first} against {second}: no group, dataset and split where both have accuracies ({groups})"


def _groups(keys: Iterable[tuple[Group, str, str]]) -> str:
    return ", ".join(sorted({group.labelled_title for group, _, _ in keys})) or "none"
