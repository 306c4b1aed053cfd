"""Statistics of searches that do not say more than their seeds allow.

Scores are a (runs, tasks) matrix of accuracies in %: a row per search, a column per task. One task is one column. Rows
of two matrices are paired when they have the same seeds in the same order. The measures follow Agarwal et al., "Deep
Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS 2021). Intervals and tests are scipy's, the
correction for several comparisons and the power of a test are statsmodels'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import ceil, inf, isfinite, log2, nan, sqrt
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats  # type: ignore[import-untyped]

from harness.benchmarks.nasbench201.space import CELLS, all_cells, isomorphism_class
from harness.benchmarks.nasbench201.table import Table

Floats = NDArray[np.float64]
Statistic = Callable[..., Any]
"""Called as statistic(values, axis=-1), as `numpy.mean` or `iqm`."""

ALPHA = 0.05
CONFIDENCE = 0.95
RESAMPLES = 10_000
POWER = 0.8

RELIABLE_RUNS = 10
"""Of fewer runs a bootstrap interval is much too narrow: of normal data, 95 % percentile intervals cover the mean in
80 % of the cases for 4 runs, in 90 % for 10, in 94 % for 30 (simulated)."""

_MOST_EXACT, _MOST_EXACT_TIED = 50, 13
"""Up to so many differences, without and with ties among them, the test is exact: scipy's own limits."""

_LARGEST_EFFECT = 2.0
"""In standard deviations. From here on `minimum_seeds` are enough, and statsmodels cannot solve for much more."""

_DECIMALS = 9  # accuracies that differ by less differ by rounding error only


# One method -----------------------------------------------------------------------------------------------------------


class Summary(NamedTuple):
    mean: float
    std: float
    """Sample standard deviation (ddof 1) of the runs' means over the tasks; NaN for one run."""
    median: float
    """Of all scores. (rliable's is the median over tasks of their means: of one task, the mean.)"""
    iqm: float


def summary(scores: ArrayLike) -> Summary:
    """Centre and spread of (runs, tasks) scores."""
    matrix = _matrix(scores)
    runs = matrix.mean(axis=1)
    std = float(runs.std(ddof=1)) if len(runs) > 1 else nan
    return Summary(float(runs.mean()), std, float(np.median(matrix)), float(iqm(matrix, axis=None)))


def iqm(values: ArrayLike, axis: int | None = -1) -> Any:
    """Interquartile mean: the mean without the lowest and the highest quarter, each rounded down to whole values."""
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
    """Percentile bootstrap interval of a statistic of all (runs, tasks) scores; the same seed gives the same interval.

    Stratified as in rliable: the runs of each task are drawn on their own. Where one search is scored on every task
    its scores belong together: `whole_runs` draws rows. The interval of `x - y` of paired matrices is the paired
    bootstrap. ValueError for fewer than two runs.
    """
    matrix = _matrix(scores)
    if len(matrix) < 2:
        raise ValueError("an interval needs at least two runs")

    def of_all(*tasks: Floats, axis: int = -1) -> Any:
        return statistic(np.concatenate(tasks, axis=axis), axis=axis)

    found = stats.bootstrap(
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
    return Interval(float(found.low), float(found.high))


# Two methods ----------------------------------------------------------------------------------------------------------


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """P(a run of x scores higher than a run of y), ties counted half, mean over the tasks. The runs are not paired.

    (n, tasks) and (m, tasks) scores. Written out: `scipy.stats.mannwhitneyu` has this number (U / nm) only beside a
    p-value, which warns where all scores are equal.
    """
    ours, theirs = _matrix(x), _matrix(y)
    if ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"{ours.shape[1]} and {theirs.shape[1]} tasks cannot be compared")
    gaps = np.round(ours[:, None] - theirs[None], _DECIMALS)  # (n, m, tasks)
    return float((np.sign(gaps).mean() + 1) / 2)


def cliffs_delta(improvement: float) -> float:
    """Effect size P(x > y) - P(x < y), from -1 to 1, of runs that are not paired (Cliff 1993), from the probability of
    improvement.

    Of the usual effect sizes the one without a standard deviation: searches that collapse make accuracies so skewed
    that Hedges' g would measure the collapse.
    """
    return 2 * improvement - 1


def magnitude(delta: float) -> str:
    """Cliff's delta in a word; the limits 0.147, 0.33 and 0.474 are those of Romano et al. (2006)."""
    limits = {"negligible": 0.147, "small": 0.33, "medium": 0.474, "large": inf}
    return next(word for word, limit in limits.items() if abs(delta) < limit)


