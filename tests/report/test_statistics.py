"""Statistics against cases worked out by hand, and against other implementations."""

from __future__ import annotations

from math import exp, isnan, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.report import ranks
from harness.report.figures.ranks import diagram
from harness.report.figures.style import Looks
from harness.report.statistics import (
    Interval,
    cliffs_delta,
    holm,
    iqm,
    magnitude,
    mean_interval,
    minimum_seeds,
    paired_test,
    probability_of_improvement,
    seeds_needed,
    summary,
    unpaired_test,
)

SCORES = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=6)


def column(*values):
    """One task."""
    return np.array(values, dtype=float)[:, None]


# One method -----------------------------------------------------------------------------------------------------------


def test_summary_by_hand():
    found = summary([[0, 8], [1, 7], [2, 4], [3, 100]])  # means of the runs: 4, 4, 3, 51.5
    assert found.mean == 125 / 8
    squares = 2 * 11.625**2 + 12.625**2 + 35.875**2
    assert found.std == pytest.approx(sqrt(squares / 3))
    assert found.median == 3.5
    assert found.iqm == (2 + 3 + 4 + 7) / 4


def test_interquartile_mean_drops_whole_values_only():
    assert iqm([0.0, 1.0, 5.0]) == 2.0  # a quarter of three is less than one
    assert iqm([0.0, 1.0, 3.0, 9.0]) == 2.0


def test_one_run_has_no_sample_deviation():
    found = summary([[90.0]])
    assert isnan(found.std)
    assert found[:1] + found[2:] == (90.0, 90.0, 90.0)


@pytest.mark.parametrize("scores", [[1.0, 2.0], [[]], [[1.0], [np.nan]], np.zeros((2, 2, 2))])
def test_scores_are_a_full_matrix(scores):
    with pytest.raises(ValueError, match=r"\(runs, tasks\)|missing"):
        summary(scores)


# Two methods ----------------------------------------------------------------------------------------------------------


def test_probability_of_improvement_counts_ties_half():
    x, y = column(1, 3), column(2, 3)  # of four pairs one is won, one tied
    assert probability_of_improvement(x, y) == 1.5 / 4
    assert cliffs_delta(1.5 / 4) == -0.25  # one of four is won, two are lost


def test_probability_of_improvement_is_the_mean_over_tasks():
    assert probability_of_improvement([[2, 1]], [[1, 1], [1, 1]]) == (1 + 0.5) / 2


def test_rounding_errors_are_ties():
    assert probability_of_improvement([[0.1 + 0.2]], [[0.3]]) == 0.5


@given(SCORES, SCORES)
def test_probability_of_improvement_is_mann_whitneys(x, y):
    found = probability_of_improvement(column(*x), column(*y))
    assert found == pytest.approx(1 - probability_of_improvement(column(*y), column(*x)))
    if len({*x, *y}) > 1:  # its p-value warns otherwise
        assert found == pytest.approx(stats.mannwhitneyu(x, y, method="asymptotic").statistic / (len(x) * len(y)))


def test_effects_in_words():
    assert [magnitude(delta) for delta in (0, -0.2, 0.33, 0.4, -1)] == [
        "negligible",
        "small",
        "medium",
        "medium",
        "large",
    ]


@pytest.mark.parametrize(
    "differences, p",
    [
        ([1, 2, 3, 4], 2 / 16),  # only one sign pattern is as extreme, and its mirror image
        ([1, -2, 3, 4], 6 / 16),  # negative ranks sum to at most 2 for {}, {1}, {2}
        ([1, 2, -3], 1.0),
        ([1, 1, 1, -1], 10 / 16),  # ranks 2.5 each: at most one negative
        ([0, 0, 1, 2, 3, 4], 2 / 16),  # equal pairs are left out
        ([0.1 + 0.2 - 0.3, 1, 2, 3, 4], 2 / 16),  # and rounding errors are none
        ([5], 1.0),
        ([0, 0], 1.0),
    ],
)
def test_paired_test_by_hand(differences, p):
    found = paired_test(50 + column(*differences), np.full((len(differences), 1), 50.0))
    assert found.p == pytest.approx(p)
    assert found.exact


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 10])
def test_nothing_is_below_the_smallest_p(n):
    found = paired_test(column(*range(1, n + 1)), np.zeros((n, 1)))
    assert found.p == pytest.approx(found.smallest)
    assert found.smallest == 2 ** (1 - n)


def test_paired_test_takes_the_mean_over_tasks():
    assert paired_test([[3, 0], [0, 5]], [[0, 1], [1, 0]]) == paired_test(column(1, 2), column(0, 0))


