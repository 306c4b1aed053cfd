"""The evidence of every number: the searches behind it, and the command that repeats them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.commands import run as command
from harness.experiment import plan
from harness.experiment.registry import benchmark_of, select
from harness.report.site import commands, evidence
from tests.report.conftest import CELLS, genotype


def collected(results):
    found = evidence.collect(results.report())
    assert json.loads(json.dumps(found, allow_nan=False)) is not None
    return found


def row(found, **wanted):
    """The one row with these values: texts by the names of their columns, and its configuration and its origin in
    place of their numbers."""
    rows = [dict(zip(found["row"], values, strict=True)) for values in found["rows"]]
    (match,) = [each for each in rows if all(each[name] == value for name, value in wanted.items())]
    names = [column["name"] for column in found["columns"]]
    texts = [found["texts"][place] for place in match["texts"]]
    return {
        **match,
        **dict(zip(names, texts, strict=True)),
        "configuration": found["configurations"][match["configuration"]],
        "origin": found["origins"][match["origin"]],
        "about": found["texts"][match["about"]],
    }


def sides(found, chosen):
    """Ours and published of every line of the comparison that stands below the numbers."""
    return {title: (ours, theirs) for title, ours, theirs, _ in (found["lines"][k] for k in chosen["comparison"])}


def accuracies(found, chosen):
    """Per seed, as the page reads them."""
    start, end = chosen["configuration"]["searches"]
    seeds = found["searches"]["seed"][start:end]
    return {seed: value for seed, value in zip(seeds, chosen["values"], strict=True) if value is not None}


def test_searches_behind_a_row_give_its_mean_and_spread(results):
    results.runs_with("darts", [50.0, 60.5, 61.25])
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    found = collected(results)
    assert len(found["rows"]) == 2
    for values in found["rows"]:
        chosen = row(found, configuration=values[0])
        behind = list(accuracies(found, chosen).values())
        assert chosen["n"] == str(len(behind))
        assert chosen["mean"] == f"{mean(behind):.2f}"
        assert chosen["std"] == f"{stdev(behind):.2f}"


def test_searches_are_sorted_by_seed_whatever_their_keys(results):
    results.runs_with("darts", [float(value) for value in range(12)])
    found = collected(results)
    assert accuracies(found, row(found)) == {seed: float(seed) for seed in range(12)}
    assert found["searches"]["seed"] == list(range(12))


def test_selections_have_their_own_cells_and_single_level_runs_have_none(results):
    results.run("darts", 0, cells=("early", "late"), best_valid="early")
    results.run("darts", 1, cells=("early", "late"))
    results.look_up({("early", "cifar10", "test"): 10.0, ("late", "cifar10", "test"): 20.0})
    found = collected(results)
    assert accuracies(found, row(found, selection="last")) == {0: 20.0, 1: 20.0}
    assert accuracies(found, row(found, selection="best-valid")) == {0: 10.0}


def test_shared_things_stand_once(results):
    for seed in range(5):
        results.run("darts", seed, cells=("same",))
    results.look_up({("same", "cifar10", "test"): 10.0})
    found = collected(results)
    assert found["cells"] == ["same"]
    (machines,) = (configuration["machines"] for configuration in found["configurations"])
    assert len(machines) == 1
    assert found["searches"]["machine"] == [1] * 5
    assert found["searches"]["last"] == [0] * 5


def test_published_value_stands_with_its_own_row(results):
    results.runs_with("nobody", [50.0])
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    found = collected(results)
    for values in found["rows"]:
        chosen = row(found, configuration=values[0])
        if chosen["configuration"]["method"] == "nobody":
            assert chosen["published"] == "–"
            assert chosen["comparison"] is None
        else:
            assert [chosen[f"published{name}"] for name in ("", "_n", "_split")] == ["94.10†", "4", "test"]
            assert sides(found, chosen)["source"] == (f"table {'a' * 12}", "Papers-with-Code page")


def test_failed_runs_are_counted_and_not_listed(results):
    results.runs_with("darts", [50.0])
    results.run("darts", 7, failure="ValueError: no")
    results.run("never", 0, failure="ValueError: no")
    found = collected(results)
    assert [configuration["failed"] for configuration in found["configurations"]] == [1]
    assert found["searches"]["seed"] == [0]


def test_proxies_are_labelled(results):
    results.run("darts", profile="quick", dataset="digits")
    results.run("darts", profile="quick")
    results.run("darts", profile="controlled")
    found = collected(results)["configurations"]
    labels = {configuration["cells_of"].partition(";")[0]: configuration["proxy"] for configuration in found}
    assert labels == {
        "nasbench201, controlled profile, searched on cifar10": "",
        "nasbench201, quick profile, searched on cifar10": "quick proxy",
        "nasbench201, quick profile, searched on digits": "digits proxy",
    }


def test_shared_details_are_in_the_heading_of_a_block(results):
    for method, changed in (("darts", {"epochs": 3}), ("gdas", {"epochs": 3, "lr": 0.2})):
        results.run(method, changed=changed)
    results.look_up({(CELLS[0], "cifar10", "test"): 50.0})
    found = collected(results)
    details = {each["name"]: (each["details"], each["shared"]) for each in found["configurations"]}
    assert details == {"darts": ("", "epochs=3"), "gdas": ("lr=0.2", "epochs=3")}
    (block,) = found["blocks"]
    assert "all with epochs=3" in block["about"]


@given(st.sets(st.integers(0, 60), min_size=1))
def test_seed_ranges_are_read_back_by_the_command_line(seeds):
    words = ["--seeds", commands.seed_ranges(seeds)]
    assert command.parser().parse_args(words).seeds == sorted(seeds)


@pytest.mark.parametrize(
    "words",
    [
        ["--methods", "darts", "--seeds", "3-3"],
        [
            "--methods",
            "gaea-darts-bilevel",
            "--set",
            "gaea-darts-bilevel.lr=0.05",
            "--set",
            "protocol.epochs=3",
            "--seeds",
            "0,2,5-7",
        ],
        [
            "--methods",
            "darts",
            "--set",
            "protocol.nesterov=false",
            "--set",
            "protocol.weight_decay=1e-7",
            "--precision",
            "bf16",
        ],
        ["--methods", "bohb", "--profile", "paper", "--set", "protocol.budget_seconds=500"],
    ],
)
def test_command_asks_for_the_very_runs(words):
    asked = planned(command.parser().parse_args(words))
    first = asked[0]
    record = {"config": first.config, "provenance": {"device": "cpu", "threads": 1}}
    words = shlex.split(commands.searching(record, [run.config["seed"] for run in asked]))
    assert words[:2] == ["python", "run_all.py"]
    again = planned(command.parser().parse_args(words[2:]))
    assert [run.key for run in again] == [run.key for run in asked]


def test_command_says_where_a_file_of_the_users_belongs():
    config = {
        "kind": "one-shot",
        "benchmark": {"name": "two-edges", "origin": "external"},
        "method": {"name": "darts", "origin": "built-in"},
        "profile": "quick",
        "dataset": {"name": "stripes", "origin": "external"},
        "optimizer": None,
        "overrides": {"settings": {}, "protocol": {}, "numerics": {}},
    }
    record = {"config": config, "provenance": {"device": "cpu"}}
    command = commands.searching(record, [0, 1])
    assert "--space FILE.py:two-edges" in command
    assert "--dataset FILE.py:stripes" in command


def planned(options):
    overrides = [*options.set, *([f"protocol.precision={options.precision}"] if options.precision else [])]
    entries = select(options.methods, benchmark_of(options.space)).entries
    datasets = options.dataset or ["digits"]
    return plan.plan(entries, options.space, options.profile, datasets, options.seeds, overrides, Path("nowhere"), None)


def test_command_of_an_outside_method_names_a_file_to_fill_in(results):
    results.run("Mine; rm -rf", source="ab" * 32, settings={"lr": 0.1}, changed={"lr": 0.1})
    found = collected(results)
    (configuration,) = found["configurations"]
    words = shlex.split(configuration["command"])
    assert "FILE.py:Mine; rm -rf" in words
    assert words[-1] == "Mine; rm -rf.lr=0.1"
    notes = [found["texts"][place] for place in configuration["notes"]]
    assert notes == [f"FILE.py of the method has the SHA-256 {'ab' * 32}."]


def test_no_minus_before_a_difference_of_zero(results):
    results.runs_with("darts", [54.3 - 1e-9, 54.3 - 1e-9])  # as published, but for what floats cannot hold
    found = collected(results)
    assert row(found)["difference"] == "+0.00"


def test_errors_of_trained_cells_are_rows_like_accuracies(results):
    """By hand: 1.0, 2.0 and 4.5 %; mean 2.5, squared deviations 2.25, 0.25 and 4, so that the variance is 3.25."""
    results.trained_with("darts", [1.0, 2.0, 4.5])
    results.runs_with("darts", [50.0])
    found = collected(results)
    measures = [measure["name"] for measure in found["measures"]]
    error, accuracy = (row(found, measure=measures.index(name)) for name in ("digits test error", "cifar10 test"))
    assert error.keys() == accuracy.keys()
    assert (error["mean"], error["std"], error["n"]) == ("2.50", "1.80", "3")
    assert accuracies(found, error) == {0: 1.0, 1: 2.0, 2: 4.5}
    assert [error[name] for name in ("regret", "regrets")] == [None] * 2
    assert accuracy["retrainings"] is None
    assert accuracy["size"] is None
    assert [measure["lower"] for measure in found["measures"]] == [name == "digits test error" for name in measures]
    assert error["origin"].keys() == accuracy["origin"].keys()
    assert "6 cells, C=8, 10 epochs (digits proxy, short schedule)" in error["about"]
    assert "looked up in a table" in accuracy["about"]
    assert ["learning_rate", "0.1"] in map(list, found["facts"][error["origin"]["recipe"]])


def test_published_error_of_the_dataset_that_digits_stand_for(results):
    results.trained_with("darts", [2.0, 3.0])
    found = collected(results)
    chosen = row(found)
    assert [chosen[f"published{name}"] for name in ("", "_std", "_split")] == ["3.00", "0.14", "cifar10 test"]
    theirs = {title: published for title, (_, published) in sides(found, chosen).items()}
    assert (theirs["protocol"], theirs["status"]) == ("searched on the dataset itself", "seen")
    assert (chosen["difference"], chosen["verdict"]) == ("–", "not comparable")
    assert found["beside"][chosen["size"]] == ["0.050 M", "3.3 M", "not comparable", 0.05]
    cost = found["beside"][chosen["configuration"]["cost"]]
    assert cost == ["0.001 M images, 1 CPU s", "0.4 GPU days", "not comparable", 1000.0]
    listed = [[found["texts"][place] for place in line] for line in chosen["configuration"]["published"]]
    assert [(number, mean) for _, number, mean, *_ in listed] == [
        ("test error, %", "3.00"), ("test error, %", "2.75"), ("parameters, millions", "3.3"),
        ("search, GPU days", "0.4"),
    ]  # fmt: skip
    assert "–" not in [text for *_, status, source in listed for text in (status, source)]


def test_retrainings_belong_to_their_own_searches(results):
    results.trained_with("darts", [2.0, 3.0])
    results.run("darts", 7, space="darts", profile="quick", dataset="digits", cells=(genotype(7),))
    results.run("darts", 8, space="darts", profile="quick", dataset="digits", cells=(genotype(8),))
    results.retrain(genotype(8), 8, None, failure="ValueError: no")
    key = results.retrain(genotype(7), 9, 1.0)  # of another seed: not this search's
    found = collected(results)
    chosen = row(found)
    assert accuracies(found, chosen) == {0: 2.0, 1: 3.0}
    assert [index is None for index in chosen["retrainings"]] == [False, False, True, True]
    retrained = found["retrainings"]
    assert retrained["seconds"] == [20.0, 20.0]
    assert key[:12] not in retrained["key"]
    (machine,) = set(retrained["machine"])
    assert ["machine", "a machine"] in map(list, found["facts"][machine])
    assert chosen["origin"]["machines"] == [machine]


def test_recipes_are_never_averaged(results):
    results.trained_with("darts", [2.0, 3.0])
    for seed, error in enumerate([1.0, 1.5]):
        results.retrain(genotype(seed), seed, error, changed={"crop": False, "learning_rate": 0.2})
    found = collected(results)
    chosen = [row(found, origin=origin) for origin in range(2)]
    means = {sides(found, each)["source"][0]: each["mean"] for each in chosen}
    assert means == {
        "6 cells, C=8, 10 epochs": "2.50",
        "6 cells, C=8, 10 epochs [crop=false, learning_rate=0.2]": "1.25",
    }


@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
def test_command_of_a_training_is_read_back_by_the_command_line(results, dataset):
    results.trained_with("darts", [2.0], dataset=dataset)
    found = collected(results)
    chosen = row(found)
    origin = chosen["origin"]
    words = shlex.split(f"{chosen['configuration']['command']} {origin['arguments']}")
    options = command.parser().parse_args(words[2:])
    assert (options.space, options.retrain, options.seeds, options.dataset) == ("darts", dataset, [0], ["digits"])
    assert origin["afterwards"] == ""
    note = "digits proxy, short schedule" if dataset == "digits" else "short schedule"
    assert f"6 cells, C=8, 10 epochs ({note});" in chosen["about"]


def test_changed_recipe_is_trained_by_a_command_of_its_own(results):
    results.trained_with("darts", [2.0], changed={"crop": False, "epochs": 3}, processes=2)
    found = collected(results)
    (origin,) = found["origins"]
    assert origin["arguments"] == "--retrain none"
    assert origin["afterwards"] == (
        "torchrun --nproc-per-node 2 -m harness retrain --cell CELL --dataset digits --seeds SEED-SEED"
        " --device cpu --no-crop --epochs 3"
    )
    assert "6 cells, C=8, 3 epochs [crop=false, 2 processes] (" in row(found)["about"]


def test_command_of_an_exchanged_optimizer(results):
    results.run("darts", changed={"optimizer": "Mine", "something else": 1})
    (configuration,) = collected(results)["configurations"]
    assert shlex.split(configuration["command"])[-2:] == ["--set", "darts.optimizer=FILE.py:Mine"]