class PairedTest(NamedTuple):
    p: float
    """Two-sided."""
    exact: bool
    smallest: float
    """The smallest p possible with this number of differing pairs."""


def paired_test(x: ArrayLike, y: ArrayLike) -> PairedTest:
    """Wilcoxon's signed-rank test of paired (runs, tasks) scores, on the runs' means over the tasks.

    Equal pairs are left out (Wilcoxon 1945). Exact for up to 50 pairs, with ties among the differences for up to 13:
    all signs of the differences are tried; beyond that the normal approximation. Without differences p is 1.
    """
    differences = np.round(_paired(x, y).mean(axis=1), _DECIMALS)
    differences = differences[differences != 0]
    n = len(differences)
    if n < 2:  # which scipy refuses
        return PairedTest(1.0, True, 1.0)
    tied = len(np.unique(np.abs(differences))) < n
    exact = n <= (_MOST_EXACT_TIED if tied else _MOST_EXACT)
    method: Any = "asymptotic"
    if exact:
        method = stats.PermutationMethod(n_resamples=inf) if tied else "exact"
    return PairedTest(float(stats.wilcoxon(differences, method=method).pvalue), exact, 2.0 ** (1 - n))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several comparisons, corrected so that the chance of any false finding keeps to the level (Holm
    1979): the i-th smallest of m times m - i + 1, never below a smaller one's."""
    from statsmodels.stats.multitest import multipletests

    corrected = multipletests(p_values, method="holm")[1] if p_values else []  # statsmodels 0.14.0 divides by zero
    return [float(p) for p in corrected]


def minimum_seeds(comparisons: int = 1, alpha: float = ALPHA) -> int:
    """Paired seeds below which no exact signed-rank test can reach the level: 2^(1 - n) <= alpha / comparisons."""
    return ceil(1 + log2(comparisons / alpha))


def seeds_needed(
    mean: float, std: float, comparisons: int = 1, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """Paired seeds that show a difference with this power, from the mean and standard deviation of paired differences.

    That of the two-sided paired t-test (Wilcoxon's test needs about 5 % more of normal differences), at least
    `minimum_seeds`; None if the mean is zero. A mean and spread that are themselves estimates from few seeds make this
    a rough figure.
    """
    from statsmodels.stats.power import TTestPower

    least = minimum_seeds(comparisons, alpha)
    if mean == 0 or not isfinite(std):
        return None
    effect = min(abs(mean) / std, _LARGEST_EFFECT) if std else _LARGEST_EFFECT
    needed: float = TTestPower().solve_power(effect, alpha=alpha / comparisons, power=power)
    return max(least, ceil(needed))


# Practical equivalence ------------------------------------------------------------------------------------------------


def isomorphic_noise(table: Table, dataset: str, split: str) -> float:
    """Pooled standard deviation (points) of the accuracy after 200 epochs among cells that compute the same.

    The benchmark trained the members of each of its 6,466 isomorphism classes as if they were different cells: how far
    apart they came out is noise that no method answers for, and the default half-width of the region of practical
    equivalence. NotInTableError if the table lacks the accuracies.
    """
    accuracy = table.accuracy(np.arange(CELLS), dataset, split)[0]
    classes = _isomorphism_classes()
    members = np.bincount(classes)
    means = np.bincount(classes, weights=accuracy) / members
    return sqrt(np.square(accuracy - means[classes]).sum() / (members - 1).sum())


@cache
def _isomorphism_classes() -> NDArray[np.intp]:
    """(15625,) number of each cell's class, in the order of `nasbench201.index`."""
    return np.unique([isomorphism_class(cell) for cell in all_cells()], return_inverse=True)[1]


Relevance = Literal["relevant", "equivalent", "undecided"]


def relevance(difference: Interval, half_width: float) -> Relevance:
    """Whether an interval lies beyond the region of practical equivalence around zero, within it, or neither.

    The rule of Kruschke, "Rejecting or Accepting Parameter Values in Bayesian Estimation" (2018).
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
    """(runs, tasks) differences."""
    ours, theirs = _matrix(x), _matrix(y)
    if ours.shape != theirs.shape:
        raise ValueError(f"scores of shapes {ours.shape} and {theirs.shape} are not paired")
    return ours - theirs
