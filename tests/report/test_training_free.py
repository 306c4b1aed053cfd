"""Rank correlations and the best of N, on cases for pen and paper; the command that computes scores once."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from harness.benchmarks import BENCHMARKS, NASBench201
from harness.benchmarks.nasbench201.network import NASBench201Network
from harness.cli import main
from harness.commands.scores import NAMES
from harness.experiment.training_free import sample
from harness.report import training_free
from harness.report.figures.training_free import correlation


def scored(x, accuracy, name="a"):
    texts = [f"cell {number}" for number in range(len(x))]
    scores = pd.DataFrame({"score": name, "architecture": texts, "value": x})
    known = pd.DataFrame({"architecture": texts, "dataset": "d", "split": "test", "value": accuracy})
    return training_free.joined(scores, known)


def test_rank_correlations_are_those_of_the_ranks():
    """Of the six pairs of (1, 2, 3, 4) and (1, 3, 2, 4) five are in order; 1 - 6 (1 + 1) / (4 (16 - 1)) = 0.8."""
    (row,) = training_free.correlations(scored([1, 2, 3, 4], [1, 3, 2, 4])).itertuples(index=False)
    assert (row.n, row.spearman, row.kendall) == (4, pytest.approx(0.8), pytest.approx((5 - 1) / 6))
    (row,) = training_free.correlations(scored([4, 3, 2, -np.inf], [1, 2, 3, 4])).itertuples(index=False)
    assert (row.spearman, row.low, row.high) == pytest.approx((-1, -1, -1))


def test_the_interval_covers_the_correlation_and_shrinks():
    rng = np.random.default_rng(0)
    widths = []
    for n in (30, 300):
        x = rng.normal(size=n)
        (row,) = training_free.correlations(scored(x, x + rng.normal(size=n))).itertuples(index=False)
        assert row.low < row.spearman < row.high
        widths.append(row.high - row.low)
    assert widths[0] > 2 * widths[1]


def test_the_best_of_n_is_an_order_statistic():
    """With a perfect score over 1, ..., 9: P(best of N <= k) = (k / 9)^N. A constant score takes the first drawn."""
    values = np.arange(1.0, 10)
    best = training_free.best_of(scored(values, values), sizes=(1, 3), searches=20_000).set_index("N")
    for size in (1, 3):
        cumulative = (np.arange(10) / 9) ** size
        expected = values @ np.diff(cumulative)
        assert best.loc[size, "mean"] == pytest.approx(expected, abs=0.06)
        spread = np.sqrt((values - expected) ** 2 @ np.diff(cumulative))
        assert best.loc[size, "std"] == pytest.approx(spread, abs=0.06)
    constant = training_free.best_of(scored(np.zeros(9), values), sizes=(9, 10), searches=20_000)
    assert constant["N"].item() == 9
    assert constant["mean"].item() == pytest.approx(5, abs=0.06)


def test_the_figure_has_a_panel_for_every_dataset():
    found = training_free.correlations(pd.concat([scored([1, 2, 3], [1, 2, 3]), scored([3, 2, 1], [1, 2, 3], "b")]))
    both = pd.concat([found, found.assign(dataset="e")])
    figure = correlation(both, "title")
    assert [axes.get_title() for axes in figure.axes] == ["d, test", "e, test"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_a_larger_sample_begins_with_the_smaller_one_and_reaches_every_cell():
    space = NASBench201()
    assert sample(space, 20)[:5] == sample(space, 5)
    assert set(sample(space, 5**6)) == set(product(space.operations, repeat=6))
    with pytest.raises(ValueError, match="15625 architectures, 15626 were asked for"):
        sample(space, 5**6 + 1)
    darts = BENCHMARKS["darts"].full_space
    assert len(set(sample(darts, 30))) == 30


def small_network(arch, classes, affine):
    return NASBench201Network(arch, 2, 1, classes, affine)


def test_scores_are_computed_once_and_reported(tmp_path, monkeypatch):
    words = ["scores", "--dataset", "digits", "--scores", "synflow,naswot", "--figures", "svg"]
    words += ["--results", str(tmp_path)]
    small = BENCHMARKS["nasbench201"]

    monkeypatch.setattr(type(small), "untrained", lambda _, *network: small_network(*network))
    assert main([*words, "--cells", "10"]) == 0
    (file,) = (tmp_path / "training-free").iterdir()
    first = pd.read_csv(file)
    assert len(first) == 20
    assert main([*words, "--cells", "11"]) == 0
    again = pd.read_csv(file)
    pd.testing.assert_frame_equal(again.iloc[:20], first)  # the measured seconds, too
    assert len(again) == 22
    assert "## Rank correlation" in (tmp_path / "tables" / "training-free.md").read_text()
    best = pd.read_csv(tmp_path / "tables" / "training-free-best-of-n.csv")
    assert set(best["cells"]) == {11}
    assert (tmp_path / "figures" / "training-free.svg").exists()


def test_bad_input_is_one_line(tmp_path, capsys):
    common = ["--dataset", "digits", "--results", str(tmp_path)]
    assert main(["scores", "--scores", "synflaw", *common]) == 2
    assert "no score 'synflaw'; known: synflow" in capsys.readouterr().err
    assert main(["scores", "--space", "darts", *common]) == 2
    assert "darts has no accuracies" in capsys.readouterr().err


def test_the_names_of_the_command_are_those_of_the_scores():
    from harness.evaluate.training_free import SCORES

    assert tuple(SCORES) == NAMES
