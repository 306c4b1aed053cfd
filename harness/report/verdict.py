"""The rule by which our value agrees with a published one or differs from it, in code and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.report.published import PublishedValue

NOT_PUBLISHED = "no published value"
NOT_COMPARABLE = "not comparable"
AGREES, DIFFERS, INCONCLUSIVE = "agrees", "differs", "inconclusive"
UNKNOWN = "spread unknown"

SIGNS = {AGREES: "✓", DIFFERS: "✗", INCONCLUSIVE: "~", UNKNOWN: "?", NOT_COMPARABLE: "⊘", NOT_PUBLISHED: ""}
"""Sign of each verdict, in the order in which the page counts and sorts them."""

CONFIDENCE = 0.95
MAJORITY = 0.5
"""Margin of a share of searches: more than half of them end in the published cell."""

RULE = (
    "differs: the 95 % t interval of ours minus published excludes zero; agrees: it does not, and two one-sided"
    " tests at 5 % place the difference within the margin; inconclusive: neither. In brackets: the smallest observed"
    " difference that would be significant, or how many of our searches end in the one published cell. p (Holm):"
    " corrected over all judged numbers. More: docs/rules.md."
)


class Obstacle(NamedTuple):
    """A reason why our value is not comparable with a published one."""

    aspect: str
    """"protocol", "searched on", "cell", "split" or "source"."""
    reason: str


class Judgement(NamedTuple):
    """A verdict and the numbers behind it, NaN where there are none."""

    verdict: str
    p: float = math.nan
    """Two-sided, of the hypothesis that the means (or the shares) are equal up to the rounding of the published one."""
    low: float = math.nan
    high: float = math.nan
    """95 % interval of the difference in points or, with `hits`, of the share of searches that end in the cell."""
    resolution: float = math.nan
    """The smallest observed difference, in points, that would be significant: half the width of the interval."""
    spread_ratio: float = math.nan
    """Our standard deviation divided by the published one, both with ddof 1. Shown, not judged."""
    hits: int | None = None
    """Number of our searches that end in the published cell, if all published ones did."""


def obstacles(
    published: PublishedValue,
    *,
    deviations: Sequence[str],
    searched_on: str,
    selection: str,
    dataset: str,
    metric: str,
    split: str,
) -> tuple[Obstacle, ...]:
    """All reasons why our value is not comparable with a published one; empty if it is comparable.

    `deviations` are those of our configuration from a published experiment (`config.deviations`). Direct searches and
    transfers need no separate check: with equal search datasets, both values are of the same kind.
    """
    reasons = [Obstacle("protocol", reason) for reason in deviations]
    if published.protocol not in ("direct", "transfer"):
        reasons.append(Obstacle("protocol", f"published: {published.experiment}"))
    if published.fitted:
        reasons.append(Obstacle("source", f"our {', '.join(published.fitted)} is fitted to this value"))
    if published.searched_on != searched_on:
        other = published.searched_on or "a dataset not stated"
        reasons.append(Obstacle("searched on", f"published search on {other}"))
    if selection != "last":
        reasons.append(Obstacle("cell", "not the final cell"))
    if (published.dataset, published.metric, published.split) != (dataset, metric, split):
        images = f"{published.dataset}, {published.split or 'a split not stated'}"
        reasons.append(Obstacle("split", f"published {published.metric.replace('_', ' ')} on {images}"))
    return tuple(reasons)


def judge(
    mean: float,
    std: float,
    n: int,
    published: PublishedValue | None,
    is_comparable: bool,
    *,
    margin: float | None = None,
    hits: int = 0,
) -> Judgement:
    """Apply `RULE` to the mean (%) of n searches.

    Args:
        std: sample standard deviation (ddof 1); NaN for one search.
        margin: margin of agreement in points (`Benchmark.margins`); without one, nothing agrees.
        hits: number of our searches that end in one of `published.cells`.
    """
    if published is None:
        return Judgement(NOT_PUBLISHED)
    if not is_comparable:
        return Judgement(NOT_COMPARABLE)
    if published.n is None or math.isnan(published.std):
        return Judgement(UNKNOWN)
    if published.std == 0:  # a standard deviation of a few equal values says nothing about the spread
        return _of_share(hits, n, published.n) if published.cells else Judgement(UNKNOWN)
    if n < 2 or published.n < 2:
        return Judgement(UNKNOWN)
    return _of_means(mean, std, n, published, published.n, margin)


def _of_means(
    mean: float, std: float, n: int, published: PublishedValue, n_published: int, margin: float | None
) -> Judgement:
    from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]

    std_published = published.sample_std
    error = math.sqrt(std**2 / n + std_published**2 / n_published)
    # Fewer degrees of freedom than Welch's approximation, which exceeds the level by half for 20 against 3 searches.
    freedom = min(n, n_published) - 1
    difference = mean - published.mean
    distance = max(abs(difference) - published.rounding, 0)
    half_width = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error + published.rounding
    farthest = abs(difference) + published.rounding + float(stdtrit(freedom, CONFIDENCE)) * error
    p = 2 * float(stdtr(freedom, -distance / error))
    return Judgement(
        _outcome(p, margin is not None and farthest < margin),
        p=p,
        low=difference - half_width,
        high=difference + half_width,
        resolution=half_width,
        spread_ratio=std / std_published,
    )


def _of_share(hits: int, n: int, n_published: int) -> Judgement:
    """For a published value whose searches all ended in one cell: compare the shares of searches that do."""
    from scipy import stats  # type: ignore[import-untyped]

    interval = stats.binomtest(hits, n).proportion_ci(CONFIDENCE, method="exact")
    p = float(stats.fisher_exact([[hits, n - hits], [n_published, 0]]).pvalue)
    verdict = _outcome(p, interval.low > MAJORITY)
    return Judgement(verdict, p=p, low=float(interval.low), high=float(interval.high), hits=hits)


def _outcome(p: float, equivalent: bool) -> str:
    """A difference that was shown goes before equivalence: with many searches both can hold."""
    if p < 1 - CONFIDENCE:
        return DIFFERS
    return AGREES if equivalent else INCONCLUSIVE
