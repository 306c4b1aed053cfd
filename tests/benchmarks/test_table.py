"""The table of figures says what was measured, and what was not."""

import math

import pytest

from tests.benchmarks.table import Row, number, render
from tests.benchmarks.timing import exponent


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (0.2999, "x", "0.3 x"),
        (12345.6, "MB", "12,346 MB"),
        (0.0375, "%", "0.037 %"),
        (1e-5, "%", "under 0.001 %"),
        (0, "", "0"),
        (120, "s", "120 s"),
        (math.nan, "s", "did not finish"),
    ],
)
def test_numbers_are_short(value, unit, text):
    assert number(value, unit) == text


def row(value, **limits):
    return Row("memory", "a | b", value, "x", "3 rounds", **limits)


def test_a_goal_that_is_not_met_says_by_how_much():
    assert row(0.45, at_most=0.45).met == "yes"
    assert row(0.54, at_most=0.45).met == "no: 20 % above"
    assert row(2.4, at_least=3.2).met == "no: 25 % below"
    assert row(math.nan, at_most=1).met == "no"
    assert row(1).met == ""


def test_the_limit_is_not_the_goal():
    assert row(2.4, at_least=3.2, least=2.3).acceptable
    assert not row(2.2, at_least=3.2, least=2.3).acceptable
    assert not row(2.0, at_most=1.6, least=1.9).acceptable


def test_the_order_of_the_measurements_does_not_matter():
    rows = [row(0.5, at_most=0.45), Row("growth", "slope", 1.0, "", "fit"), Row("growth", "another", 2.0, "", "fit")]
    missing = [("b", "no device"), ("a", "failed")]
    text = render(rows, missing, [("Machine", "two cores")])
    assert text == render(rows[::-1], missing[::-1], [("Machine", "two cores")])
    assert "| a \\| b | 0.5 x | at most 0.45 x |  | no: 11 % above | 3 rounds |" in text
    assert text.index("## Memory") < text.index("## How cost grows") < text.index("## Skipped and failed")
    assert text.index("| another |") < text.index("| slope |")


def test_the_exponent_is_that_of_a_power_law():
    assert exponent([1, 2, 5], [3.0, 12.0, 75.0]) == pytest.approx(2)
