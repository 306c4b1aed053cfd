"""The cell of a search at every moment."""

from __future__ import annotations

import numpy as np
import pytest

from harness.report import traces
from harness.report.curves import by_cell, covered, read
from harness.report.traces import Trace, Traces
from tests.report.conftest import CELLS

VALUES = {CELLS[0]: 94.0, CELLS[1]: 90.0, CELLS[2]: 80.0}


@pytest.fixture
def looked_up(results):
    results.look_up({(cell, "cifar10", "test"): value for cell, value in VALUES.items()})
    return results


def _black_box(results):
    report = results.report()
    return traces.black_box(report.runs, report.records, by_cell(report.accuracies), report.methods)


def test_black_box_holds_its_incumbent_and_ends_with_its_choice(looked_up):
    looked_up.black_box("bohb", [(10.0, CELLS[2]), (20.0, CELLS[0])], seconds=30.0, choice=CELLS[1])
    (found,) = _black_box(looked_up)
    assert found.simulated
    moments = np.array([10.0, 19.9, 20.0, 29.9, 30.0, 1000.0])
    assert found.at(moments)[0, :, 0].tolist() == [80.0, 80.0, 94.0, 94.0, 90.0, 90.0]
    assert (found.start, found.end.tolist()) == (10.0, [30.0])


def test_black_box_run_with_an_unknown_accuracy_is_left_out(looked_up):
    looked_up.black_box("bohb", [(10.0, CELLS[2])], seconds=30.0, seed=0)
    looked_up.black_box("bohb", [(10.0, CELLS[3])], seconds=30.0, seed=1)
    looked_up.black_box("reinforce", [(10.0, CELLS[3])], seconds=30.0)
    (found,) = _black_box(looked_up)
    assert (found.method, len(found.runs)) == ("bohb", 1)


def test_runs_are_taken_in_the_order_of_seeds_up_to_the_first_unknown_accuracy(looked_up):
    """To pick the complete ones among all would favour searches that asked for little."""
    for seed, cell in ((3, CELLS[0]), (1, CELLS[2]), (0, CELLS[1]), (2, CELLS[3])):
        looked_up.black_box("bohb", [(10.0, cell)], seconds=30.0, seed=seed)
    (found,) = _black_box(looked_up)
    assert found.at(np.array([30.0])).ravel().tolist() == [90.0, 80.0]


def test_method_without_queries_holds_its_choice_from_the_start(looked_up):
    looked_up.black_box("random-cell", [], seconds=0.0, choice=CELLS[0])
    (found,) = _black_box(looked_up)
    assert (found.start, found.at(np.array([0.0, 5.0])).ravel().tolist()) == (0.0, [94.0, 94.0])


def test_weight_sharing_holds_the_cell_of_each_epoch_from_its_end(looked_up):
    looked_up.run(cells=(CELLS[1], CELLS[0]))  # a thousand images an epoch
    looked_up.run("gdas", counted=False)
    report = looked_up.report()
    curves = covered(read(looked_up.store, report.runs, report.accuracies, report.methods))
    assert [curve.method for curve in curves] == ["darts", "gdas"]
    (found,) = traces.weight_sharing(curves)  # the other does not count them
    assert not found.simulated
    assert found.at(np.array([1.0, 1.9, 2.0]))[0, :, 0].tolist() == [90.0, 90.0, 94.0]
    assert found.end.tolist() == [2.0]


def test_mean_begins_when_the_last_search_holds_a_cell():
    steps = [Trace(np.array([start, 10.0]), np.array([[1.0], [2.0]])) for start in (1.0, 4.0)]
    assert Traces("bohb", True, tuple(steps)).start == 4.0
