"""One row per record; configurations that differ are never taken for one method."""

from __future__ import annotations

import pytest

from harness.experiment.config import Label, label
from harness.experiment.registry import built_in, families
from harness.report.runs import UNPUBLISHED, methods_in_order, tabulate, without_shared
from tests.report.conftest import PUBLISHED


def _methods(results):
    return sorted(tabulate(results.store.records())["method"])


def test_seeds_of_one_configuration_share_a_name(results):
    results.run(seed=0)
    results.run(seed=1)
    assert _methods(results) == ["darts", "darts"]


def test_a_configuration_is_labelled_by_its_overrides(results):
    results.run(epochs=3, settings={"lr": 0.2}, changed={"epochs": 3, "lr": 0.2, "precision": "bf16"})
    assert _methods(results) == ["darts [epochs=3, lr=0.2, precision=bf16]"]


def test_runs_that_are_added_rename_no_other_row(results):
    results.run(seed=0)
    results.run(seed=0, settings={"lr": 0.2}, changed={"lr": 0.2})
    for seed in range(1, 6):
        before = dict(zip(*[tabulate(results.store.records())[column] for column in ("key", "method")], strict=True))
        results.run(seed=seed, settings={"lr": 0.2}, changed={"lr": 0.2})
        after = tabulate(results.store.records()).set_index("key")["method"].to_dict()
        assert before.items() <= after.items()


def test_a_protocol_field_that_is_also_a_setting_carries_its_scope():
    overrides = {"settings": {"momentum": 0.5}, "protocol": {"momentum": 0.1}, "numerics": {}}
    config = {
        "benchmark": {"name": "nasbench201", "version": 1, "origin": "built-in"},
        "method": {"name": "darts", "version": 1, "origin": "built-in"},
        "settings": {"momentum": 0.5},
        "optimizer": None,
        "protocol": {"id": "nasbench201/quick", "version": 1, "values": {}},
        "dataset": {"name": "digits", "origin": "official", "sha256": "0" * 64},
        "overrides": overrides,
    }
    assert label({"config": config, "provenance": {"dirty": False}}).details == (
        "momentum=0.5",
        "protocol.momentum=0.1",
    )


@pytest.mark.parametrize("table, details", [(None, ()), ({"name": "a", "substitute": False}, ("protocol v2",))])
def test_the_version_of_queries_is_not_named_where_nothing_is_queried(results, table, details):
    results.black_box("random-cell", [(1.0, "cell")], seconds=1.0, table=None)
    (record,) = results.store.records()
    record["config"]["protocol"]["version"] = 2
    record["config"]["table"] = table
    assert label(record).details == details


def test_external_methods_are_labelled_by_their_source(results):
    results.run("darts", source="ab" * 32)
    results.run("darts", source="cd" * 32)
    assert _methods(results) == ["darts@abababab", "darts@cdcdcdcd"]


def test_external_optimizers_of_one_name_are_told_apart(results):
    optimizers = [{"name": "Mine", "sha256": digest * 32} for digest in ("ab", "cd")]
    (record,) = [results.store.read(results.run())]
    labels = {str(label({**record, "config": {**record["config"], "optimizer": one}})) for one in optimizers}
    assert labels == {"darts [optimizer=Mine@abababab]", "darts [optimizer=Mine@cdcdcdcd]"}


def test_external_datasets_and_spaces_never_have_an_official_name(results):
    results.run(images="external", dataset="cifar10", data_sha256="ab" * 32)
    results.run(space_sha256="cd" * 32)
    groups = tabulate(results.store.records())[["space", "searched_on"]].values.tolist()
    assert sorted(groups) == [
        ["external:nasbench201@cdcdcdcd", "cifar10"],
        ["nasbench201", "external:cifar10@abababab"],
    ]


@pytest.mark.parametrize(
    "run, detail, deviation",
    [
        ({"changed": {"images": "9 of 50000"}}, "images=9 of 50000@00000000", "subset of the images"),
        ({"images": "unverified"}, "images=unverified@00000000", "unverified images"),
        ({"images": "reordered"}, "images=reordered@00000000", None),
        ({"changed": {"precision": "bf16"}}, "precision=bf16", None),
        ({"changed": {"lr": 0.2}}, "lr=0.2", "overrides: lr"),
        ({"dirty": True}, "modified code", "modified code"),
        ({"dirty": None}, "unidentified code", "unidentified code"),
        ({"seen_test": True}, None, "may have seen test images"),
        ({"profile": "quick"}, None, "quick profile"),
    ],
)
def test_what_keeps_a_row_from_being_the_published_experiment(results, run, detail, deviation):
    results.run(**run)
    (row,) = tabulate(results.store.records()).to_dict("records")
    assert row["label"].details == ((detail,) if detail else ())
    assert row["deviations"] == ((deviation,) if deviation else ())


