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
        " It is significantly better than darts (level 0.05, Holm over 2). The difference to gdas could be chance."
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
    assert text.endswith("1.00 points above darts. One search of each is no test: raise --seeds.")
