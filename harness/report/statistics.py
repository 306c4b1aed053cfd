"""Statistics for comparing searches over few seeds.

Scores are a (runs, tasks) matrix of accuracies in %: one row per search, one column per task. Searches of two methods
with the same seed are uncorrelated, so runs are compared unpaired unless pairing is asked for; rows of two matrices are
paired if they have the same seeds in the same order. The measures follow Agarwal et
al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS 2021). Intervals and tests are
computed by scipy, the power of a test by statsmodels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, comb, inf, isfinite, nan, sqrt
from typing import Any, Literal, NamedTuple

import numpy as np
import scipy  # type: ignore[import-untyped]  # its stats are loaded when first used
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

ALPHA = 0.05
CONFIDENCE = 0.95
RESAMPLES = 10_000
POWER = 0.8

BOOTSTRAP_RUNS = 20
"""With fewer runs, intervals of means are t intervals: on normal data, 95 % percentile bootstrap intervals cover the
mean in 80 % of the cases for 4 runs, in 89 % for 8, in 93 % for 20 (simulated)."""

POWER_RUNS = 10
"""With fewer runs, the effect is too uncertain for an estimate of the number of seeds."""

_MOST_EXACT, _MOST_PAIRS = 50, 2500
"""Of exact tests: largest number of differences, and largest product of the two numbers of runs."""

_LARGEST_EFFECT = 2.0
"""Upper limit of the effect in standard deviations: `minimum_seeds` suffice for larger effects, and statsmodels fails
for much larger ones."""

_DECIMALS = 9  # smaller differences between accuracies are floating-point errors


# One method -----------------------------------------------------------------------------------------------------------


class Summary(NamedTuple):
    mean: float
    std: float
    """Sample standard deviation (ddof 1) of the runs' means over the tasks; NaN for one run."""
    median: float
    """Median of all scores. (In rliable: the median over tasks of their means, which for one task is the mean.)"""
    iqm: float


def summary(scores: ArrayLike) -> Summary:
    """Mean, standard deviation, median and interquartile mean of (runs, tasks) scores."""
    matrix = _matrix(scores)
    runs = matrix.mean(axis=1)
    std = float(runs.std(ddof=1)) if len(runs) > 1 else nan
    return Summary(float(runs.mean()), std, float(np.median(matrix)), float(iqm(matrix, axis=None)))


def iqm(values: ArrayLike, axis: int | None = -1) -> Any:
    """Interquartile mean: the mean without the lowest and highest quarter of the values, sizes rounded down."""
    return scipy.stats.trim_mean(values, 0.25, axis=axis)


class Interval(NamedTuple):
    low: float
    high: float


def mean_interval(x: ArrayLike, y: ArrayLike, *, paired: bool = False) -> Interval | None:
    """95 % interval of the difference of two means over the runs (each the mean over its tasks).

    A t interval (Welch's for unpaired runs) below `BOOTSTRAP_RUNS` runs, a percentile bootstrap from there on. None if
    the runs of each method (the paired differences) are all equal, which says nothing about their spread. Raises
    ValueError for fewer than two runs of either.
    """
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    ours, theirs = (np.round(_matrix(scores).mean(axis=1), _DECIMALS) for scores in (x, y))
    differences = np.round(_paired(x, y).mean(axis=1), _DECIMALS) if paired else None
    fewest = min(len(ours), len(theirs))
    if fewest < 2:
        raise ValueError("an interval needs at least two runs")
    samples = (ours, theirs) if differences is None else (differences,)
    if not any(map(np.ptp, samples)):
        return None
    if fewest >= BOOTSTRAP_RUNS:
        statistic: Callable[..., Any] = np.mean if paired else _difference_of_means
        options: dict[str, Any] = {"n_resamples": RESAMPLES, "batch": 500, "method": "percentile", "rng": 0}
        bounds = scipy.stats.bootstrap(samples, statistic, vectorized=True, **options).confidence_interval
        return Interval(float(bounds.low), float(bounds.high))
    described = list(map(DescrStatsW, samples))
    if paired:
        low, high = described[0].tconfint_mean(1 - CONFIDENCE)
    else:
        low, high = CompareMeans(*described).tconfint_diff(1 - CONFIDENCE, usevar="unequal")
    return Interval(float(low), float(high))


def _difference_of_means(x: Floats, y: Floats, axis: int = -1) -> Any:
    return np.mean(x, axis=axis) - np.mean(y, axis=axis)