OURS = {
    "nasbench201": {"pc-darts", "gaea-pc-darts", "darts-es", "oles", "shapley-nas", "darts-minus", "fairdarts"},
    "darts": {
        *("random-search-ws", "gdas", "gaea-gdas", "gaea-darts-erm", "gaea-darts-bilevel", "drnas", "snas", "idarts"),
        *("beta-darts", "darts-es"),
    },
}
CONTROLS = {"gd-simplex", "darts-erm"}
"""Of our own."""


@pytest.mark.parametrize("space", list(OURS))
def test_methods_without_a_published_protocol_are_named(results, space):
    for name in sorted(set(built_in()) - {"random-cell"} - set(families()["black-box"] + families()["training-free"])):
        results.run(name, space=space, profile="controlled")
    searches = tabulate(results.store.records())
    named = {row.name for row in searches.itertuples(index=False) if UNPUBLISHED in row.deviations}
    unknown = {"setn", "enas"} if space == "darts" else set()  # which do not run there
    assert named - unknown == OURS[space] | CONTROLS
    (note,) = (line for line in results.report().notes if line.startswith(f"No protocol is published in {space}"))
    assert all(name in note for name in OURS[space])
    text = (PUBLISHED.parents[1] / "docs" / "reproducing.md").read_text()
    paragraph = text.partition("The `paper` profile has no protocol")[2].partition("ImageNet")[0]
    assert all(f"`{name}`" in paragraph for name in OURS[space] | CONTROLS)


@pytest.mark.parametrize("of", [{"profile": "paper"}, {"source": "a" * 64}, {"space": "tests/own.py:Own"}])
def test_other_rows_say_nothing_of_a_published_protocol(results, of):
    results.run("oles", **{"profile": "controlled", **of})
    (row,) = tabulate(results.store.records()).to_dict("records")
    assert UNPUBLISHED not in row["deviations"]


def test_another_version_is_another_row(results):
    results.run()
    results.run(version=2)
    assert _methods(results) == ["darts", "darts v2"]


def test_configurations_that_no_override_tells_apart_are_told_apart_by_digest(results):
    for epochs in (2, 3):
        results.run(epochs=epochs)
    first, second = _methods(results)
    assert first != second
    assert first.startswith("darts [configuration=")


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
    results.run("darts", epochs=3, changed={"epochs": 3})
    found = methods_in_order(tabulate(results.store.records()), ["gaea-darts-erm", "darts"])
    assert found == ["gaea-darts-erm", "darts", "darts [epochs=3]", "aaa", "zzz"]


def test_a_variant_in_which_more_was_changed_comes_later(results):
    results.run(epochs=3, changed={"epochs": 3})
    results.run(epochs=3, settings={"lr": 0.5}, changed={"epochs": 3, "lr": 0.5})
    found = methods_in_order(tabulate(results.store.records()), ["darts"])
    assert found == ["darts [epochs=3]", "darts [epochs=3, lr=0.5]"]


def test_names_in_one_figure_leave_out_what_all_share():
    labels = {
        str(one): one
        for one in (
            Label("darts", ("cells=1", "epochs=3")),
            Label("gdas", ("cells=1", "epochs=3", "lr=0.1")),
            Label("enas", ("cells=1", "epochs=30")),
        )
    }
    short, shared = without_shared(labels)
    assert list(short.values()) == ["darts [epochs=3]", "gdas [epochs=3, lr=0.1]", "enas [epochs=30]"]
    assert shared == "cells=1"
    two = dict(list(labels.items())[:2])
    assert without_shared(two) == (dict(zip(two, ["darts", "gdas [lr=0.1]"], strict=True)), "cells=1, epochs=3")
    assert without_shared({"darts": Label("darts")}) == ({"darts": "darts"}, "")


def test_a_subset_is_called_a_proxy_once():
    labels = {str(one): one for one in (Label("darts", ("images=9 of 50000",)), Label("gdas", ("images=9 of 50000",)))}
    assert without_shared(labels, labels)[1] == "images=9 of 50000 (searched on a subset)"
    short, shared = without_shared({**labels, "enas": Label("enas")}, labels)
    assert short["darts [images=9 of 50000]"] == "darts [images=9 of 50000] (searched on a subset)"
    assert (short["enas"], shared) == ("enas", "")


def test_settings_whose_texts_could_be_taken_for_each_other_are_told_apart(results):
    for settings in ({"x": "a, y=b", "y": "c"}, {"x": "a", "y": "b, y=c"}):
        results.run(settings=settings, changed=settings)
    assert len(set(_methods(results))) == 2


def test_queries_of_means_over_trials_name_the_row_and_are_not_compared(results):
    for seed, trials in enumerate((1, 2, 0)):
        results.black_box("bohb", [(10.0, "cell")], seconds=30.0, seed=seed, trials=trials)
    runs = tabulate(results.store.records()).sort_values("seed")
    assert list(runs["method"]) == ["bohb", "bohb [mean of 2 trials]", "bohb [mean of unknown trials]"]
    assert list(runs["deviations"]) == [(), *[("queries of means over trials",)] * 2]
