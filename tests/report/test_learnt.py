"""The last sentences of a call."""

from harness.report import learnt
from harness.report.groups import Group

PAPER = Group("nasbench201", "paper", "cifar10")


def test_the_best_method_and_what_it_is_better_than(results):
    results.runs_with("gaea-darts-erm", [93.0, 93.1, 93.2, 93.3, 93.4])
    results.runs_with("gdas", [93.1, 93.0, 93.2, 93.15, 93.25])
    results.runs_with("darts", [90.0, 90.1, 90.2, 90.3, 90.4])
    assert learnt.sentences(results.report(), [PAPER, PAPER]) == [
        "On cifar10 (test), gaea-darts-erm has the highest mean of 3 methods: 93.20 % (n = 5), 0.06 points above gdas."
        " It is significantly better than darts (level 0.05, Holm over all 3 pairs of methods). The difference"
        " to gdas could be chance."
    ]


def test_what_too_few_searches_cannot_show(results):
    for method in ("gaea-darts-erm", "darts", "gdas"):
        results.runs_with(method, [93.0, 93.1, 93.2], profile="quick", dataset="digits")
    (text,) = learnt.sentences(results.report(), [Group("nasbench201", "quick", "digits")])
    assert "could be chance: 5 searches of each method are needed to show any." in text  # 2 / C(10, 5) < 0.05 / 2
    assert text.endswith("small proxy searches: full-size ones may rank otherwise.")


def test_one_search_is_no_test_and_one_method_no_comparison(results):
    results.runs_with("darts", [93.0])
    assert learnt.sentences(results.report(), [PAPER]) == []
    results.runs_with("gdas", [94.0])
    (text,) = learnt.sentences(results.report(), [PAPER])
    assert text.endswith("1.00 points above darts. A method with one search cannot be tested: raise --seeds.")
    results.black_box("random-cell", [], seconds=0.0, table=None, choice="blind")
    results.look_up({("blind", "cifar10", "test"): 91.5})
    (text,) = learnt.sentences(results.report(), [PAPER])
    assert text.endswith("raise --seeds. Against the controls: gdas is 2.50 points above random-cell.")


def test_the_best_is_chosen_by_the_results_so_that_all_pairs_are_corrected_for(results):
    """One method is below the best in all searches, p = 2 / C(10, 5), which 6 comparisons leave below 0.05 but 21 do
    not: any of the 7 methods might have been the best."""
    results.runs_with("darts", [90.0, 90.1, 90.2, 90.3, 90.4])
    for number, method in enumerate(["enas", "gdas", "setn", "snas", "drnas"]):
        results.runs_with(method, [90.35, 90.45, 90.5, 90.55, 90.6 + number / 100])
    results.runs_with("gaea-darts-erm", [90.41, 90.45, 90.5, 90.55, 90.7])
    (text,) = learnt.sentences(results.report(), [PAPER])
    assert "gaea-darts-erm has the highest mean of 7 methods" in text
    assert "significantly" not in text
    assert "could be chance: 6 searches of each method are needed to show any." in text


def test_two_methods_are_one_pair(results):
    results.runs_with("darts", [90.0, 90.1, 90.2, 90.3])
    results.runs_with("gdas", [91.0, 91.1, 91.2, 91.3])
    (text,) = learnt.sentences(results.report(), [PAPER])
    assert text.endswith("It is significantly better than darts (level 0.05).")


def test_a_collapse_may_leave_the_better_method_with_the_lower_mean(results):
    """The test asks which method is better in most searches; here that is not the one with the highest mean."""
    results.runs_with("darts", [93.0 + k / 100 for k in range(10)])
    results.runs_with("gdas", [93.5 + k / 100 for k in range(9)] + [10.0])
    results.black_box("random-cell", [], seconds=0.0, table=None, choice="blind")
    results.look_up({("blind", "cifar10", "test"): 91.5})
    (text,) = learnt.sentences(results.report(), [PAPER])
    assert "darts has the highest mean of 3 methods" in text
    assert "It is significantly better" not in text
    assert "But gdas significantly exceeds it in most searches, though not in the mean (level 0.05" in text
