"""Search on the table: what a query costs, when a search ends, what it answers."""

from collections import Counter

import numpy as np
import pytest

from harness.benchmarks import NASBench201
from harness.benchmarks.base import Signal
from harness.benchmarks.nasbench201.simulation import queried_epochs, queries, trials_averaged
from harness.benchmarks.nasbench201.space import all_cells
from harness.benchmarks.nasbench201.table import Table, cell_numbers, open_table
from harness.benchmarks.nasbench201.table.metrics import Cost
from harness.experiment.config import label
from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import benchmark_of, select
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
        queries(open_table())(("conv",) * 6, None)
    with pytest.raises(ValueError, match="has nothing to query"):
        simulate(asking([CELLS[0]]), nothing, 10)
    with pytest.raises(ValueError, match="is too small for a query"):
        simulate(asking([CELLS[0]]), ANSWERS, 1)
    with pytest.raises(ValueError, match="returned no cell"):
        simulate(asking([]), ANSWERS, 100)


def test_the_bundled_table_offers_200_epochs_at_the_price_of_12():
    table = open_table()
    assert (queried_epochs(table), trials_averaged(table)) == (200, 1)
    cell = NASBench201().random(np.random.default_rng(0))
    accuracy, price = queries(table)(cell, None)
    numbers = cell_numbers([cell])
    assert accuracy == table.accuracy(numbers, "cifar10", "x-valid", 200)[0][0]
    epoch = table.train_seconds(numbers, "cifar10", 200)[0] / 200
    assert price == pytest.approx((12 + 0.37) * epoch), "12 epochs and an evaluation"


def test_a_query_returns_each_of_the_trials_equally_often():
    table = open_table()
    for cell in (CELLS[3], next(cell for cell in all_cells() if np.isnan(trials_of(table, cell)).any())):
        trials = [value for value in trials_of(table, cell) if not np.isnan(value)]
        assert len(set(trials)) == len(trials)
        rng = np.random.default_rng(0)
        counts = Counter(queries(table)(cell, rng).accuracy for _ in range(3000))
        assert set(counts) == set(trials)
        assert min(counts.values()) > 3000 / len(trials) - 4 * np.sqrt(3000 * 0.25)
        assert queries(table)(cell, None).accuracy == pytest.approx(np.mean(trials))


def trials_of(table, cell):
    return table.trial_accuracies(cell_numbers([NASBench201().to_string(cell)]), "cifar10", "x-valid")[0]


def test_seconds_of_an_evaluation_are_the_tables_own_if_it_has_them():
    table = open_table()
    own = Cost("evaluation_seconds", "cifar10")
    with_them = Table("a test", table.accuracies, {**table.costs, own: np.arange(15625.0)})
    training = table.train_seconds([7], "cifar10", 12)[0]
    assert queries(with_them)(list(all_cells())[7], None).seconds == pytest.approx(training + 7)


def test_a_table_with_means_after_12_epochs_offers_those(full):
    assert (queried_epochs(full), trials_averaged(full)) == (12, 2)
    means = full.accuracy(np.arange(15625), "cifar10", "x-valid", 12)[0]
    query, rng = queries(full), np.random.default_rng(0)
    for number, cell in zip(range(5), all_cells(), strict=False):
        assert query(cell, rng).accuracy == query(cell, None).accuracy == means[number]
    # About 105 queries in 12,000 s.
    assert 12_000 / np.mean([query(cell, rng).seconds for cell in all_cells()]) == pytest.approx(106, abs=1)


@pytest.mark.parametrize("overrides", [[], ["protocol.mean_of_trials=true"]])
def test_the_mean_of_trials_is_an_override_that_names_the_row(tmp_path, overrides):
    entries = select("random-search", benchmark_of("nasbench201")).entries
    (job,) = plan(entries, "nasbench201", "paper", ["cifar10"], [0], overrides, tmp_path, None)
    table = open_table()
    outcome = job.begin(Machine(tmp_path, tmp_path, None, "cpu", 1, None, None)).outcome({})
    for _, _, text, accuracy in outcome["improvements"]:
        number = cell_numbers([text])
        trials = table.trial_accuracies(number, "cifar10", "x-valid")[0]
        assert (accuracy == table.accuracy(number, "cifar10", "x-valid")[0][0]) == bool(overrides)
        assert (accuracy in trials) == (not overrides)
    row = label({"config": job.config, "provenance": {"dirty": False}})
    assert ("mean_of_trials=true" in row.details) == bool(overrides)