def test_paired_test_is_exact_for_few_pairs_only():
    rng = np.random.default_rng(0)
    assert paired_test(rng.normal(size=(50, 1)), np.zeros((50, 1))).exact
    assert not paired_test(rng.normal(size=(51, 1)), np.zeros((51, 1))).exact
    tied = rng.integers(1, 5, size=(51, 1)) * rng.choice([-1, 1], size=(51, 1))
    assert paired_test(tied[:50], np.zeros((50, 1))).exact
    assert not paired_test(tied, np.zeros((51, 1))).exact


def test_scores_of_other_shapes_are_not_paired():
    with pytest.raises(ValueError, match="not paired"):
        paired_test(column(1, 2), column(1))


@pytest.mark.parametrize(
    "x, y, p",
    [
        ([5, 6, 7, 8], [1, 2, 3, 4], 2 / 70),  # one of C(8, 4) divisions, and its mirror image: below 0.05
        ([5, 6, 7], [1, 2, 3], 2 / 20),
        ([4, 6, 7, 8], [1, 2, 3, 5], 4 / 70),
        ([2, 2, 2], [1, 1, 1], 2 / 20),  # with ties by enumeration
        ([0.1 + 0.2, 1], [0.3, 1], 1.0),  # rounding errors are ties
        ([3, 3], [3, 3], 1.0),
    ],
)
def test_unpaired_test_by_hand(x, y, p):
    found = unpaired_test(column(*x), column(*y))
    assert found.p == pytest.approx(p)
    assert found.exact


def test_unpaired_test_takes_other_numbers_of_runs():
    found = unpaired_test(column(4, 5, 6, 7, 8), column(1, 2, 3))
    assert found.p == pytest.approx(found.smallest) == pytest.approx(2 / 56)


def test_unpaired_test_is_exact_for_few_runs_only():
    rng = np.random.default_rng(0)
    assert unpaired_test(rng.normal(size=(50, 1)), rng.normal(size=(50, 1))).exact
    assert not unpaired_test(rng.normal(size=(51, 1)), rng.normal(size=(50, 1))).exact
    tied = rng.integers(0, 4, size=(101, 1)).astype(float)
    assert unpaired_test(tied[:50], tied[50:100]).exact
    assert not unpaired_test(tied[:50], tied[50:]).exact


TIED = st.lists(st.integers(0, 3), min_size=2, max_size=6)


@settings(max_examples=25)
@given(TIED, TIED)
def test_unpaired_test_with_ties_is_that_of_all_divisions(x, y):
    assume(len({*x, *y}) > 1)
    every = stats.PermutationMethod(n_resamples=np.inf)
    expected = stats.mannwhitneyu(x, y, method=every).pvalue
    assert unpaired_test(column(*x), column(*y)).p == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25)
@given(st.lists(st.integers(-3, 3), min_size=3, max_size=9))
def test_paired_test_with_ties_is_that_of_all_signs(differences):
    differing = [each for each in differences if each]
    assume(len(differing) > 1)
    every = stats.PermutationMethod(n_resamples=np.inf)
    expected = stats.wilcoxon(np.array(differing, dtype=float), method=every).pvalue
    assert paired_test(column(*differences), column(*[0] * len(differences))).p == pytest.approx(expected, abs=1e-12)


def test_one_run_is_compared_with_many():
    many = np.repeat(np.arange(500.0), 4)[:, None]
    assert unpaired_test(column(600), many).p == pytest.approx(2 / 2001)
    assert unpaired_test(many, column(-1)).p == pytest.approx(2 / 2001)


