"""What searches cost, worked out by hand, beside published costs."""

from __future__ import annotations

import math

import pytest

from harness.report.columns import COSTS, FILES, shown
from harness.report.render import latex, markdown, tables
from tests.report.conftest import CELLS
from tests.report.test_terminal import _shown, _words


def _only(results):
    (cost,) = results.report().costs
    return cost


def test_cost_is_the_median_of_done_searches_on_all_their_devices(results):
    for seed, (seconds, device) in enumerate([(10.0, "cpu"), (400.0, "a GPU"), (130.0, "cpu"), (None, "cpu")]):
        results.run("darts", seed, seconds=seconds, device=device, cells=("a",) * (seed + 1))
    results.run("darts", 9, failure="ValueError: no", seconds=1e6)
    cost = _only(results)
    assert (cost.n, cost.cpu_seconds, cost.seconds, cost.load, cost.device) == (4, 130.0, 130.0, 2.0, "a GPU, cpu")
    assert (cost.passes, cost.multiply_adds) == (2500, 2.5e9)  # 1,000 and 1e9 of an epoch, 1 to 4 epochs
    assert math.isnan(cost.simulated)
    assert cost.ours == "0.0025 M images"  # CPU seconds beside a GPU say little
    assert cost.theirs == "10,890 GPU s"  # TE-NAS paper
    assert cost.verdict == "not comparable"


def test_wall_time_is_never_shown_as_a_cost(results):
    results.run("darts", seconds=123.0, counted=False)
    assert _only(results).ours == "not counted"
    report = results.report()
    assert "123" not in markdown.render(report)
    assert ",,,,123.0,,cpu," in tables.csv("search_cost.csv", report)


@pytest.mark.parametrize(
    "asked, verdict",
    [({}, "comparable"), ({"profile": "quick"}, "not comparable"), ({"dataset": "cifar100"}, "–")],
)
def test_simulated_seconds_stand_beside_the_published_budget(results, asked, verdict):
    for seed, seconds in enumerate([11000.0, 11934.5, 11990.0]):
        results.black_box("random-search", [(100.0, CELLS[0])], seconds=seconds, seed=seed, **asked)
    cost = _only(results)
    assert cost.ours == "11,934 s simulated"
    assert cost.theirs == ("–" if verdict == "–" else "12,000 GPU s budget†")
    assert cost.verdict == verdict


def test_black_box_has_its_budget_although_a_measurement_is_better_known(results):
    results.black_box("reinforce", [(100.0, CELLS[0])], seconds=1.0)
    assert _only(results).theirs == "12,000 GPU s budget†"  # not the 27,870.7 of another source


def test_uncertain_costs_and_those_of_namesakes_are_not_shown(results):
    results.run("gaea-darts-erm")  # 14,464 is uncertain
    results.run("darts", source="ab" * 32)
    assert [cost.theirs for cost in results.report().costs] == ["–", "–"]


def test_cost_of_a_search_on_imagenet_is_not_that_of_a_transfer(results):
    results.run("pc-darts", space="darts", dataset="imagenet")
    assert _only(results).theirs == "3.8 GPU days"  # 0.1 is of the cell that was found on CIFAR-10


@pytest.mark.parametrize("value, text", [(0.01234, "0.0123"), (9.0, "9"), (99.96, "100"), (10889.87, "10,890")])
def test_seconds_have_three_digits(results, value, text):
    results.run("nobody", seconds=value)
    assert _only(results).ours == f"0.002 M images, {text} CPU s"


def test_sizes_are_means_in_millions(results):
    results.trained_with("gaea-pc-darts", [2.0, 3.0], parameters=1_500_000)
    results.trained_with("nobody", [2.0], first=5, parameters=None)
    known, unknown = results.report().sizes
    assert (known.millions, known.ours, known.theirs) == (1.5, "1.500 M", "3.69 M")  # derived before recalled
    assert (unknown.ours, unknown.theirs, unknown.verdict) == ("–", "–", "–")


def test_table_of_errors_names_recipe_size_and_cost(results):
    results.trained_with("darts", [2.0, 3.0])
    lines = markdown.render(results.report()).splitlines()
    assert any(line.endswith("in %; recipe: 6 cells, C=8, 10 epochs (digits proxy, short schedule)") for line in lines)
    place = lines.index("| **darts** | 2.50 ± 0.71 (2) | 0.050 M | 0.001 M images, 1 CPU s |")
    assert lines[place - 2] == "| method | digits test | digits parameters | search cost |"
    assert lines[place + 1 : place + 3] == [
        "| published | 3.00 ± 0.14 (?) cifar10 test | 3.3 M | 0.4 GPU days |",
        "| verdict | not comparable | not comparable | not comparable |",
    ]
    assert r"darts & 2.50 $\pm$ 0.71 (2) & 0.050 M & 0.001 M images, 1 CPU s \\" in latex.render(results.report())


def test_full_schedule_is_not_called_short_and_still_not_judged(results):
    for seed in (0, 1):
        results.run("gaea-pc-darts", seed, space="darts", cells=("a cell",))
        results.retrain("a cell", seed, 2.5 + seed / 10, dataset="cifar10", changed={"epochs": 600})
    report = results.report()
    assert report.leaderboard["verdict"].tolist() == ["not comparable"]
    assert report.leaderboard["difference"].tolist() == pytest.approx([0.05])
    assert "short schedule" not in markdown.render(report)


def test_first_table_of_a_group_has_the_costs(results):
    results.run("darts", 0, cells=("a", "b"), best_valid="a")
    results.look_up({(cell, "cifar10", split): 50.0 for cell in "ab" for split in ("test", "x-valid")})
    columns = [table.columns for table in tables.tables(results.report())]
    assert columns == [("cifar10 test", "search cost"), ("cifar10 x-valid",), ("cifar10 test",), ("cifar10 x-valid",)]


def test_console_has_costs_and_fits_in_100_columns(results):
    results.trained_with("gaea-pc-darts", [2.0, 3.0])
    text = _shown(results.report(), 100)
    assert "gaea-pc-darts 2.50 ± 0.71 (2)" in _words(text)
    assert "gaea-pc-darts 0.001 M images, 1 CPU s" in _words(text)
    assert "not comparable" not in text  # under every number; the caption says it once
    assert "no published value is comparable" in _words(text)
    assert max(map(len, text.splitlines())) <= 100


def test_csv_has_every_cost(results):
    results.run("darts", seconds=130.0)
    head, line = tables.csv("search_cost.csv", results.report()).splitlines()
    assert head.split(",") == [column.name for column in shown(COSTS, FILES)]
    ours = "darts,nasbench201,paper,cifar10,1,2000.0,2000000000.0,130.0,130.0,2.0,cpu,"
    assert line == f"{ours},10889.87,GPU s,seen,TE-NAS paper (ICLR 2021),not comparable"