# Two methods ----------------------------------------------------------------------------------------------------------


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """P(a run of x scores higher than a run of y), ties counted half, mean over the tasks; runs are not paired.

    `x` is (n, tasks), `y` is (m, tasks). Not computed by `scipy.stats.mannwhitneyu` (U / nm), which warns about its
    p-value if all scores are equal.
    """
    ours, theirs = _matrix(x), _matrix(y)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"{ours.shape[1]} and {theirs.shape[1]} tasks cannot be compared")
    gaps = np.round(ours[:, None] - theirs[None], _DECIMALS)  # (n, m, tasks)
    return float((np.sign(gaps).mean() + 1) / 2)


def cliffs_delta(improvement: float) -> float:
    """Effect size P(x > y) - P(x < y) of unpaired runs (Cliff 1993), from -1 to 1, from the probability of improvement.

    Chosen because it needs no standard deviation: collapsed searches skew accuracies so much that Hedges' g would
    measure the collapse.
    """
    return 2 * improvement - 1


def magnitude(delta: float) -> str:
    """Magnitude of Cliff's delta in words, with the limits 0.147, 0.33 and 0.474 of Romano et al. (2006)."""
    limits = {"negligible": 0.147, "small": 0.33, "medium": 0.474, "large": inf}
    return next(word for word, limit in limits.items() if abs(delta) < limit)


class Test(NamedTuple):
    p: float
    """Two-sided."""
    exact: bool
    smallest: float
    """The smallest possible p with these numbers of runs or, for the paired test, with this number of differing pairs
    (both without ties)."""
    direction: float
    """Positive where the first runs tend to be higher, negative where the second do: the statistic less its expectation
    without a difference. The means may differ the other way."""


def unpaired_test(x: ArrayLike, y: ArrayLike) -> Test:
    """The Mann-Whitney U test of unpaired (runs, tasks) scores, on the runs' means over the tasks.

    The hypothesis is that the runs of both come from one distribution; the test is sensitive to the probability of
    improvement and says nothing of the difference of the means. Exact for up to 50 runs of each, also with ties; the
    normal approximation beyond that. p is 1 if all runs are equal.
    """
    ours, theirs = (np.round(_matrix(scores).mean(axis=1), _DECIMALS) for scores in (x, y))
    n, m = len(ours), len(theirs)
    distinct = len(np.unique([*ours, *theirs]))
    if distinct == 1:  # scipy warns
        return Test(1.0, True, 1.0, 0.0)
    exact, tied = n * m <= _MOST_PAIRS, distinct < n + m
    if exact and tied:
        p = _rank_sum_p(ours, theirs)
    else:
        p = float(scipy.stats.mannwhitneyu(ours, theirs, method="exact" if exact else "asymptotic").pvalue)
    return Test(min(p, 1.0), exact, 2 / comb(n + m, n), float(np.sign(ours[:, None] - theirs).sum() / 2))


