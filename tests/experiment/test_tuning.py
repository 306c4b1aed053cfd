"""Tuning at an equal budget: what is drawn, what the budget pays for, and the command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import plugins
from harness.api import LogUniform, OneShot, Uniform
from harness.cli import main
from harness.commands.report import labels
from harness.experiment import tuning
from harness.experiment.overrides import default_settings
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.experiment.store import Store

ROOT = Path(__file__).parents[2]
SIGN = f"{ROOT / 'tests' / 'sign_gradient.py'}:SignGradient"
SMALL = ["--set", "protocol.channels=2", "--set", "protocol.cells=1", "--set", "protocol.epochs=1", "--jobs", "1"]
SMALL += ["--dataset", f"{ROOT / 'tests' / 'stripes.py'}:load", "--retrain", "none"]


# What is drawn -------------------------------------------------------------------------------------------------------


def test_shares_of_a_range():
    assert [Uniform(2.0, 4.0).at(share) for share in (0, 0.25, 1)] == [2.0, 2.5, 4.0]
    np.testing.assert_allclose([LogUniform(1e-4, 1.0).at(share) for share in (0, 0.25, 1)], [1e-4, 1e-3, 1.0])


@pytest.mark.parametrize("kind, low, high", [(Uniform, 2, 1), (Uniform, 0, float("inf")), (LogUniform, 0, 1)])
def test_what_is_no_range_is_refused(kind, low, high):
    with pytest.raises(ValueError, match="range"):
        kind(low, high)


@given(st.integers(0, 999), st.integers(1, 500))
def test_draws_lie_in_their_ranges_and_do_not_depend_on_the_order(seed, trial):
    ranges = {"lr": LogUniform(1e-3, 0.1), "share": Uniform(0.0, 1.0)}
    found = tuning.drawn(ranges, seed, trial)
    assert 1e-3 <= found["lr"] <= 0.1
    assert 0 <= found["share"] <= 1
    assert found == tuning.drawn(dict(reversed(ranges.items())), seed, trial)


def test_the_first_trial_is_the_default_and_logarithms_are_uniform():
    ranges = {"lr": LogUniform(1e-4, 1.0)}
    assert tuning.drawn(ranges, 5, 0) == {}
    logs = np.log10([tuning.drawn(ranges, 0, trial)["lr"] for trial in range(1, 1001)])
    counts, _ = np.histogram(logs, bins=4, range=(-4, 0))
    assert abs(counts - 250).max() < 5 * np.sqrt(250 * 3 / 4)


def test_a_trial_is_the_search_that_set_would_plan():
    def planned(seed, *overrides):
        words = ["protocol.epochs=1", *overrides]
        (job,) = plan({"darts": built_in()["darts"]}, "nasbench201", "quick", ["digits"], [seed], words, Path(), None)
        return job

    ranges = {"lr": LogUniform(1e-4, 1.0)}
    rate = tuning.drawn(ranges, 3, 2)["lr"]
    assert tuning.trial_of(planned(3), ranges, 3, 2).key == planned(3 + 2 * tuning.STRIDE, f"darts.lr={rate!r}").key
    assert tuning.trial_of(planned(3), ranges, 3, 0).key == planned(3).key


@pytest.mark.parametrize("name", built_in())
def test_defaults_of_built_in_methods_lie_within_their_ranges(name):
    cls = plugins.load(built_in()[name])
    if not issubclass(cls, OneShot):
        return
    defaults = default_settings(cls)
    assert all(each.low < defaults[setting] < each.high for setting, each in cls.tunable.items())


def test_a_call_that_came_less_far_forgets_no_trials(tmp_path):
    store, keys = Store(tmp_path), [character * 64 for character in "abc"]

    def add(keys):
        tuned = tuning.Tuned({"lr": tuning.Range(1e-3, 0.1, True)}, {0: keys})
        tuning.add(store, "name", tuning.Tuning(1e9, None, {"darts": tuned}))
        return tuning.drawn_keys([stored for _, stored in tuning.tunings(store)])

    store.prepare()
    assert add(keys) == add(keys[:1]) == set(keys[1:])
    assert add([*keys, "d" * 64]) == {*keys[1:], "d" * 64}


def test_trials_that_drew_from_other_ranges_are_kept_and_none_is_a_row(tmp_path):
    store, keys = Store(tmp_path), [character * 64 for character in "abcdef"]
    store.prepare()

    def add(high, keys, **options):
        tuned = tuning.Tuned({"lr": tuning.Range(1e-3, high, True)}, {0: keys})
        tuning.add(store, "name", tuning.Tuning(1e9, None, {"darts": tuned}), **options)
        ((_, stored),) = tuning.tunings(store)
        assert tuning.drawn_keys([stored]) >= set(keys[1:])
        darts = stored.methods["darts"]
        return [(drawn.ranges["lr"].high, drawn.trials[0]) for drawn in darts.all]

    first, second = keys[:3], [keys[0], *keys[3:5]]
    assert add(0.1, first) == [(0.1, first)]
    assert b"others" not in (tmp_path / "tunings" / "name.json").read_bytes()  # files of before are as they were
    assert add(1.0, second) == [(1.0, second), (0.1, first)]
    assert add(1.0, second[:2]) == [(1.0, second), (0.1, first)]
    assert add(0.1, [*first, keys[5]]) == [(0.1, [*first, keys[5]]), (1.0, second)]  # the earlier version again
    assert add(1.0, second, replace_known=False) == [(0.1, [*first, keys[5]]), (1.0, second)]
    assert add(0.1, second) == [(0.1, second), (0.1, [*first, keys[5]]), (1.0, second)]  # other searches


# The budget ----------------------------------------------------------------------------------------------------------


def test_trials_go_on_while_there_is_room_for_another_first_one():
    assert tuning.more_trials([], 10.0) == 1
    assert tuning.more_trials([3.0], 10.0) == 2
    assert tuning.more_trials([3.0, 1.0, 1.0], 10.0) == 1
    assert tuning.more_trials([3.0, 4.0, 4.0], 10.0) == 0
    assert tuning.more_trials([30.0], 10.0) == tuning.more_trials([float("inf")], 10.0) == 0


# The command ---------------------------------------------------------------------------------------------------------


def tune(results, budget, *words, methods=f"darts,{SIGN}", seeds="1"):
    small = [*SMALL, "--figures", "none", "--results", str(results)]
    return main(["tune", methods, "--budget", str(budget), "--seeds", seeds, *small, *words])


@pytest.fixture(scope="module")
def cost(tmp_path_factory):
    """Of a small search with DARTS."""
    results = tmp_path_factory.mktemp("cost")
    assert tune(results, 1, methods="darts") == 0
    (record,) = Store(results).records()
    return tuning.cost(Store(results), record["key"])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, cost):
    results = tmp_path_factory.mktemp("tuned")
    assert tune(results, 2.5 * cost, seeds="2") == 0
    return results


def test_every_method_gets_the_trials_that_the_budget_pays_for(tuned, cost):
    trials = pd.read_csv(tuned / "tables" / "tuning.csv")
    assert (trials.groupby(["method", "tuning"]).size() == 2).all()
    assert (trials["spent"] <= 2.5 * cost).all()
    np.testing.assert_allclose(trials[trials["method"].str.startswith("darts")]["multiply_adds"], cost)
    for _, rows in trials.groupby(["method", "tuning"]):
        assert rows["settings"].iloc[0] == "default"
        assert rows["validation"].idxmax() == rows["chosen"].idxmax()
        assert rows["chosen"].sum() == 1
    store, by_key = Store(tuned), trials.set_index("key")["validation"]
    assert all(store.arrays(key)["valid_accuracy"][-1] == value for key, value in by_key.items())


def test_drawn_settings_are_no_rows_and_a_method_that_declares_none_repeats_its_defaults(tuned):
    board = pd.read_csv(tuned / "tables" / "leaderboard.csv")
    shown = board[(board["dataset"] == "cifar10") & (board["selection"] == "last")]
    assert {method.split()[0].split("@")[0]: n for method, n in zip(shown["method"], shown["n"], strict=True)} == {
        "darts": 2,
        "SignGradient": 4,
    }
    assert not [row for row in labels(Store(tuned)) if "lr=" in row]  # those that --only and compare know
    settings = pd.read_csv(tuned / "tables" / "tuning.csv")["settings"]
    assert settings.str.startswith("lr=").sum() == settings.str.startswith("default, seed 100").sum() == 2
    text = (tuned / "tables" / "leaderboard.md").read_text()
    assert "defaults only, with other seeds" in text
    assert "No test accuracy chooses anything" in text
    assert "## Tuning" in text
    assert "Tuning: nasbench201" in (tuned / "leaderboard.html").read_text()


def test_a_second_call_runs_nothing_and_a_larger_budget_adds_trials(tuned, cost, tmp_path, capsys):
    tuned = shutil.copytree(tuned, tmp_path / "copy")  # others read the trials of the first call
    before = {record["key"] for record in Store(tuned).records()}
    assert tune(tuned, 2.5 * cost, methods="darts", seeds="2") == 0
    assert "0 to do" in capsys.readouterr().out
    assert {record["key"] for record in Store(tuned).records()} == before
    table = (tuned / "tables" / "tuning.csv").read_text()
    assert main(["report", "--results", str(tuned), "--figures", "none"]) == 0
    assert (tuned / "tables" / "tuning.csv").read_text() == table
    assert tune(tuned, 3.5 * cost, methods="darts") == 0
    assert len({record["key"] for record in Store(tuned).records()} - before) == 1


def test_the_plan_is_printed_with_an_estimate_of_the_cost(tmp_path, cost, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert tune(tmp_path / "new", 2.5 * cost, "--dry-run", methods="darts") == 0
    printed = capsys.readouterr().out
    assert "about 2 trials" in printed
    assert not (tmp_path / "new").exists()
    estimate = float(printed.split("to do")[1].split()[0])
    assert estimate == pytest.approx(cost, rel=0.03)


def test_trials_are_chosen_by_the_tables_validation_accuracy_where_that_is_asked(tmp_path, cost):
    assert tune(tmp_path, 5 * cost, "--select", "table", methods="gaea-darts-erm") == 0
    trials = pd.read_csv(tmp_path / "tables" / "tuning.csv")
    assert len(trials) > 1
    assert (trials["validation"] == trials["cifar10 x-valid"]).all()
    (path,) = (tmp_path / "tunings").iterdir()
    assert json.loads(path.read_bytes())["criterion"] == ["cifar10", "x-valid"]


def test_a_damaged_file_is_set_aside(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    (tmp_path / "tunings").mkdir()
    (tmp_path / "tunings" / f"{'0' * 16}.json").write_text('{"budget": -1}')
    assert list(tuning.tunings(store)) == []
    assert "quarantined" in store.warnings[0]


BAD = {
    "random-search": "trains no supernet",
    "gaea-darts-erm": "has no validation accuracy: --select table",
    "darts --budget 0": "expected a positive number",
    "darts --budget ten": "expected a positive number",
    "darts --set darts.lr=0.1,1": "one value for all trials",
    "darts --seeds 1000,1": "are below 1000",
    "darts --dataset digits,cifar10": "one at a time",
    "darts --set darts.optimizer=tests/optimizers.py:SignDescent": "has no effect",
    "tests/faulty.py:OddRange": "must be a Uniform or LogUniform",
    "tests/faulty.py:UnknownRange": "names 'rate', which is no number among its settings",
    "darts --space darts --select table": "no table has validation accuracies",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_gets_one_line(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    try:
        status = main(["tune", *words.split(), "--results", str(tmp_path / "results")])
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr().err
    assert status == 2
    assert BAD[words] in printed
    assert len(printed.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()
