"""Regret, hits and classes by hand."""

import pandas as pd
import pytest

from harness.benchmarks.base import RANK_COLUMNS, Evaluator
from harness.report import regret
from harness.report.accuracies import with_ranks

CONV = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"
SKIP = "|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
DEAD = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def finals(cells, values):
    rows = [
        {"method": "m", "space": "nasbench201", "profile": "paper", "searched_on": "cifar10", "seed": seed}
        | {"selection": "last", "dataset": "cifar10", "split": "test", "cell": cell, "value": value, "table": "t"}
        for seed, (cell, value) in enumerate(zip(cells, values, strict=True))
    ]
    return pd.DataFrame(rows)


def accuracies(**values):
    rows = [
        {"space": "nasbench201", "cell": cell, "dataset": "cifar10", "split": "test", "value": value, "table": "t"}
        for cell, value in values.items()
    ]
    return pd.DataFrame(rows)


def test_regret_is_against_the_best_of_the_table():
    found = regret.of_runs(finals([CONV, SKIP], [94.0, 90.0]), accuracies(**{CONV: 94.0, SKIP: 90.0, "best": 94.5}))
    assert list(found["regret"]) == [0.5, 4.5]
    assert not found["hit"].any()


def test_a_benchmark_may_say_from_where_regret_counts():
    """The published constants of NAS-Bench-1Shot1, whatever the best looked-up cell is."""
    cell = "conv3x3-bn-relu~0|conv3x3-bn-relu~0+1|conv1x1-bn-relu~1+2|conv3x3-bn-relu~0+3|output~0+4"
    space = "nasbench1shot1-1"
    rows, known = finals([cell], [93.0]).assign(space=space), accuracies(**{cell: 93.0}).assign(space=space)
    (row,) = regret.of_runs(rows, known).itertuples()
    assert row.regret == pytest.approx(100 - 5.4487 - 93, abs=1e-4)
    assert not row.hit
    assert regret.optimum(space, "cifar10", "held-out") is None
    assert regret.optimum("nasbench201", "cifar10", "test") is None


def test_a_hit_has_the_best_accuracy():
    found = regret.of_runs(finals([CONV, SKIP, CONV], [94.0, 90.0, 94.0]), accuracies(**{CONV: 94.0, SKIP: 90.0}))
    summary = regret.summary(found).iloc[0]
    assert (summary["n"], summary["cells"]) == (3, 2)
    assert summary["hit_rate"] == pytest.approx(2 / 3)
    assert summary["regret"] == pytest.approx(4 / 3)


class Complete(Evaluator):
    """A table of three cells, one of them unknown to the report."""

    sha256 = "t" + "0" * 63

    def scores(self, architectures):
        raise AssertionError("a rank needs no scores")

    def ranks(self, architectures):
        known = {CONV: 2, SKIP: 3}
        return pd.DataFrame([(cell, "cifar10", "test", known[cell], 3) for cell in architectures], columns=RANK_COLUMNS)


def test_cells_are_ranked_by_the_complete_table_that_the_number_is_from():
    rows = finals([CONV, SKIP, CONV], [94.0, 90.0, 94.0]).assign(table="t" + "0" * 11)
    ranked = with_ranks(rows, [("nasbench201", Complete())])
    found = regret.of_runs(ranked, accuracies(**{CONV: 94.0, SKIP: 90.0}).assign(table="t" + "0" * 11))
    assert list(found["rank"]) == [2, 3, 2]
    assert set(found["rank_of"]) == {3}


def test_no_cell_is_ranked_by_another_table_or_without_one():
    rows = finals([CONV, SKIP], [94.0, 90.0])
    for tables in ([], [("nasbench201", Complete())], [("darts", Complete())]):
        ranked = with_ranks(rows, tables)
        assert list(ranked["value"]) == [94.0, 90.0]
        assert ranked["rank"].isna().all()
        assert regret.of_runs(ranked, accuracies(**{CONV: 94.0, SKIP: 90.0}))["rank"].isna().all()


def test_isomorphic_cells_are_one_class():
    """Edges out of a zero node do not matter."""
    other = "|none~0|+|none~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
    found = regret.of_runs(finals([DEAD, other], [54.0, 54.0]), accuracies(**{DEAD: 54.0, other: 54.0}))
    assert regret.summary(found)["classes"].item() == 1
    assert regret.summary(found)["cells"].item() == 2


def test_without_the_best_cell_regret_counts_only_from_an_optimum_of_the_benchmark(results):
    for space in ("nasbench1shot1-1", "nasbench201"):
        results.run(space=space, cells=("other", "cell"))
        results.look_up({("cell", "cifar10", "test"): 93.0}, space=space, has_best=False)
    assert set(results.report().regrets["space"]) == {"nasbench1shot1-1"}
