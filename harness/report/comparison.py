"""Pairwise comparison of methods: effect size, interval, test and practical relevance, as plain sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path

import pandas as pd

from harness.benchmarks.base import Noise
from harness.experiment.config import Label
from harness.report import statistics
from harness.report.content import Report
from harness.report.groups import GROUP, SELECTIONS, Group
from harness.report.render.wording import p_value, printable, ranges
from harness.report.runs import SUBSET
from harness.report.statistics import ALPHA, POWER, RELIABLE_RUNS, RESAMPLES, Interval, PairedTest

SELECTION = "last"

LEGEND = (
    "How to read this: differences are in points of accuracy (%; of retrained cells 100 minus the test error), first"
    " method minus second. The difference, its interval and the test (Wilcoxon's signed-rank, two-sided) are paired by"
    " seed; the probability that a search beats another and Cliff's delta take the same searches without their pairing."
    " A difference is relevant if its whole interval lies beyond the noise: the pooled standard deviation among"
    " isomorphic cells in the table. Datasets and splits are not corrected for: they look up the same cells."
)


@dataclass(frozen=True)
class Comparison:
    """Two methods on one dataset and split, over the seeds that both have."""

    group: Group
    dataset: str
    split: str
    label: str
    """Label that marks every number of a proxy; otherwise empty."""
    first: str
    second: str
    """Labels of the methods, without the bracketed settings that all compared methods share."""
    seeds: tuple[int, ...]
    unpaired: tuple[tuple[int, ...], tuple[int, ...]]
    """Seeds with an accuracy of only the first, and of only the second method; they are left out."""
    mean: float
    """Mean of the paired differences, first - second, in points."""
    std: float
    """Sample standard deviation of the paired differences; NaN for one."""
    median: float
    iqm: float
    """Interquartile mean of the paired differences."""
    interval: Interval | None
    """95 % paired bootstrap; None for one seed."""
    better: int
    equal: int
    """Numbers of seeds where the first is better, and where both are equal."""
    test: PairedTest
    corrected: float
    """p of the test after Holm's correction over `comparisons`."""
    comparisons: int
    """Number of methods compared with the first on this dataset and split."""
    improvement: float
    """Probability that a search with the first beats one with the second, ties counted half."""
    noise: Noise | None
    """Standard deviation among isomorphic cells; None where no tabular benchmark covers the cells."""

    @property
    def significant(self) -> bool:
        return self.corrected <= ALPHA

    @property
    def lines(self) -> list[str]:
        """Plain text: the first line states the result, the others interpret it."""
        remarks = [self._significance(), self._relevance(self.interval), self._power()] if self.interval else []
        lines = [self._difference(), *remarks, self._size(), self._middle(), self._left_out()]
        return [printable(line) for line in lines if line]

    def _difference(self) -> str:
        n = len(self.seeds)
        where = ", ".join(filter(None, [self.split, self.label, f"n = {n} paired {_seeds(n)}"]))
        what = f"{self.first} against {self.second} on {self.dataset} ({where}): {self.mean:+.2f} points"
        counts = f"better in {self.better} of {n} {_seeds(n)}" + (f", equal in {self.equal}" if self.equal else "")
        if self.interval is None:
            return f"{what}; {counts}; one seed gives neither an interval nor a test"
        bounds = f"95 % interval [{self.interval.low:.2f}, {self.interval.high:.2f}]"
        return f"{what} on average, {bounds} (paired bootstrap, {RESAMPLES:,} resamples); {counts}"

    def _significance(self) -> str:
        differing = len(self.seeds) - self.equal
        if not differing:
            return "equal in every seed: there is nothing to test"
        test = f"{'exact ' if self.test.exact else ''}paired test p {p_value(self.test.p)}"
        if self.comparisons > 1:
            test += f", corrected for {self.comparisons} comparisons p {p_value(self.corrected)}"
        if self.significant:
            return f"{test}: significant at {ALPHA}"
        if self.test.smallest * self.comparisons <= ALPHA:
            return f"{test}: not significant at {ALPHA}"
        possible = f"the smallest possible with {differing} {_seeds(differing)}{' that differ' if self.equal else ''}"
        if not isclose(self.test.p, self.test.smallest):
            possible += f" is {self.test.smallest:.3g}"
        least = statistics.minimum_seeds(self.comparisons)
        return f"{test}; {possible}: too few seeds to reach {ALPHA}, at least {least} are needed"

    def _relevance(self, interval: Interval) -> str:
        if self.noise is None:
            return "relevance unknown: no tabular benchmark measures the noise between isomorphic cells here"
        source = "" if self.noise.split == self.split else f" (of {self.noise.split}: the table lacks {self.split})"
        region = f"±{self.noise.points:.2f} points, the noise between isomorphic cells{source}"
        sentence = {
            "relevant": f"relevant in practice: the whole interval lies beyond {region}",
            "equivalent": f"equivalent in practice: the whole interval lies within {region}",
            "undecided": f"relevance undecided: the interval lies partly within and partly beyond {region}",
        }[statistics.relevance(interval, self.noise.points)]
        if len(self.seeds) < RELIABLE_RUNS:
            sentence += f"; tentative, as a bootstrap interval from fewer than {RELIABLE_RUNS} seeds is too narrow"
        return sentence

    def _size(self) -> str:
        delta = statistics.cliffs_delta(self.improvement)
        word = statistics.magnitude(delta)
        effect = f"a search with {self.first} beats one with {self.second} with probability {self.improvement:.2f}"
        return f"{effect} (Cliff's delta {delta:+.2f}, {word})"

    def _middle(self) -> str:
        """Median and interquartile mean, robust to a few collapsed searches; trimming needs at least four pairs."""
        if len(self.seeds) < 4:
            return ""
        return f"without the extremes: median of the differences {self.median:+.2f}, interquartile mean {self.iqm:+.2f}"

    def _power(self) -> str:
        needed = statistics.seeds_needed(self.mean, self.std, self.comparisons)
        if needed is None:
            return "the mean difference is zero: no number of seeds would show one"
        enough = "these seeds suffice" if needed <= len(self.seeds) else f"about {needed:,} paired seeds are needed"
        spread = f"if the true difference and its spread (standard deviation {self.std:.2f}) are as observed"
        return f"{enough} for {100 * POWER:.0f} % power at {ALPHA}, {spread}"

    def _left_out(self) -> str:
        parts = [
            f"{ranges(seeds)} (only {method})"
            for method, seeds in zip((self.first, self.second), self.unpaired, strict=True)
            if seeds
        ]
        return f"left out, not paired: seeds {'; '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of the first method with each of the others."""

    found: tuple[Comparison, ...]
    shared: str
    """The bracketed settings that all methods share."""
    notes: tuple[str, ...]
    """One line for each pair of methods that cannot be compared, with the reason."""

    @property
    def lines(self) -> list[str]:
        """Plain text without markup: one line per paragraph, empty lines between sections."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        group = None
        for comparison in self.found:
            if comparison.group != group:
                group = comparison.group
                yield printable(f"{group.title}; all with {self.shared}" if self.shared else group.title)
                yield printable(f"{group.sentence}; {SELECTIONS[SELECTION]}")
                if group.label:
                    yield "a proxy: results of these small searches may not hold for full-size ones"
                yield ""
            result, *remarks = comparison.lines
            yield result
            yield from (f"- {remark}" for remark in remarks)
            yield ""
        yield from self.notes
        if self.found:
            yield LEGEND


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
    trained = report.trained_finals[report.trained_finals["method"].isin(methods)]
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


def _seeds(n: int) -> str:
    return "seed" if n == 1 else "seeds"
