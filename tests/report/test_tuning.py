"""Tunings in the report: what counts, what is chosen, and the figure."""

import numpy as np
import pytest

from harness.experiment import tuning as files
from harness.experiment.tuning import Range, Tuned, Tuning
from harness.report import tuning
from harness.report.figures import gallery
from harness.report.tuning import Trial
from tests.report.conftest import CELLS

TEST = ("cifar10", "test")
RANGES = {"lr": Range(0.01, 1.0, logarithmic=True)}


@pytest.fixture
def tuned(results):
    """Two tunings of DARTS, of 3 and of 2 trials: validation accuracies, costs and tested cells known."""

    def trial(seed, rate, validation, cost, cell, failure=None):
        arrays = {"valid_accuracy": np.array([0.0, validation]), "multiply_adds": np.array([[cost, 0.0], [0.0, 0.0]])}
        changed = {} if rate == 0.1 else {"lr": rate}
        options = {"settings": {"lr": rate}, "changed": changed, "arrays": arrays, "failure": failure}
        return results.run("darts", seed, cells=(CELLS[0], cell), **options)

    def tune(budget=10.0, criterion=None, ranges=RANGES):
        a, b, c, d = CELLS
        first = [trial(0, 0.1, 60.0, 4.0, a), trial(1000, 0.2, 70.0, 2.0, b), trial(2000, 0.3, 65.0, 4.0, c)]
        second = [trial(1, 0.1, 50.0, 4.0, a), trial(1001, 0.5, 40.0, 5.0, d), trial(2001, 0.6, 99.0, 2.0, b)]
        trials = {0: first, 1: second}
        files.add(results.store, "0" * 16, Tuning(budget, criterion, {"darts": Tuned(ranges, trials)}))
        results.look_up({(cell, *TEST): 90.0 + number for number, cell in enumerate(CELLS)})
        return results.report().tunings[0]

    return tune


def test_only_trials_within_the_budget_count_and_validation_chooses(tuned):
    (darts,) = tuned().methods
    assert [len(trials) for trials in darts.tunings.values()] == [3, 2]  # the last one would be the 11th
    assert darts.finished
    assert [trial.settings for trial in darts.chosen.values()] == ["lr=0.2", "default"]
    assert [trial.scores[TEST] for trial in darts.chosen.values()] == [91.0, 90.0]
    assert [trial.settings for trial in darts.defaults.values()] == ["default"] * 2


def test_a_tuning_that_was_interrupted_is_said(tuned, results):
    assert not tuned(budget=15.0).methods[0].finished
    results.write(())
    assert "Not finished" in (results.store.folder / "tables" / "leaderboard.md").read_text()


def test_trials_that_drew_from_other_ranges_are_no_rows_and_are_said(tuned, results):
    tuned()
    (darts,) = tuned(ranges={"lr": Range(0.001, 1.0, logarithmic=True)}).methods
    report = results.report()
    assert darts.drawn == "lr log-uniform in 0.001 to 1"
    assert report.runs["seed"].tolist() == [0, 1]
    line = "6 stored trials are not compared, as they drew lr log-uniform in 0.01 to 1."
    assert [note for note in report.notes if note.endswith(line)]


def test_a_budget_below_one_search_is_said(tuned, results):
    found = tuned(budget=3.0)
    assert (found.methods, found.unaffordable) == ((), ("darts",))
    drawn = {drawing.name for drawing in gallery.describe(results.report(), results.store)}
    assert drawn
    assert not any(name.startswith("tuning") for name in drawn)


def test_a_looked_up_validation_accuracy_chooses_where_that_is_asked(results, tuned):
    results.look_up({(cell, "cifar10", "x-valid"): 80.0 - number for number, cell in enumerate(CELLS)})
    (darts,) = tuned(criterion=("cifar10", "x-valid")).methods
    assert [trial.settings for trial in darts.chosen.values()] == ["default"] * 2
    assert [trial.validation for trial in darts.chosen.values()] == [80.0] * 2


def test_drawn_settings_are_no_rows_of_the_leaderboard(tuned, results):
    tuned()
    report = results.report()
    assert report.methods == ("darts",)
    assert report.runs["seed"].tolist() == [0, 1]


def test_the_best_so_far(tuned):
    found = tuned()
    (darts,) = found.methods
    curve = tuning.reached(darts, found.columns, found.budget, "darts")
    assert curve.spent.tolist() == [4.0, 6.0, 9.0, 10.0, 10.0]
    assert curve.values[:, :, 0].tolist() == [[60.0, 70.0, 70.0, 70.0, 70.0], [50.0] * 5]
    assert curve.values[:, :, 1].tolist() == [[90.0, 91.0, 91.0, 91.0, 91.0], [90.0] * 5]
    assert (curve.tunings, curve.trials) == (2, (2, 3))


@pytest.mark.parametrize(
    "validations, best", [([1, 3, 2, 3, 4], [0, 1, 1, 1, 4]), ([np.nan, 2, np.nan], [0, 1, 1]), ([np.nan], [0])]
)
def test_the_first_of_equals_is_the_best_and_a_failed_trial_never(validations, best):
    trials = [Trial("", "", 1.0, 1.0, float(value), "", {}) for value in validations]
    assert tuning.running_best(trials) == best


def test_the_figure(tuned, results):
    tuned()
    drawings = {drawing.name: drawing for drawing in gallery.describe(results.report(), results.store)}
    figure = drawings["tuning-nasbench201-paper-cifar10"].figure()
    first, second = figure.axes
    (mean,) = (line for line in first.lines if len(line.get_xdata()))
    np.testing.assert_allclose(mean.get_xdata(), [0.4, 0.6, 0.9, 1.0, 1.0])
    np.testing.assert_allclose(mean.get_ydata(), [55.0, 60.0, 60.0, 60.0, 60.0])
    assert second.get_title() == "its cell: cifar10, test"
    (legend,) = figure.legends
    assert legend.get_texts()[0].get_text() == "darts (n\xa0=\xa02, 2 to 3 trials)"
    assert "different supernets" in figure.get_supxlabel().replace("\n", " ")


def test_methods_and_seeds_are_added_to_a_file_and_exported(tuned, results, tmp_path):
    from harness.cli import main

    tuned()
    other = Tuned({}, {0: [results.run("gdas", 0)]})
    files.add(results.store, "0" * 16, Tuning(10.0, None, {"gdas": other}))
    files.add(results.store, "0" * 16, Tuning(10.0, None, {"gdas": Tuned({}, {4: [results.run("gdas", 4)]})}))
    ((_, stored),) = files.tunings(results.store)
    assert {name: sorted(tuned.trials) for name, tuned in stored.methods.items()} == {"darts": [0, 1], "gdas": [0, 4]}
    folder, archive = str(results.store.folder), str(tmp_path / "a.zip")
    assert main(["export", folder, archive]) == 0
    assert main(["import", archive, "--results", str(tmp_path / "imported")]) == 0
    assert list(files.tunings(type(results.store)(tmp_path / "imported"))) == [("0" * 16, stored)]