def _rank_sum_p(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Exact p with ties, two-sided: twice the smaller tail, over all divisions of the runs. The divisions of every rank
    sum are counted by the shift algorithm (Streitberg and Röhmel 1986); scipy goes through them one by one."""
    fewer, more = sorted((ours, theirs), key=len)
    ranks = _doubled_ranks(np.concatenate([fewer, more]))
    largest = np.sort(ranks)[-len(fewer) :].sum()
    divisions = np.zeros((len(fewer) + 1, largest + 1))  # by number of runs and sum of their ranks
    divisions[0, 0] = 1
    for rank in ranks:
        divisions[1:, rank:] += divisions[:-1, :-rank]
    return _smaller_tail_twice(divisions[-1], int(ranks[: len(fewer)].sum()))


def _signed_rank_p(differences: NDArray[np.float64]) -> float:
    """The same of the sum of the ranks of positive differences, over all signs."""
    ranks = _doubled_ranks(np.abs(differences))
    signs = np.zeros(ranks.sum() + 1)
    signs[0] = 1
    for rank in ranks:
        signs[rank:] += signs[:-rank]
    return _smaller_tail_twice(signs, int(ranks[differences > 0].sum()))


def _doubled_ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whole numbers, also where equal values share a mean rank."""
    ranks: NDArray[np.int64] = np.round(2 * scipy.stats.rankdata(values)).astype(np.int64)
    return ranks


def _smaller_tail_twice(counts: NDArray[np.float64], observed: int) -> float:
    return 2 * float(min(counts[: observed + 1].sum(), counts[observed:].sum()) / counts.sum())


def paired_test(x: ArrayLike, y: ArrayLike) -> Test:
    """The Wilcoxon signed-rank test of paired (runs, tasks) scores, on the runs' means over the tasks.

    The hypothesis is that the differences are distributed symmetrically around zero. Equal pairs are dropped (Wilcoxon
    1945). Exact for up to 50 pairs, also with ties among the differences; the normal approximation beyond that. p is 1
    without differences.
    """
    differences = np.round(_paired(x, y).mean(axis=1), _DECIMALS)
    differences = differences[differences != 0]
    n = len(differences)
    direction = float((np.sign(differences) * scipy.stats.rankdata(np.abs(differences))).sum() / 2) if n else 0.0
    if n < 2:  # scipy raises
        return Test(1.0, True, 1.0, direction)
    exact, tied = n <= _MOST_EXACT, len(np.unique(np.abs(differences))) < n
    if exact and tied:
        p = _signed_rank_p(differences)
    else:
        p = float(scipy.stats.wilcoxon(differences, method="exact" if exact else "asymptotic").pvalue)
    return Test(min(p, 1.0), exact, 2.0 ** (1 - n), direction)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values of several comparisons to control the family-wise error rate (Holm 1979): the i-th smallest of m
    is multiplied by m - i + 1, and is at least the corrected value of every smaller one. The function of statsmodels,
    which the tests compare, collects all garbage at every call: longer than the rest of a report takes."""
    ascending = np.argsort(p_values, kind="stable")
    multiplied = np.asarray(p_values)[ascending] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[ascending] = np.minimum(np.maximum.accumulate(multiplied), 1.0)
    return [float(p) for p in corrected]


def minimum_seeds(comparisons: int = 1, alpha: float = ALPHA, *, paired: bool = False) -> int:
    """Smallest number of seeds of each method with which the exact test can reach the level alpha / comparisons."""
    n = 1
    while (2.0 ** (1 - n) if paired else 2 / comb(2 * n, n)) > alpha / comparisons:
        n += 1
    return n


class Seeds(NamedTuple):
    fewest: int
    most: int | None
    """None: no limit, as the interval includes zero."""


def seeds_needed(
    difference: Interval,
    std: float,
    comparisons: int = 1,
    alpha: float = ALPHA,
    power: float = POWER,
    *,
    paired: bool = False,
) -> Seeds | None:
    """Range of the number of seeds of each method needed for a power: if the true difference is that end of its
    interval that is farther from zero, and the nearer end.

    Computed for the two-sided t-test at alpha / comparisons (on normal data the rank tests need about 5 % more), and at
    least `minimum_seeds`. None if there is no spread and no difference.

    Args:
        std: of the paired differences, or the pooled one of the two methods.
    """
    far, near = sorted(map(abs, difference), reverse=True)
    if far == 0 or not isfinite(std):
        return None
    fewest = _seeds_for(far, std, comparisons, alpha, power, paired)
    includes_zero = difference.low <= 0 <= difference.high
    return Seeds(fewest, None if includes_zero else _seeds_for(near, std, comparisons, alpha, power, paired))


def _seeds_for(difference: float, std: float, comparisons: int, alpha: float, power: float, paired: bool) -> int:
    from statsmodels.stats.power import TTestIndPower, TTestPower

    effect = min(difference / std, _LARGEST_EFFECT) if std else _LARGEST_EFFECT
    model = TTestPower() if paired else TTestIndPower()
    needed: float = model.solve_power(effect, alpha=alpha / comparisons, power=power)
    return max(minimum_seeds(comparisons, alpha, paired=paired), ceil(needed))


def pooled_std(x: ArrayLike, y: ArrayLike) -> float:
    """Root mean square of the two sample standard deviations of the runs."""
    return sqrt((summary(x).std ** 2 + summary(y).std ** 2) / 2)


# Practical equivalence ------------------------------------------------------------------------------------------------


Relevance = Literal["relevant", "equivalent", "undecided"]


def relevance(difference: Interval, half_width: float) -> Relevance:
    """Classify an interval as outside, inside or partly inside the region of practical equivalence around zero.

    Rule of Kruschke, "Rejecting or Accepting Parameter Values in Bayesian Estimation" (2018).
    """
    if difference.low > half_width or difference.high < -half_width:
        return "relevant"
    return "equivalent" if -half_width <= difference.low and difference.high <= half_width else "undecided"


def _matrix(scores: ArrayLike) -> Floats:
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"expected a (runs, tasks) matrix of scores, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("a score is missing or infinite")
    return matrix


def _paired(x: ArrayLike, y: ArrayLike) -> Floats:
    """(runs, tasks) differences of paired scores."""
    ours, theirs = _matrix(x), _matrix(y)
    if ours.shape != theirs.shape:
        raise ValueError(f"scores of shapes {ours.shape} and {theirs.shape} are not paired")
    return ours - theirs
