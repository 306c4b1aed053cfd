"""What is said of two methods, and that no more is said than the seeds give."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.benchmarks import BENCHMARKS
from harness.cli import main
from harness.experiment.config import Label
from harness.report import ranks
from harness.report.comparison import blocks, compare
from harness.report.groups import Group
from harness.report.matrix import matrix
from harness.report.names import resolve
from harness.report.names import several as names
from harness.report.sentences import LEGEND
from harness.report.statistics import Interval

PAPER = Group("nasbench201", "paper", "cifar10")


def _compare(results, *methods, paired=False):
    return compare(results.report(), methods, paired=paired)


def _remarks(found):
    return "\n".join(found.lines[1:])


def test_finding_in_plain_language(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0, 93.0, 94.0])
    results.runs_with("darts", [90.0, 90.0, 90.0, 90.0])
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.lines[0] == (
        "gaea-darts-erm against darts on cifar10 (test, n = 4 and 4): +2.50 points on average, 95 % interval"
        " [0.45, 4.55] (Welch's t)"  # 2.5 +- 3.182 * 1.291 / 2
    )
    assert found.lines[1] == "exact Mann-Whitney U test p = 0.0286: significant at 0.05"  # four seeds suffice
    assert "relevant in practice: the whole interval lies beyond the training noise of ±0.25 points" in _remarks(found)
    assert "with probability 1.00 (Cliff's delta +1.00, large)" in _remarks(found)
    assert "power" not in _remarks(found)  # not from four seeds


def test_pairing_is_an_option(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0, 93.0, 94.0])
    results.runs_with("darts", [90.0, 90.0, 90.0, 90.0])
    (found,) = _compare(results, "gaea-darts-erm", "darts", paired=True).comparisons
    assert found.lines[0] == (
        "gaea-darts-erm against darts on cifar10 (test, n = 4 paired seeds): +2.50 points on average, 95 % interval"
        " [0.45, 4.55] (t); better in 4 of 4 seeds"
    )
    assert found.lines[1] == (
        "exact Wilcoxon signed-rank test p = 0.125; the smallest possible with these seeds: too few to be sure to"
        " reach 0.05, which takes 6 of each"
    )


def test_numbers_by_hand(results):
    results.runs_with("darts", [91.0, 88.0, 93.0])
    results.runs_with("gaea-darts-erm", [90.0, 90.0, 90.0])
    (found,) = _compare(results, "darts", "gaea-darts-erm", paired=True).comparisons  # differences 1, -2, 3
    assert found.mean == pytest.approx(2 / 3)
    assert found.std == pytest.approx(np.sqrt(19 / 3))
    assert (found.better, found.equal, found.n) == (2, 0, (3, 3))
    assert found.test.p == pytest.approx(6 / 8)  # negative ranks sum to at most 2 for {}, {1}, {2}
    assert found.improvement == pytest.approx(2 / 3)
    assert "test p = 0.75; the smallest possible with these seeds is 0.25: too few" in found.lines[1]
    (found,) = _compare(results, "darts", "gaea-darts-erm").comparisons
    assert found.mean == pytest.approx(2 / 3)
    assert found.std == pytest.approx(np.sqrt(19 / 3 / 2))  # pooled with zero
    assert (found.better, found.equal) == (None, None)


def test_a_collapsed_search_does_not_move_what_is_said_without_the_extremes(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0, 93.0, 94.0])
    results.runs_with("darts", [90.0, 90.0, 90.0, 10.0])  # differences 1, 2, 3, 84
    for paired, (one, other) in (
        (True, ("median of the differences", "interquartile mean")),
        (False, ("difference of the medians", "of interquartile means")),
    ):
        (found,) = _compare(results, "gaea-darts-erm", "darts", paired=paired).comparisons
        assert f"robust to outliers: {one} +2.50, {other} +2.50" in found.lines


def test_what_all_methods_changed_is_said_once_and_a_subset_is_called_a_proxy(results):
    part = {"epochs": 3, "images": "100 of 50000"}
    for method, accuracies in (("gaea-darts-erm", [91.0, 92.0]), ("darts", [90.0, 90.0])):
        results.runs_with(method, accuracies, epochs=3, changed=part)
    found = _compare(
        results, *(f"{name} [epochs=3, images=100 of 50000@00000000]" for name in ("gaea-darts-erm", "darts"))
    )
    assert found.lines[0].endswith("; all with epochs=3, images=100 of 50000@00000000 (searched on a subset)")
    assert any(
        line.startswith("gaea-darts-erm against darts on cifar10 (test, searched on a subset, n = 2 and 2): +1.50 ")
        for line in found.lines
    )


def test_turned_round_the_signs_change(results):
    results.runs_with("darts", [91.0, 88.0, 93.0])
    results.runs_with("gaea-darts-erm", [90.0, 90.0, 90.0])
    (one,) = _compare(results, "darts", "gaea-darts-erm").comparisons
    (other,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert one.mean == -other.mean
    assert one.test.p == other.test.p
    assert one.improvement == pytest.approx(1 - other.improvement)


def test_pairs_are_by_seed_and_not_by_place(results):
    for seed, method, accuracy in ((3, "darts", 80.0), (7, "darts", 60.0), (7, "gaea-darts-erm", 61.0)):
        results.run(method, seed, cells=(f"{method}-{seed}",))
        results.look_up({(f"{method}-{seed}", "cifar10", "test"): accuracy})
    results.run("gaea-darts-erm", 8, cells=("gaea-darts-erm-7",))
    results.run("gaea-darts-erm", 9, cells=("gaea-darts-erm-7",))
    (found,) = _compare(results, "gaea-darts-erm", "darts", paired=True).comparisons
    assert found.n == (1, 1)
    assert found.mean == 1.0
    assert found.lines[0].endswith("better in 1 of 1 seed; one search gives neither an interval nor a test")
    assert "probability" not in _remarks(found)
    assert found.lines[-1] == "left out, not paired: seeds 8-9 (only gaea-darts-erm); 3 (only darts)"


def test_failed_run_leaves_its_seed_out(results):
    results.runs_with("darts", [90.0, 91.0, 92.0])
    results.runs_with("gaea-darts-erm", [91.0, 92.0])
    results.run("gaea-darts-erm", 2, failure="ValueError: no")
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.n == (2, 3)
    assert "left out" not in _remarks(found)
    (found,) = _compare(results, "gaea-darts-erm", "darts", paired=True).comparisons
    assert found.n == (2, 2)
    assert found.lines[-1] == "left out, not paired: seeds 2 (only darts)"


def test_enough_seeds_are_significant(results):
    results.runs_with("gaea-darts-erm", [91.0 + 0.1 * seed for seed in range(12)])
    results.runs_with("darts", [90.0] * 12)
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.significant
    assert found.lines[1] == "exact Mann-Whitney U test p < 0.0001: significant at 0.05"  # though with ties
    assert "seeds of each method give 80 % power" in _remarks(found)
    (found,) = _compare(results, "gaea-darts-erm", "darts", paired=True).comparisons
    assert found.lines[1] == "exact Wilcoxon signed-rank test p = 0.000488: significant at 0.05"


def test_enough_seeds_without_a_difference_are_not(results):
    results.runs_with("gaea-darts-erm", [90 + 0.1 * (-1) ** seed * (1 + seed) for seed in range(12)])
    results.runs_with("darts", [90.0] * 12)
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.lines[1].endswith(": not significant at 0.05")
    assert re.search(r"at least [\d,]+ seeds of each method give 80 % power", _remarks(found))


def test_small_differences_are_equivalent_however_significant(results):
    results.runs_with("gaea-darts-erm", [90.1 + 0.001 * seed for seed in range(12)])
    results.runs_with("darts", [90.0] * 12)
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.significant
    assert "equivalent in practice: the whole interval lies within the training noise of ±0.25 points" in _remarks(
        found
    )


def test_equal_methods(results):
    results.runs_with("gaea-darts-erm", [90.0, 90.0])
    results.runs_with("darts", [90.0, 90.0])
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.lines[1] == "all searches are equal: there is nothing to test"
    (found,) = _compare(results, "gaea-darts-erm", "darts", paired=True).comparisons
    assert found.lines[0].endswith("better in 0 of 2 seeds, equal in 2; equal differences give no interval")
    assert found.lines[1] == "no pairs differ enough: there is nothing to test"


def test_seeds_that_differ_count(results):
    results.runs_with("gaea-darts-erm", [90.0, 91.0, 92.0, 93.0])
    results.runs_with("darts", [90.0, 90.0, 90.0, 90.0])
    (found,) = _compare(results, "gaea-darts-erm", "darts", paired=True).comparisons
    assert "p = 0.25; the smallest possible with these seeds: too few" in found.lines[1]


def test_p_is_corrected_over_all_methods_of_the_group_whichever_are_named(results):
    results.runs_with("gaea-darts-erm", [91.0 + seed for seed in range(7)])
    results.runs_with("darts", [90.0] * 7)
    results.runs_with("gaea-darts-bilevel", [92.0 + seed + 0.1 * seed for seed in range(6)] + [90.0])
    first, second = _compare(results, "gaea-darts-erm", "darts", "gaea-darts-bilevel").comparisons
    assert (first.second, second.second) == ("darts", "gaea-darts-bilevel")
    assert (first.comparisons, first.primary) == (2, True)
    assert first.corrected == pytest.approx(2 * first.test.p)
    assert second.corrected == pytest.approx(max(second.test.p, first.corrected))
    assert "corrected over 2 primary comparisons p" in first.lines[1]
    (alone,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert alone == first


def test_other_datasets_and_splits_are_a_family_of_their_own(results):
    methods = ("gaea-darts-erm", "darts")
    results.runs_with("gaea-darts-erm", [91.0, 92.0, 93.0, 94.0])
    results.runs_with("darts", [90.0, 90.1, 90.2, 90.3])
    for split, gain in (("x-test", 1.0), ("ori-test", 0.15)):
        values = {
            (f"{method}-{seed}", "cifar100", split): 70.0 + seed / 10 + gain * (method == methods[0])
            for method in methods
            for seed in range(4)
        }
        results.look_up(values)
    primary, *secondary = _compare(results, *methods).comparisons
    assert (primary.dataset, primary.primary, primary.comparisons) == ("cifar10", True, 1)
    assert primary.corrected == primary.test.p == pytest.approx(2 / 70)
    assert [(found.split, found.primary, found.comparisons) for found in secondary] == [
        ("x-test", False, 2),
        ("ori-test", False, 2),
    ]
    assert secondary[0].corrected == pytest.approx(2 * secondary[0].test.p)
    assert "corrected over 2 secondary comparisons" in secondary[0].lines[1]


def test_searches_of_another_group_are_not_in_the_family(results):
    for method, accuracies in (("gaea-darts-erm", [91.0, 92.0]), ("darts", [90.0, 90.0])):
        results.runs_with(method, accuracies)
    results.runs_with("gdas", [80.0, 81.0], profile="quick", dataset="digits")
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.comparisons == 1


def test_retrained_cells_of_a_proxy_are_primary(results):
    results.trained_with("darts", [2.0, 3.0])
    results.trained_with("gaea-pc-darts", [1.0, 1.5], first=5)
    (found,) = _compare(results, "gaea-pc-darts", "darts").comparisons
    assert found.primary


def test_every_dataset_and_split_of_every_group_has_its_own(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0])
    results.runs_with("darts", [90.0, 90.0])
    cells = [f"{method}-{seed}" for method in ("gaea-darts-erm", "darts") for seed in (0, 1)]
    results.look_up({(cell, "cifar100", "x-test"): 70.0 for cell in cells})
    results.runs_with("gaea-darts-erm", [93.0], profile="controlled")  # which darts lacks
    found = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert [(each.group, each.dataset, each.split) for each in found] == [
        (PAPER, "cifar10", "test"),
        (PAPER, "cifar100", "x-test"),
    ]


def test_proxies_say_that_they_are(results):
    for method, accuracies in (("gaea-darts-erm", [91.0, 92.0]), ("darts", [90.0, 90.0])):
        results.runs_with(method, accuracies, profile="quick", dataset="digits")
    lines = _compare(results, "gaea-darts-erm", "darts").lines
    assert lines[0] == "nasbench201, quick profile, searched on digits"
    assert lines[2].startswith("a proxy")
    assert "(test, digits proxy, n = 2 and 2)" in lines[4]
    assert lines[-1] == LEGEND


def test_full_searches_do_not(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0])
    results.runs_with("darts", [90.0, 90.0])
    assert not any("proxy" in line for line in _compare(results, "gaea-darts-erm", "darts").lines)


def test_without_common_seeds_nothing_is_paired(results):
    for seed, method in ((0, "gaea-darts-erm"), (1, "darts"), (2, "darts")):
        results.run(method, seed, cells=("cell",))
    results.look_up({("cell", "cifar10", "test"): 90.0})
    assert len(_compare(results, "gaea-darts-erm", "darts").comparisons) == 1
    found = _compare(results, "gaea-darts-erm", "darts", paired=True)
    assert found.comparisons == ()
    assert found.lines == [
        "gaea-darts-erm against darts on cifar10 (test; nasbench201, paper profile, searched on cifar10): no common"
        " seeds, so nothing is paired (gaea-darts-erm has 0; darts has 1-2)"
    ]


def test_methods_of_different_groups_are_not_compared(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0])
    results.runs_with("darts", [90.0, 90.0], profile="quick", dataset="digits")
    found = _compare(results, "gaea-darts-erm", "darts")
    assert found.comparisons == ()
    (line,) = found.lines
    assert line.startswith("gaea-darts-erm against darts: no group, dataset and split where both have accuracies")
    assert "darts: nasbench201, quick profile, searched on digits (digits proxy)" in line


def test_methods_without_accuracies_are_named(results):
    results.run("darts")
    results.run("gaea-darts-erm")
    (line,) = _compare(results, "gaea-darts-erm", "darts").lines
    assert "darts: none" in line


def test_unknown_method_is_answered_with_those_that_are_there(results):
    results.runs_with("darts", [90.0])
    with pytest.raises(ValueError, match=r"no runs of dart in these results; available: darts$"):
        _compare(results, "darts", "dart")


def test_empty_results_say_so(results):
    with pytest.raises(ValueError, match="available: no methods"):
        _compare(results, "darts", "gaea-darts-erm")


def test_names_stand_between_commas_outside_of_brackets():
    assert names("a, b [epochs=3, lr=0.1],c") == ["a", "b [epochs=3, lr=0.1]", "c"]


@pytest.mark.parametrize("text", ["", "a", "a,", ",", "a,b,a"])
def test_names_that_are_no_comparison(text):
    with pytest.raises(ValueError, match=r"at least two methods|with itself"):
        names(text)


def test_changed_configurations_are_methods_of_their_own(results):
    results.runs_with("darts", [90.0, 91.0])
    results.run("darts", 0, cells=("darts-0",), epochs=3, changed={"epochs": 3})
    (found,) = _compare(results, *names("darts,darts [epochs=3]")).comparisons
    assert found.second == "darts [epochs=3]"


def test_lines_are_plain_whatever_a_method_is_called(results):
    results.runs_with("evil\x1b[31m\nname", [90.0, 91.0])
    results.runs_with("darts", [90.0, 92.0])
    assert all(line.isprintable() for line in _compare(results, "darts", "evil\x1b[31m\nname").lines)


def test_training_noise_is_the_margin_of_the_split(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0], on=("cifar100", "x-test"))
    results.runs_with("darts", [90.0, 90.0], on=("cifar100", "x-test"))
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.noise == BENCHMARKS["nasbench201"].margins["cifar100", "x-test"]


def test_unknown_noise_leaves_relevance_open(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0], on=("imagenet", "test"))
    results.runs_with("darts", [90.0, 90.0], on=("imagenet", "test"))
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.noise is None
    assert "relevance unknown" in _remarks(found)


def test_blocks_are_the_seeds_that_all_have(results):
    results.runs_with("darts", [90.0, 91.0, 92.0])
    results.runs_with("gaea-darts-erm", [91.0, 92.0])
    results.runs_with("gaea-darts-bilevel", [92.0, 93.0, 94.0])
    report = results.report()
    found = blocks(report, ["gaea-darts-bilevel", "gaea-darts-erm", "darts"], PAPER, "cifar10", "test")
    assert found.to_numpy().tolist() == [[92.0, 91.0, 90.0], [93.0, 92.0, 91.0]]
    assert list(ranks.rank(found).ranks) == [1.0, 2.0, 3.0]
    assert blocks(report, ["darts"], PAPER, "cifar100", "x-test").empty


def test_cells_trained_here_are_compared_by_what_they_get_right(results):
    results.trained_with("darts", [2.0, 3.0])
    results.trained_with("gaea-pc-darts", [1.0, 1.5], first=5)
    (found,) = _compare(results, "gaea-pc-darts", "darts", paired=True).comparisons
    assert (found.mean, found.better, found.dataset) == (1.25, 2, "digits")
    assert "(test, retrained cells: 6 cells, C=8, 10 epochs, digits proxy, n = 2 paired seeds)" in found.lines[0]


# What a user sees first ----------------------------------------------------------------------------------------------


def test_the_summary_says_who_is_better_where_and_how_certain_that_is(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0, 93.0, 94.0])
    results.runs_with("darts", [90.0, 90.0, 90.0, 90.0])
    assert _compare(results, "gaea-darts-erm", "darts").summary == [
        "nasbench201, paper profile, searched on cifar10",
        "- cifar10 (test): gaea-darts-erm is better than darts: +2.50 points, 95 % interval +0.45 to +4.55, p = 0.0286",
    ]
    (line,) = _compare(results, "darts", "gaea-darts-erm").summary[1:]
    assert line.startswith("- cifar10 (test): gaea-darts-erm is better than darts: -2.50 points")


@pytest.mark.parametrize(
    "first, second, outcome, words",
    [
        ([91.0, 90.0, 92.0], [90.0, 91.0, 92.0], "undecided", "cannot be told apart"),
        ([90.0, 90.1, 90.0, 90.1] * 3, [90.1, 90.0, 90.1, 90.0] * 3, "equivalent", "are equivalent"),
        (
            [90.1 + 0.001 * seed for seed in range(12)],
            [90.0] * 12,
            "better",
            "is better than darts, by too little",
        ),
        ([95.0] * 11 + [10.0], [90.0] * 12, "better", "better than darts in most searches, though not in the mean"),
        ([90.0], [91.0], "untested", "one search allows no test"),
    ],
)
def test_outcomes(results, first, second, outcome, words):
    results.runs_with("gaea-darts-erm", first)
    results.runs_with("darts", second)
    found = _compare(results, "gaea-darts-erm", "darts")
    assert found.comparisons[0].outcome == outcome
    assert words in found.summary[1]


def test_very_large_numbers_of_seeds_are_not_printed(results):
    results.runs_with("gaea-darts-erm", [90 + (-1) ** seed for seed in range(12)])
    results.runs_with("darts", [90 - (-1) ** seed for seed in range(12)])
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    narrow = replace(found, interval=Interval(-0.01, 0.02))  # 2 * ((1.96 + 0.84) / 0.02)^2 = 39,200 seeds
    assert "more than 1,000 seeds of each method give 80 % power" in _remarks(narrow)
    assert "more than" not in _remarks(found)


def test_a_bare_name_means_the_only_row_that_has_it(results):
    results.runs_with("darts", [90.0, 91.0], epochs=3, changed={"epochs": 3})
    results.runs_with("gaea-darts-erm", [92.0, 93.0])
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.second == "darts [epochs=3]"
    results.run("darts", 0, cells=("darts-0",), epochs=5, changed={"epochs": 5})
    with pytest.raises(ValueError, match=r"several rows are called darts, name one in full: darts \[epochs=3\]; "):
        _compare(results, "gaea-darts-erm", "darts")
    results.run("darts", 0, cells=("darts-0",))
    (found,) = _compare(results, "gaea-darts-erm", "darts").comparisons
    assert found.second == "darts"  # a label in full goes before
    with pytest.raises(ValueError, match="with itself"):
        _compare(results, "gaea-darts-erm", "gaea-darts-erm")


def test_a_name_without_digest_or_version_is_enough():
    labels = {str(each): each for each in (Label("bohb v2", ("lr=1",)), Label("Mine@1a2b3c4d"), Label("darts"))}
    assert [resolve(labels, name) for name in ("bohb", "bohb v2", "Mine")] == ["bohb v2 [lr=1]"] * 2 + ["Mine@1a2b3c4d"]
    with pytest.raises(ValueError, match="no runs of boh "):
        resolve(labels, "boh")


def control(results, accuracies):
    for seed, accuracy in enumerate(accuracies):
        results.black_box("random-cell", [(1.0, f"random-{seed}")], seconds=1.0, seed=seed, table=None)
        results.look_up({(f"random-{seed}", "cifar10", "test"): accuracy})


def test_random_cells_are_a_control_of_every_group_of_their_benchmark(results):
    results.runs_with("darts", [90.0, 91.0, 92.0], profile="quick", dataset="digits")
    results.runs_with("gdas", [80.0, 81.0, 82.0], profile="controlled")
    control(results, [70.0, 71.0, 72.0, 73.0])
    found = _compare(results, "random-cell", "darts", "gdas")
    assert [(each.second, each.group.profile, each.n, each.mean) for each in found.comparisons] == [
        ("gdas", "controlled", (4, 3), -9.5),
        ("darts", "quick", (4, 3), -19.5),
    ]
    assert found.notes[-1].startswith("random-cell is a control that sees no data")
    (alone,) = _compare(results, "darts", "random-cell").comparisons
    assert (alone.mean, alone.comparisons) == (19.5, 1)
    assert "no group" not in " ".join(_compare(results, "darts", "random-cell").notes)


def test_wins_ties_and_losses(results):
    for method, first in (("gaea-darts-erm", 93.0), ("darts", 91.0), ("gdas", 91.05)):
        values = {
            (f"{method}-{seed}", dataset, split): first - shift + 0.1 * seed
            for dataset, split, shift in (
                ("cifar10", "test", 0),
                ("cifar100", "x-test", 20),
                ("cifar100", "ori-test", 20),
            )
            for seed in range(6)
        }
        for seed in range(6):
            results.run(method, seed, cells=(f"{method}-{seed}",))
        results.look_up(values)
    found = matrix(results.report(), ["gaea-darts-erm", "darts", "gdas"])
    assert found.methods == ("gaea-darts-erm", "darts", "gdas")
    texts = [[found.text(row, column) for column in range(3)] for row in range(3)]
    assert texts == [["", "2/0/0", "2/0/0"], ["0/0/2", "", "0/2/0"], ["0/0/2", "0/2/0", ""]]


def test_files_of_a_comparison(results, capsys):
    results.runs_with("gaea-darts-erm", [91.0, 92.0, 93.0, 94.0])
    results.runs_with("darts", [90.0, 90.0, 90.0, 90.0])
    results.runs_with("gdas_x", [80.0])
    words = ["compare", "gaea-darts-erm,darts,gdas_x", "--figures", "none", "--results", str(results.store.folder)]
    assert main(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.index("is better than darts") < printed.index("Wins/ties/losses") < printed.index("on average")
    frame = pd.read_csv(results.store.folder / "tables" / "comparison.csv").set_index("second")
    assert frame.loc["darts", ["outcome", "difference", "n_first"]].tolist() == ["better", 2.5, 4]
    assert frame.loc["gdas_x", "outcome"] == "untested"
    assert np.isnan(frame.loc["gdas_x", "low"])
    text = (results.store.folder / "tables" / "comparison.tex").read_text()
    assert r"gaea-darts-erm & darts & cifar10, test & +2.50 & +0.45 to +4.55 & \textbf{0.029} \\" in text
    assert r"gdas\_x" in text
    assert r"\label{tab:wins}" in text


def test_names_are_checked_before_any_work(results, capsys):
    results.runs_with("darts", [90.0, 91.0])
    for words in (["compare", "darts,dart"], ["run", "--compare", "darts,dart"]):
        assert main([*words, "--results", str(results.store.folder)]) == 2
        assert "no runs of dart in these results; available: darts" in capsys.readouterr().err
    assert not (results.store.folder / "tables").exists()


def test_equal_searches_of_each_method_are_neither_equivalent_nor_relevant(results):
    """Two searches that end in the same cell say nothing of how others would end."""
    results.runs_with("gaea-darts-erm", [93.0, 93.0])
    results.runs_with("darts", [93.1, 93.1])
    results.runs_with("gdas", [90.0, 90.0])
    for found in _compare(results, "gaea-darts-erm", "darts", "gdas").comparisons:
        assert found.interval is None
        assert found.outcome == "undecided"
        assert "cannot be told apart" in found.summary
        assert "interval" not in found.summary
        assert "relevance unknown: equal searches say nothing about the spread" in _remarks(found)


def test_wins_of_paired_searches_are_those_of_the_comparison(results):
    """One collapse in fifteen: better in most searches, worse in the mean."""
    gains = [0.3 + k / 35 for k in range(14)]
    results.runs_with("gaea-darts-erm", [*(90.0 + gain for gain in gains), 60.0])
    results.runs_with("darts", [90.0] * 15)
    methods = ["gaea-darts-erm", "darts"]
    (found,) = _compare(results, *methods, paired=True).comparisons
    assert found.mean < 0
    assert found.outcome == "better"
    assert matrix(results.report(), methods, paired=True).text(0, 1) == "1/0/0"
