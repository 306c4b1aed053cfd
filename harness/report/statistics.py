"""Statistics for comparing searches over few seeds.

Scores are a (runs, tasks) matrix of accuracies in %: one row per search, one column per task. Rows of two matrices are
paired if they have the same seeds in the same order. The measures follow Agarwal et al., "Deep Reinforcement Learning
at the Edge of the Statistical Precipice" (NeurIPS 2021). Intervals and tests are computed by scipy, the correction for
multiple comparisons and the power of a test by statsmodels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf, isfinite, log2, nan
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Statistic = Callable[..., Any]
"""Called as statistic(values, axis=-1), as `numpy.mean` or `iqm`."""

ALPHA = 0.05
CONFIDENCE = 0.95
RESAMPLES = 10_000
POWER = 0.8

RELIABLE_RUNS = 10
"""With fewer runs a bootstrap interval is much too narrow: on normal data, 95 % percentile intervals cover the mean in
80 % of the cases for 4 runs, in 90 % for 10, in 94 % for 30 (simulated)."""

_MOST_EXACT, _MOST_EXACT_TIED = 50, 13
"""Largest numbers of differences, without and with ties, for which scipy computes the exact test."""

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
    return stats.trim_mean(values, 0.25, axis=axis)


class Interval(NamedTuple):
    low: float
    high: float


def interval(
    scores: ArrayLike,
    statistic: Statistic = np.mean,
    *,
    whole_runs: bool = False,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of a statistic of all (runs, tasks) scores.

    Stratified as in rliable: the runs of each task are resampled independently. For paired matrices, the interval of
    `x - y` is the paired bootstrap. The same seed gives the same interval. Raises ValueError for fewer than two runs.

    Args:
        whole_runs: resample rows instead, for scores of one search on every task, which are not independent.
        seed: seed of the resampling.
    """
    matrix = _matrix(scores)
    if len(matrix) < 2:
        raise ValueError("an interval needs at least two runs")

    def of_all(*tasks: Floats, axis: int = -1) -> Any:
        return statistic(np.concatenate(tasks, axis=axis), axis=axis)

    bounds = stats.bootstrap(
        tuple(matrix.T),
        of_all,
        paired=whole_runs,
        vectorized=True,
        n_resamples=resamples,
        batch=500,  # resamples held in memory at a time
        confidence_level=confidence,
        method="percentile",
        rng=seed,
    ).confidence_interval
    return Interval(float(bounds.low), float(bounds.high))


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


class PairedTest(NamedTuple):
    p: float
    """Two-sided."""
    exact: bool
    smallest: float
    """The smallest possible p with this number of differing pairs."""


def paired_test(x: ArrayLike, y: ArrayLike) -> PairedTest:
    """Wilcoxon's signed-rank test of paired (runs, tasks) scores, on the runs' means over the tasks.

    Equal pairs are dropped (Wilcoxon 1945). Exact for up to 50 pairs, with ties among the differences for up to 13 (by
    enumerating all signs of the differences); the normal approximation beyond that. p is 1 without differences.
    """
    differences = np.round(_paired(x, y).mean(axis=1), _DECIMALS)
    differences = differences[differences != 0]
    n = len(differences)
    if n < 2:  # scipy raises
        return PairedTest(1.0, True, 1.0)
    tied = len(np.unique(np.abs(differences))) < n
    exact = n <= (_MOST_EXACT_TIED if tied else _MOST_EXACT)
    method: Any = "asymptotic"
    if exact:
        method = stats.PermutationMethod(n_resamples=inf) if tied else "exact"
    return PairedTest(float(stats.wilcoxon(differences, method=method).pvalue), exact, 2.0 ** (1 - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values of several comparisons to control the family-wise error rate (Holm 1979): the i-th smallest of m
    is multiplied by m - i + 1, and is at least the corrected value of every smaller one."""
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests(p_values, method="holm")[1] if p_values else []  # statsmodels 0.14.0 divides by zero
    return [float(p) for p in corrected]


def minimum_seeds(comparisons: int = 1, alpha: float = ALPHA) -> int:
    """Smallest number n of pairs for which the exact test can reach the level: 2^(1 - n) <= alpha / comparisons."""
    return ceil(1 + log2(comparisons / alpha))


def seeds_needed(
    mean: float, std: float, comparisons: int = 1, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Number of paired seeds needed for a power, given the mean and standard deviation of the paired differences.

    Computed for the two-sided paired t-test (on normal differences Wilcoxon's test needs about 5 % more), and at least
    `minimum_seeds`; None if the mean is zero or the standard deviation unknown. Only a rough estimate if mean and
    standard deviation are themselves estimated from few seeds.
    """
    from statsmodels.stats.power import TTestPower

    least = minimum_seeds(comparisons, alpha)
    if mean == 0 or not isfinite(std):
        return None
    effect = min(abs(mean) / std, _LARGEST_EFFECT) if std else _LARGEST_EFFECT
    needed: float = TTestPower().solve_power(effect, alpha=alpha / comparisons, power=power)
    return max(least, ceil(needed))


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