def test_many_ties_of_many_runs_are_counted_without_overflow():
    """Against the normal approximation, which is close there."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, size=(50, 1)), rng.integers(0, 6, size=(50, 1))
    approximate = stats.mannwhitneyu(x[:, 0], y[:, 0], method="asymptotic").pvalue
    assert unpaired_test(x, y).p == pytest.approx(approximate, rel=0.05)


def test_mean_interval_is_a_t_interval_for_few_runs():
    x, y = column(1, 2, 3, 4), column(0, 1, 5)
    expected = stats.ttest_ind(x[:, 0], y[:, 0], equal_var=False).confidence_interval()
    assert mean_interval(x, y) == pytest.approx(tuple(expected))
    paired = stats.ttest_rel(x[:3, 0], y[:, 0]).confidence_interval()
    assert mean_interval(x[:3], y, paired=True) == pytest.approx(tuple(paired))


def test_equal_runs_have_no_mean_interval():
    assert mean_interval(column(2, 2), column(1, 1)) is None
    assert mean_interval(column(2, 3), column(1, 2), paired=True) is None
    assert mean_interval(column(2, 3), column(1, 1)) is not None


@pytest.mark.parametrize("paired", [True, False])
def test_mean_interval_is_a_bootstrap_interval_from_twenty_runs_on(paired):
    x, y = np.random.default_rng(0).normal(size=(2, 20, 1))
    few = mean_interval(x[:19], y[:19], paired=paired)
    many = mean_interval(x, y, paired=paired)
    test = stats.ttest_rel(x[:, 0], y[:, 0]) if paired else stats.ttest_ind(x[:, 0], y[:, 0], equal_var=False)
    t = test.confidence_interval()
    assert many.high - many.low < t.high - t.low
    assert many == pytest.approx(tuple(t), abs=0.1)
    assert few != many


@pytest.mark.parametrize("n", [4, 8])
def test_mean_interval_covers_with_few_runs(n):
    draws = np.random.default_rng(0).normal(size=(600, 2, n, 1))
    covered = [low <= 0 <= high for low, high in (mean_interval(x, y) for x, y in draws)]
    assert np.mean(covered) > 0.925


def test_one_run_has_no_mean_interval():
    with pytest.raises(ValueError, match="two runs"):
        mean_interval(column(1), column(1, 2))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 0.1) | st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.2))
def test_holm_rejects_step_by_step(p_values, level):
    """Holm's procedure as he wrote it: go up the ordered p-values until the first that its level keeps."""
    rejected = 0
    for p in sorted(p_values):
        if p * (len(p_values) - rejected) > level:
            break
        rejected += 1
    assert sum(p <= level for p in holm(p_values)) == rejected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_statsmodels(p_values):
    from statsmodels.stats.multitest import multipletests

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=0, rel=1e-15)


def test_minimum_seeds_by_hand():
    assert minimum_seeds(paired=True) == 6  # 2 / 2^6 = 0.031, 2 / 2^5 = 0.063
    assert minimum_seeds(comparisons=2, paired=True) == 7
    assert minimum_seeds(alpha=2**-4, paired=True) == 5  # reached exactly
    assert minimum_seeds() == 4  # 2 / C(8, 4) = 0.029, 2 / C(6, 3) = 0.1
    assert minimum_seeds(comparisons=2) == 5


@pytest.mark.parametrize("effect, pairs, each", [(0.2, 199, 394), (0.5, 34, 64), (0.8, 15, 26)])
def test_seeds_needed_are_those_of_the_t_tests(effect, pairs, each):
    """The numbers for Cohen's small, medium and large effects, as tabulated for 80 % power at 0.05."""
    for paired, n in ((True, pairs), (False, each)):
        assert seeds_needed(Interval(effect, effect), 1.0, paired=paired) == (n, n)
        assert seeds_needed(Interval(-3 * effect, -3 * effect), 3.0, paired=paired) == (n, n)


def test_seeds_needed_are_a_range_without_an_end_if_the_interval_includes_zero():
    assert seeds_needed(Interval(0.2, 0.8), 1.0) == (26, 394)
    assert seeds_needed(Interval(-0.8, -0.2), 1.0) == (26, 394)
    assert seeds_needed(Interval(-0.2, 0.8), 1.0) == (26, None)


def test_seeds_needed_reach_what_the_exact_test_needs():
    assert seeds_needed(Interval(100.0, 100.0), 1.0).fewest == 6
    assert seeds_needed(Interval(1.0, 1.0), 0.0, paired=True).fewest == 6
    assert seeds_needed(Interval(100.0, 100.0), 1.0, comparisons=3, paired=True).fewest == minimum_seeds(3, paired=True)
    apart = Interval(0.5, 0.5)
    assert seeds_needed(apart, 1.0, comparisons=5) == seeds_needed(apart, 1.0, alpha=0.01)


def test_seeds_needed_for_next_to_nothing():
    assert seeds_needed(Interval(0.01, 0.01), 1.0, paired=True).most == 78_491  # (2.80158 / 0.01)^2 + 1.95996^2 / 2
    assert seeds_needed(Interval(0.0, 0.0), 1.0) is None
    assert seeds_needed(Interval(1.0, 1.0), float("nan")) is None


# Practical equivalence ------------------------------------------------------------------------------------------------


def _agreeing(blocks):
    """a before b before c in every block."""
    shift = np.arange(1, blocks + 1)
    return pd.DataFrame({"c": 50.0 - shift, "a": 70.0 + shift, "b": np.full(blocks, 60.0)})


