"""Search on the table: what a query costs, when a search ends, what it answers."""

import numpy as np
import pytest

from harness.benchmarks import NASBench201
from harness.benchmarks.base import Signal
from harness.benchmarks.nasbench201.simulation import queries, signal_epochs, signals
from harness.benchmarks.nasbench201.space import all_cells
from harness.benchmarks.nasbench201.table import Table, cell_numbers, open_table
from harness.search.queries import nothing, simulate

CELLS = list(all_cells())[:5]
ANSWERS = {cell: Signal(50.0 + place, 10.0 * (place + 1)) for place, cell in enumerate(CELLS)}.__getitem__


def asking(cells, choice=None):
    for cell in cells:
        assert isinstance((yield cell), float)
    return choice


def test_every_query_is_paid_a_repeated_one_too_and_the_one_beyond_the_budget_does_not_count():
    found = simulate(asking([CELLS[0], CELLS[0], CELLS[2], CELLS[4]]), ANSWERS, budget_seconds=99)
    assert (found.queries, found.seconds, found.cell) == (3, 50.0, CELLS[2])
    assert [(step.query, step.seconds, step.accuracy) for step in found.improvements] == [(1, 10, 50), (3, 50, 52)]
    assert simulate(asking([CELLS[0], CELLS[4]]), ANSWERS, budget_seconds=60).queries == 2  # spent to the last second


def test_the_first_of_equal_cells_wins():
    tie = {CELLS[0]: Signal(50.0, 1.0), CELLS[1]: Signal(50.0, 1.0)}.__getitem__
    assert simulate(asking([CELLS[1], CELLS[0]]), tie, 10).cell == CELLS[1]


def test_a_method_may_choose_and_need_not_ask():
    assert simulate(asking(CELLS, choice=CELLS[1]), ANSWERS, 1e6).cell == CELLS[1]
    assert simulate(asking([], choice=CELLS[3]), ANSWERS, 1e6) == simulate(asking([], choice=CELLS[3]), ANSWERS, 1.0)


def test_what_cannot_be_answered_is_an_error():
    with pytest.raises(ValueError, match="not a cell of the table"):
        simulate(asking([("conv",) * 6]), queries(open_table()), 10)
    with pytest.raises(ValueError, match="has nothing to query"):
        simulate(asking([CELLS[0]]), nothing, 10)
    with pytest.raises(ValueError, match="is too small for a query"):
        simulate(asking([CELLS[0]]), ANSWERS, 1)
    with pytest.raises(ValueError, match="returned no cell"):
        simulate(asking([]), ANSWERS, 100)


def test_the_bundled_table_offers_200_epochs_at_the_price_of_12():
    table = open_table()
    assert signal_epochs(table) == 200
    space = NASBench201()
    cell = space.random(np.random.default_rng(0))
    accuracy, price = queries(table)(cell)
    numbers = cell_numbers([cell])
    assert accuracy == table.accuracy(numbers, "cifar10", "x-valid", 200)[0][0]
    assert price == pytest.approx(table.train_seconds(numbers, "cifar10", 200)[0] * 12 / 200)


def test_a_table_with_12_epochs_offers_those(test_data, tmp_path):
    from harness.benchmarks.nasbench201.table.convert import main as convert

    path = tmp_path / "table.npz"
    assert convert([str(test_data / "nasbench201" / "nasbench201.csv.gz"), str(path)]) == 0
    table = Table.load(path)
    answers = signals(table)
    assert signal_epochs(table) == 12
    best = max(answers, key=lambda cell: answers[cell].accuracy)
    assert answers[best].accuracy == table.accuracy(np.arange(15625), "cifar10", "x-valid", 12)[0].max()
