"""Grids of settings, from the command line to the figure."""

import pytest

from harness.experiment import overrides
from harness.experiment.store import Store
from harness.report import sweeps
from harness.report.figures.style import Look
from harness.report.figures.sweeps import sweep
from tests.test_run_all import brief


def test_every_combination():
    assert overrides.grid(["a.b=1, 2", "c.d=x", "e.f=3,4"]) == [
        [f"a.b={first}", "c.d=x", f"e.f={second}"] for first in (1, 2) for second in (3, 4)
    ]
    assert overrides.grid([]) == [[]]
    assert overrides.grid(["no value"]) == [["no value"]]


def test_a_grid_is_searched_and_what_it_does_not_concern_once(tmp_path, capsys):
    grid = ["--set", "gaea-darts-erm.lr=0.02,0.1,0.9"]
    assert brief(tmp_path, *grid, methods="gaea-darts-erm,darts", epochs=1) == 0
    assert "4 runs: " in capsys.readouterr().out
    records = Store(tmp_path).records()
    rates = sorted(r["config"]["settings"]["lr"] for r in records if r["config"]["method"]["name"] == "gaea-darts-erm")
    assert rates == [0.02, 0.1, 0.9]
    assert brief(tmp_path, *grid, "--set", "darts.lr=0.1,x", methods="gaea-darts-erm,darts", epochs=1) == 2
    assert "'x' is not of type float" in capsys.readouterr().err


def test_rows_that_differ_in_one_number(results):
    for rate in (10.0, 2.0, 0.1):
        changed = {"lr": rate} if rate != 0.1 else {}
        results.run("darts", settings={"lr": rate, "floor": 1.0}, changed=changed)
    results.run("darts", settings={"lr": 5.0, "floor": 2.0}, changed={"lr": 5.0, "floor": 2.0})
    results.run("gdas", settings={"lr": 7.0})
    report = results.report()
    assert [label for label in report.methods if label.startswith("darts")] == [
        "darts",
        "darts [lr=2.0]",
        "darts [lr=10.0]",
        "darts [floor=2.0, lr=5.0]",
    ]
    configs = {label: record["config"] for label, record in zip(report.runs["method"], report.records, strict=True)}
    (found,) = sweeps.find(configs)
    assert (found.method, found.setting) == ("darts", "lr")
    assert found.rows == ((0.1, "darts"), (2.0, "darts [lr=2.0]"), (10.0, "darts [lr=10.0]"))


def test_the_report_draws_the_sweep(results):
    for rate, accuracy in ((0.1, 90.0), (1.0, 92.0)):
        changed = {"lr": rate} if rate != 0.1 else {}
        results.run("darts", settings={"lr": rate}, changed=changed, cells=("other", f"cell {rate}"))
        results.look_up({("other", "cifar10", "test"): 50.0, (f"cell {rate}", "cifar10", "test"): accuracy})
    results.write(("png",))
    assert list((results.store.folder / "figures").glob("sweep-darts-lr-*.png"))


@pytest.mark.parametrize("values, scale", [((0.01, 0.1, 1.0), "log"), ((0.0, 1.0), "linear"), ((1.0, 2.0), "linear")])
def test_axes_and_means(values, scale):
    import numpy as np

    scores = {value: np.array([[90.0 + value, np.nan], [92.0 + value, 70.0]]) for value in values}
    columns = [("cifar10", "test"), ("cifar100", "x-test")]
    figure = sweep(scores, columns, "darts: lr", Look("black", "o", "-"), "title", "")
    first, second = figure.axes
    assert first.get_xscale() == scale
    line = first.lines[-1]
    assert line.get_xdata().tolist() == list(values)
    np.testing.assert_allclose(line.get_ydata(), [91.0 + value for value in values])
    np.testing.assert_allclose(second.lines[-1].get_ydata(), [70.0] * len(values))
