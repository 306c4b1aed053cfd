"""Each branch of the rule, with bounds worked out by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from harness.report.published import PublishedValue
from harness.report.verdict import AGREES, DIFFERS, INCONCLUSIVE, RULE, UNKNOWN, judge, obstacles
from tests.report import calibration

NAN = math.nan
PUBLISHED = PublishedValue(
    registry_name="darts",
    space="nasbench201",
    dataset="cifar100",
    metric="test_accuracy",
    split="x-test",
    mean=70.0,
    rounding=0.005,
    std=0.4,
    n=4,
    protocol="transfer",
    searched_on="cifar10",
    status="seen",
    source="a paper",
    std_recalled=False,
)
OURS = {
    "deviations": (),
    "searched_on": "cifar10",
    "selection": "last",
    "dataset": "cifar100",
    "metric": "test_accuracy",
    "split": "x-test",
}


CELL = replace(PUBLISHED, mean=54.30, std=0.0, cells=("skip",))
MARGIN = 1.0


def _half_width(level):
    """By hand: ours 0.6 over 9, theirs 0.4 (ddof 0) over 4, so s_p^2 = 0.16 * 4 / 3; three degrees of freedom."""
    return stats.t.ppf(level, 3) * math.sqrt(0.36 / 9 + 0.16 * 4 / 3 / 4)


@pytest.mark.parametrize("side", [-1, 1])
def test_differs_beyond_the_interval_and_rounding(side):
    bound = _half_width(0.975) + 0.005
    assert judge(70 + side * (bound + 1e-4), 0.6, 9, PUBLISHED, True, margin=MARGIN).verdict == DIFFERS
    inside = judge(70 + side * (bound - 1e-4), 0.6, 9, PUBLISHED, True, margin=MARGIN)
    assert inside.verdict == INCONCLUSIVE
    assert inside.resolution == pytest.approx(bound)
    assert inside.p > 0.05
    assert inside.low < 0 < inside.high


@pytest.mark.parametrize("side", [-1, 1])
def test_agrees_if_both_one_sided_tests_place_it_within_the_margin(side):
    margin = _half_width(0.95) + 0.005 + 0.2
    assert judge(70 + side * 0.1999, 0.6, 9, PUBLISHED, True, margin=margin).verdict == AGREES
    assert judge(70 + side * 0.2001, 0.6, 9, PUBLISHED, True, margin=margin).verdict == INCONCLUSIVE


def test_without_a_margin_nothing_agrees():
    assert judge(70.0, 1e-6, 9, PUBLISHED, True).verdict == INCONCLUSIVE


def test_a_difference_that_was_shown_goes_before_agreement():
    many = replace(PUBLISHED, n=500)
    found = judge(70.2, 0.4, 500, many, True, margin=MARGIN)
    assert found.high < MARGIN
    assert found.verdict == DIFFERS


def test_few_searches_show_little_and_say_so():
    found = judge(70.0, 0.4, 4, PUBLISHED, True, margin=0.3)
    assert found.verdict == INCONCLUSIVE
    assert found.resolution > 0.6


def test_deviations_are_converted_to_ddof_1():
    population, sample = replace(PUBLISHED, ddof=0), replace(PUBLISHED, ddof=1)
    assert population.sample_std == pytest.approx(0.4 * math.sqrt(4 / 3))
    assert sample.sample_std == 0.4
    assert PUBLISHED.sample_std == population.sample_std  # not stated: the larger one
    assert judge(70, 0.4, 4, sample, True).spread_ratio == 1
    resolutions = [judge(70, 0.4, 4, value, True).resolution for value in (population, PUBLISHED, sample)]
    assert resolutions[0] == resolutions[1] > resolutions[2]


def test_p_is_that_of_the_interval():
    for mean in (70.0, 70.4, 71.0, 73.0):
        found = judge(mean, 0.6, 9, PUBLISHED, True, margin=MARGIN)
        assert (found.p < 0.05) == (found.verdict == DIFFERS) == (not found.low <= 0 <= found.high)


def test_shares_are_compared_where_all_published_searches_end_in_one_cell():
    found = judge(90.0, 0.1, 8, CELL, True, margin=100.0, hits=0)  # however near the means are
    assert (found.verdict, found.hits) == (DIFFERS, 0)
    assert found.p == pytest.approx(2 / 990)  # 1 of C(12, 4) = 495 tables, and the opposite extreme is impossible
    assert math.isnan(found.resolution)


def test_share_has_an_exact_interval():
    found = judge(60.0, 3.0, 4, CELL, True, hits=2)
    assert found.verdict == INCONCLUSIVE
    assert (found.low, found.high) == pytest.approx((0.0676, 0.9324), abs=1e-4)  # tables of Clopper and Pearson


@pytest.mark.parametrize("n, verdict", [(5, INCONCLUSIVE), (6, AGREES)])
def test_share_agrees_if_a_majority_is_shown(n, verdict):
    assert judge(54.30, 0.0, n, CELL, True, hits=n).verdict == verdict  # 0.025^(1/6) = 0.541, 0.025^(1/5) = 0.478


def test_one_search_can_end_in_the_cell():
    assert judge(54.30, NAN, 1, CELL, True, hits=1).verdict == INCONCLUSIVE


def test_zero_deviation_that_is_not_decoded_is_no_spread():
    assert judge(54.30, 0.1, 4, replace(CELL, cells=()), True, margin=5.0).verdict == UNKNOWN


@pytest.mark.parametrize("n, published", [(1, {}), (4, {"std": NAN}), (4, {"n": None}), (4, {"n": 1})])
def test_missing_spread_is_said(n, published):
    std = NAN if n == 1 else 0.1
    assert judge(70.0, std, n, replace(PUBLISHED, **published), True).verdict == UNKNOWN


def test_what_is_not_comparable_gets_no_other_verdict():
    assert judge(70.0, 0.1, 4, PUBLISHED, False).verdict == "not comparable"


def test_no_published_value_is_said():
    assert judge(70.0, 0.1, 4, None, False).verdict == "no published value"


@pytest.mark.parametrize("sizes", calibration.SIZES, ids=str)
def test_error_rates_are_at_most_five_percent(sizes):
    draws = 1000 if sum(sizes) < 100 else 250
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)
    for ratio in (1 / 3, 1.0, 3.0):
        for deviation in (0.1, 0.3):
            assert calibration.rates(*sizes, 0.0, deviation, ratio, draws=draws)[0] <= most
            assert calibration.rates(*sizes, calibration.MARGIN, deviation, ratio, draws=draws)[1] <= most
    differs, agrees = calibration.share_errors(*sizes)
    assert max(differs, agrees) <= 0.05


def test_calibration_table_is_complete():
    text = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text()
    rows = re.findall(r"^\| (\d+), (\d+) \| ([\d.]+) % \| [\d.]+ % \| ([\d.]+) %", text, re.MULTILINE)
    assert [(int(n), int(m)) for n, m, *_ in rows] == list(calibration.SIZES)
    assert all(float(rate) <= 5 for row in rows for rate in row[2:])


def test_same_protocol_is_comparable():
    assert not obstacles(PUBLISHED, **OURS)


@pytest.mark.parametrize(
    "aspect, ours",
    [
        ("protocol", {"deviations": ("quick profile",)}),
        ("searched on", {"searched_on": "cifar100"}),
        ("cell", {"selection": "best-valid"}),
        ("split", {"split": "ori-test"}),
        ("split", {"dataset": "digits"}),
        ("split", {"metric": "valid_accuracy"}),
    ],
)
def test_any_difference_on_our_side_is_an_obstacle_with_a_reason(aspect, ours):
    (found,) = obstacles(PUBLISHED, **OURS | ours)
    assert found.aspect == aspect
    assert found.reason


@pytest.mark.parametrize(
    "published", [{"protocol": "best-of-n"}, {"protocol": ""}, {"searched_on": ""}, {"split": ""}, {"fitted": ("lr",)}]
)
def test_any_difference_on_the_published_side_is_not_comparable(published):
    assert obstacles(replace(PUBLISHED, **published), **OURS)


def test_rule_names_every_verdict():
    for verdict in (DIFFERS, AGREES, INCONCLUSIVE):
        assert f"{verdict}: " in RULE
