"""One table per number; runs that a table does not know are counted, not forgotten."""

from __future__ import annotations

from harness.report.accuracies import final, main_splits, one_table_per_number, uncovered
from harness.report.runs import tabulate

FULL, BUNDLED = "f" * 64, "b" * 64


def _accuracies(results):
    return one_table_per_number(list(results.store.scores()))


def test_table_with_most_splits_gives_all_numbers_that_it_has(results):
    results.look_up({("cell", "cifar10", "x-valid"): 1.0, ("only here", "cifar10", "x-valid"): 2.0}, sha256=BUNDLED)
    results.look_up({("cell", "cifar10", "x-valid"): 3.0, ("cell", "cifar10", "test"): 4.0}, sha256=FULL)
    found = _accuracies(results)
    assert set(found["table"]) == {FULL[:12]}
    assert sorted(found["value"]) == [3.0, 4.0]  # the other table's second cell is not mixed in


def test_number_that_only_the_smaller_table_has_comes_from_there(results):
    results.look_up({("cell", "imagenet16-120", "x-valid"): 1.0}, sha256=BUNDLED)
    results.look_up({("cell", "cifar10", "x-valid"): 3.0, ("cell", "cifar10", "test"): 4.0}, sha256=FULL)
    found = _accuracies(results).set_index("dataset")["table"]
    assert found["imagenet16-120"] == BUNDLED[:12]
    assert set(found["cifar10"]) == {FULL[:12]}


def test_smallest_digest_wins_among_equal_tables(results):
    for sha256, value in ((FULL, 1.0), (BUNDLED, 2.0)):
        results.look_up({("cell", "cifar10", "test"): value}, sha256=sha256)
    assert list(_accuracies(results)["value"]) == [2.0]


def test_tables_of_two_benchmarks_are_not_mixed(results):
    results.run("darts", cells=("cell",))
    results.look_up({("cell", "cifar10", "test"): 80.0}, space="external:other@12345678")
    assert final(tabulate(results.store.records()), _accuracies(results)).empty


def test_figures_prefer_test_images_over_validation_images(results):
    splits = ("x-valid", "ori-test", "x-test")
    results.look_up({("cell", "cifar100", split): 70.0 for split in splits} | {("cell", "cifar10", "x-valid"): 90.0})
    assert main_splits(_accuracies(results)) == {"cifar100": "x-test", "cifar10": "x-valid"}


def test_best_validation_cell_is_a_selection_only_where_there_is_one(results):
    results.run("darts", cells=("a", "b"), best_valid="a")
    results.run("gaea-darts-erm", cells=("a", "b"))
    results.look_up({("a", "cifar10", "test"): 90.0, ("b", "cifar10", "test"): 91.0})
    found = final(tabulate(results.store.records()), _accuracies(results))
    chosen = {(method, selection): value for method, selection, value in found[["method", "selection", "value"]].values}
    assert chosen == {("darts", "last"): 91.0, ("darts", "best-valid"): 90.0, ("gaea-darts-erm", "last"): 91.0}


def test_runs_that_a_table_does_not_know_are_counted(results):
    results.run(seed=0, cells=("a",))
    results.run(seed=1, cells=("unknown",))
    results.look_up({("a", "cifar10", "test"): 90.0})
    missing = uncovered(tabulate(results.store.records()), _accuracies(results))
    assert missing[["table", "count"]].values.tolist() == [["a" * 12, 1]]
