"""Each branch of the rule, with bounds worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.report.published import PublishedValue
from harness.report.verdict import RULE, judge, obstacles

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
# 2 sqrt(0.6^2/9 + 0.4^2/4) + 0.005 = 2 sqrt(0.08) + 0.005 = 0.5657 + 0.005
BOUND = 0.5707
OURS = {
    "deviations": (),
    "searched_on": "cifar10",
    "selection": "last",
    "dataset": "cifar100",
    "metric": "test_accuracy",
    "split": "x-test",
}


@pytest.mark.parametrize("side", [-1, 1])
def test_within_the_bound_is_reproduced_and_beyond_it_differs(side):
    assert judge(70 + side * (BOUND - 0.001), 0.6, 9, PUBLISHED, True) == "reproduced"
    assert judge(70 + side * (BOUND + 0.001), 0.6, 9, PUBLISHED, True) == "differs"


def test_value_that_rounds_to_the_published_one_is_reproduced_without_any_spread():
    all_skip = replace(PUBLISHED, mean=54.30, std=0.0)  # the table has 54.2967
    assert judge(54.296667, 0.0, 4, all_skip, True) == "reproduced"
    assert judge(54.305, 0.0, 4, all_skip, True) == "reproduced"
    assert judge(54.306, 0.0, 4, all_skip, True) == "differs"


@pytest.mark.parametrize("std, published", [(NAN, {}), (0.1, {"std": NAN}), (0.1, {"n": None})])
def test_missing_spread_is_said(std, published):
    assert judge(70.0, std, 1, replace(PUBLISHED, **published), True) == "spread unknown"


def test_what_is_not_comparable_gets_no_other_verdict():
    assert judge(70.0, 0.1, 4, PUBLISHED, False) == "not comparable"


def test_no_published_value_is_said():
    assert judge(70.0, 0.1, 4, None, False) == "no published value"


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


@pytest.mark.parametrize("published", [{"protocol": "best-of-n"}, {"protocol": ""}, {"searched_on": ""}, {"split": ""}])
def test_any_difference_on_the_published_side_is_not_comparable(published):
    assert obstacles(replace(PUBLISHED, **published), **OURS)


def test_rule_names_every_verdict():
    for verdict in ("reproduced", "differs", "spread unknown", "not comparable"):
        assert f"{verdict}: " in RULE
