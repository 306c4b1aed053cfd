"""One row per record; configurations that differ are never taken for one method."""

from __future__ import annotations

from harness.report.runs import methods_in_order, tabulate, without_shared


def _methods(results):
    return sorted(tabulate(results.store.records())["method"])


def test_seeds_of_one_configuration_share_a_name(results):
    results.run(seed=0)
    results.run(seed=1)
    assert _methods(results) == ["darts", "darts"]


def test_rarer_configuration_is_named_by_what_differs(results):
    for seed in range(3):
        results.run(seed=seed)
    results.run(seed=0, epochs=3, settings={"lr": 0.2})
    assert _methods(results) == ["darts", "darts", "darts", "darts [epochs=3, lr=0.2]"]


def test_configurations_with_equally_many_runs_are_all_named(results):
    results.run(epochs=2)
    results.run(epochs=3)
    assert _methods(results) == ["darts [epochs=2]", "darts [epochs=3]"]


def test_setting_that_one_configuration_lacks_is_unset(results):
    for seed in range(2):
        results.run(seed=seed, settings={"lr": 0.1, "floor": 1e-5})
    results.run(settings={"lr": 0.1})
    assert "darts [floor=unset]" in _methods(results)


def test_method_files_with_other_content_are_told_apart(results):
    results.run("Mine", source="ab" * 32)
    results.run("Mine", source="cd" * 32)
    assert _methods(results) == ["Mine [source=abababab]", "Mine [source=cdcdcdcd]"]


def test_other_profile_or_search_dataset_is_no_other_configuration(results):
    results.run(epochs=2, profile="quick", dataset="digits")
    results.run(epochs=3, profile="paper")
    results.run(epochs=4, dataset="cifar100")
    assert _methods(results) == ["darts", "darts", "darts"]


def test_failure_is_the_last_line_of_the_traceback(results):
    results.run(failure="Traceback\n  File x\nValueError: loss is nan\n\n")
    assert list(tabulate(results.store.records())["failure"]) == ["ValueError: loss is nan"]


def test_methods_come_in_the_given_order_then_alphabetically_with_variants_together(results):
    for method in ("zzz", "aaa", "darts", "gaea-darts-erm"):
        for seed in range(2):
            results.run(method, seed)
    results.run("darts", epochs=3)
    found = methods_in_order(tabulate(results.store.records()), ["gaea-darts-erm", "darts"])
    assert found == ["gaea-darts-erm", "darts", "darts [epochs=3]", "aaa", "zzz"]


def test_a_variant_in_which_more_was_changed_comes_later(results):
    results.run(epochs=3, changed={"epochs": 3})
    results.run(epochs=3, settings={"lr": 0.5}, changed={"epochs": 3, "lr": 0.5})
    found = methods_in_order(tabulate(results.store.records()), ["darts"])
    assert found == ["darts [epochs=3]", "darts [epochs=3, lr=0.5]"]


def test_what_the_user_changed_is_named_and_never_usual_even_if_all_runs_have_it(results):
    for seed in (0, 1):
        results.run(seed=seed, epochs=5, changed={"epochs": 5})
    changed = tabulate(results.store.records())
    assert set(changed["method"]) == {"darts [epochs=5]"}
    assert not changed["usual"].any()


def test_the_unchanged_configuration_keeps_the_name_however_few_its_runs(results):
    for seed in (0, 1, 2):
        results.run(seed=seed, epochs=5, changed={"epochs": 5})
    results.run(seed=0)
    runs = tabulate(results.store.records())
    assert sorted(runs["method"]) == ["darts", "darts [epochs=5]", "darts [epochs=5]", "darts [epochs=5]"]
    assert list(runs.loc[runs["usual"], "method"]) == ["darts"]


def test_names_in_one_figure_leave_out_what_all_share():
    methods = ["darts [cells=1, epochs=3]", "gdas [cells=1, epochs=3, lr=0.1]", "enas [cells=1, epochs=30]"]
    short, shared = without_shared(methods)
    assert short == {
        methods[0]: "darts [epochs=3]",
        methods[1]: "gdas [epochs=3, lr=0.1]",
        methods[2]: "enas [epochs=30]",
    }
    assert shared == "cells=1"
    assert without_shared(methods[:2]) == ({methods[0]: "darts", methods[1]: "gdas [lr=0.1]"}, "cells=1, epochs=3")
    assert without_shared(["darts", methods[0]]) == ({"darts": "darts", methods[0]: methods[0]}, "")


def test_what_another_configuration_changed_is_named_there_only(results):
    results.run("darts", 0, epochs=3, changed={"epochs": 3})
    results.run("darts", 0, epochs=3, settings={"lr": 0.2}, changed={"epochs": 3, "lr": 0.2})
    assert set(tabulate(results.store.records())["method"]) == {"darts [epochs=3]", "darts [epochs=3, lr=0.2]"}