def test_ranking_by_hand():
    found = ranks.rank(_agreeing(12))
    assert found.methods == ("a", "b", "c")
    assert found.ranks.tolist() == [1.0, 2.0, 3.0]
    assert found.friedman == pytest.approx(
        exp(-12)
    )  # chi-square 12 * 12 / 12 * (1 + 0 + 1) = 24, two degrees of freedom
    p = 3 * 2**-11
    assert found.p_values == pytest.approx(np.array([[1, p, p], [p, 1, p], [p, p, 1]]))
    assert found.caution == ""


def test_few_blocks_are_a_caution():
    found = ranks.rank(_agreeing(4))
    assert found.friedman == pytest.approx(exp(-4))
    assert found.p_values[0, 2] == pytest.approx(3 / 8)
    assert found.caution.startswith("only 4 seeds")
    assert ranks.rank(_agreeing(10)).caution.startswith("only 10 seeds")


def test_pairs_are_tested_only_after_friedman():
    gains = np.array([10.0, 11, 12, 13, 14, 15, 16, 17, 18, -0.1, -0.2, -0.3])  # few losses, and small: p = 28 / 4096
    elsewhere = np.resize([0.0, 100.0], 12)  # the best in every other block, else the worst
    scores = pd.DataFrame({"a": 50 + gains, "b": 50.0, "c": elsewhere})
    assert 3 * paired_test(scores[["a"]], scores[["b"]]).p == pytest.approx(3 * 28 / 4096)
    found = ranks.rank(scores)
    assert found.friedman == pytest.approx(exp(-0.75))  # chi-square 12 * 12 / 12 * (1/16 + 1/16) = 3/2
    assert (found.p_values == 1).all()


def test_equal_scores_share_ranks():
    scores = pd.DataFrame({"a": [0.1 + 0.2, 5.0], "b": [0.3, 5.0], "c": [0.3, 5.0]})
    found = ranks.rank(scores)
    assert set(found.ranks) == {2.0}
    assert found.friedman == 1.0


def test_ranks_need_three_methods_and_all_scores():
    with pytest.raises(ValueError, match="at least 3 methods"):
        ranks.rank(_agreeing(4)[["a", "b"]])
    with pytest.raises(ValueError, match="every method's score"):
        ranks.rank(_agreeing(4).replace(60.0, np.nan))


def _bars(figure):
    (axes,) = figure.axes
    return [line for line in axes.lines if line.get_color() == "k"]


def test_diagram_joins_what_is_not_told_apart():
    colours = Looks({"a": "f", "b": "f", "c": "f"})
    apart = diagram(ranks.rank(_agreeing(12)), "title", colours)
    assert len(_bars(apart)) == 0
    (bar,) = _bars(diagram(ranks.rank(_agreeing(4)), "title", colours))
    assert (min(bar.get_xdata()), max(bar.get_xdata())) == (1.0, 3.0)


def test_diagram_says_what_it_rests_on():
    scores = _agreeing(4).rename(columns={"a": "$a$"})
    figure = diagram(ranks.rank(scores), "title", Looks({"$a$": "f", "b": "f", "c": "f"}))
    below = " ".join(figure.get_supxlabel().split())
    assert "4 seeds" in below
    assert "Caution: only 4 seeds" in below
    figure.draw_without_rendering()  # neither formulas nor warnings
    (text,) = (text for text in figure.axes[0].texts if "$a$ (1.00)" in text.get_text())
    assert not text.get_parse_math()


def test_directions_are_those_of_the_tests():
    """Not of the medians or the means, which may point the other way."""
    many_small_losses = column(*(-0.01 * k for k in range(1, 27)), *(1 + 0.01 * k for k in range(24)))
    zero = np.zeros_like(many_small_losses)
    assert np.median(many_small_losses) < 0
    test = paired_test(many_small_losses, zero)
    assert test.p < 0.01
    assert test.direction > 0
    one_collapse = column(*[0.0] * 16, *(0.1 + 0.01 * k for k in range(14)), -60.0)
    test = paired_test(one_collapse, np.zeros_like(one_collapse))
    assert test.p < 0.05
    assert test.direction > 0 > one_collapse.mean()
    assert paired_test(np.zeros_like(one_collapse), one_collapse).direction == -test.direction
    collapsed, steady = column(93.5, 93.6, 93.7, 10.0), column(93.0, 93.1, 93.2, 93.3)
    assert unpaired_test(collapsed, steady).direction > 0 > collapsed.mean() - steady.mean()
    assert unpaired_test(steady, steady).direction == 0
