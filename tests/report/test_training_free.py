"""Rank correlations and the best of N, on cases for pen and paper; the command that computes scores once."""

from itertools import product
from threading import Thread

import numpy as np
import pandas as pd
import pytest

import run_all
from harness import plugins
from harness.benchmarks import BENCHMARKS, NASBench201
from harness.benchmarks.nasbench201.benchmark import NASBench201Benchmark
from harness.benchmarks.nasbench201.network import NASBench201Network
from harness.cli import main
from harness.experiment import schema
from harness.experiment.claims import Claim
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.experiment.training_free import sample
from harness.report import gather, training_free
from harness.report.figures import gallery
from harness.report.figures.training_free import correlation
from harness.report.published import load
from tests.report.conftest import CELLS, PUBLISHED


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


def test_published_values_are_those_of_the_same_number_of_cells():
    known = pd.DataFrame({"score": "naswot", "dataset": "cifar10", "split": "test", "N": [10, 100, 1000]})
    frame = training_free.with_published(known, load(PUBLISHED), "nasbench201", "cifar10")
    assert frame["published"].tolist() == [92.44, 92.81, 92.96]  # Mellor et al., Table 2
    assert frame["published_std"].tolist() == [1.13, 0.99, 0.81]
    assert frame["published_n"].tolist() == [500] * 3
    for other in (known.assign(score="synflow"), known.assign(split="ori-test")):
        assert training_free.with_published(other, load(PUBLISHED), "nasbench201", "cifar10")["published"].isna().all()
    assert training_free.with_published(known, load(PUBLISHED), "nasbench201", "digits")["published"].isna().all()


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
    with pytest.raises(ValueError, match="15625 different architectures were found, 15626 were asked for"):
        sample(space, 5**6 + 1)
    darts = BENCHMARKS["darts"].full_space
    assert len(set(sample(darts, 30))) == 30


def test_a_space_whose_architectures_are_not_counted_is_exhausted_after_many_draws():
    class Few(NASBench201):
        categories = ()

        def random(self, rng):
            return super().random(np.random.default_rng(int(rng.integers(3))))

    assert len(set(sample(Few(), 3))) == 3
    with pytest.raises(ValueError, match="3 different architectures were found, 4 were asked for"):
        sample(Few(), 4)


def small_network(arch, _, classes, affine):
    return NASBench201Network(arch, 2, 1, classes, affine)


@pytest.fixture
def words(tmp_path, monkeypatch):
    """The command on small networks, without figures."""
    monkeypatch.setattr(NASBench201Benchmark, "untrained", lambda _, *network: small_network(*network))
    return ["scores", "--dataset", "digits", "--cells", "5", "--figures", "none", "--results", str(tmp_path)]


def test_scores_are_computed_once_and_reported(tmp_path, words):
    words += ["--scores", "synflow,naswot", "--figures", "svg"]
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


def test_values_of_another_version_or_size_are_other_scores(tmp_path, words, monkeypatch):
    """They are neither used nor lost."""
    words += ["--scores", "synflow"]
    assert main(words) == 0
    (file,) = (tmp_path / "training-free").iterdir()
    first = pd.read_csv(file)
    assert first[["version", "channels", "cells"]].drop_duplicates().values.tolist() == [[1, 16, 5]]
    other = first.assign(value=np.arange(5.0))
    for column in ("version", "channels", "cells"):
        other.assign(**{column: first[column] + 1}).to_csv(file, index=False)
        assert main(words) == 0
        known = pd.read_csv(file)
        assert known["value"][:5].tolist() == other["value"].tolist()
        assert known["value"][5:].tolist() == first["value"].tolist()
    monkeypatch.setattr(plugins.load(built_in()["synflow"]), "version", 2)
    assert main(words) == 0
    assert pd.read_csv(file)["version"].tolist() == [1] * 10 + [2] * 5


def test_a_file_without_versions_is_refused_and_kept(tmp_path, words, capsys):
    assert main([*words, "--scores", "synflow"]) == 0
    (file,) = (tmp_path / "training-free").iterdir()
    pd.read_csv(file).drop(columns=["version", "channels", "cells"]).to_csv(file, index=False)
    before = file.read_bytes()
    assert main([*words, "--scores", "synflow"]) == 2
    assert "move it away" in capsys.readouterr().err
    assert file.read_bytes() == before


def test_processes_that_score_at_once_lose_nothing(tmp_path, words, monkeypatch):
    """One scores by synflow; while it does, another one by naswot begins and ends."""
    inner = []

    def untrained(_, *network):
        if not inner:
            inner.append(None)
            inner.append(main([*words, "--scores", "naswot,synflow"]))
        return small_network(*network)

    monkeypatch.setattr(NASBench201Benchmark, "untrained", untrained)
    monkeypatch.setattr("harness.experiment.training_free.EVERY", 0.0)
    assert main([*words, "--scores", "synflow"]) == 0
    assert inner == [None, 0]
    (file,) = (tmp_path / "training-free").iterdir()
    assert pd.read_csv(file)["score"].tolist() == ["naswot"] * 5 + ["synflow"] * 5


def test_scores_are_added_by_one_process_at_a_time(tmp_path, words):
    assert main([*words, "--scores", "synflow"]) == 0
    (file,) = (tmp_path / "training-free").iterdir()
    before, claim = file.read_bytes(), tmp_path / "claims" / f"training-free-{file.stem}"
    with Claim(claim) as acquired:
        assert acquired
        other = Thread(target=main, args=([*words, "--scores", "naswot"],))
        other.start()
        other.join(0.5)
        assert other.is_alive()
        assert file.read_bytes() == before
    other.join()
    assert len(pd.read_csv(file)) == 10
    assert not list((tmp_path / "claims").iterdir())


def test_bad_input_is_one_line(tmp_path, capsys):
    common = ["--dataset", "digits", "--results", str(tmp_path)]
    assert main(["scores", "--scores", "synflaw", *common]) == 2
    assert "no score 'synflaw'; known: synflow" in capsys.readouterr().err
    assert main(["scores", "--space", "darts", *common]) == 2
    assert "darts has no accuracies" in capsys.readouterr().err
    assert main(["scores", "--space", "nasbench1shot1-1", *common]) == 2
    assert "no network in plain modules" in capsys.readouterr().err


# As methods -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed, mean, seconds", [({"cells": 100}, 92.81, 30.01), ({"cells": 50}, 92.96, 306.19)])
def test_published_rows_of_other_settings_stand_next_to_ours(results, changed, mean, seconds):
    """The row of the same N, else that of the default; overrides are never compared."""
    results.run("naswot", settings=changed, changed=changed, images="reordered")
    results.look_up({(CELLS[0], "cifar10", "test"): 92.0})
    (row,) = results.report().leaderboard.itertuples()
    assert (row.published, row.published_n, row.verdict) == (mean, 500, "not comparable")
    assert results.report().costs[0].published.mean == seconds


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Two seeds of two scores of 12 cells."""
    results = tmp_path_factory.mktemp("searched")
    words = ["--methods", "naswot,synflow", "--seeds", "2", "--jobs", "1", "--figures", "none"]
    words += ["--set", "naswot.cells=12", "--set", "synflow.cells=12", "--set", "protocol.channels=2"]
    assert run_all.main([*words, "--set", "protocol.cells=1", "--results", str(results)]) == 0
    return results


def test_training_free_methods_are_rows_of_the_leaderboard(searched):
    rows = pd.read_csv(searched / "tables" / "leaderboard.csv")
    of_method = dict(list(rows.groupby("method")))
    naswot = of_method["naswot [cells=12, channels=2, protocol.cells=1]"]
    assert set(naswot["family"]) == {"training-free"}
    assert set(naswot["n"]) == {2}
    assert set(naswot["verdict"]) == {"not comparable"}
    x_valid = naswot[(naswot["dataset"] == "cifar10") & (naswot["split"] == "x-valid")]
    assert x_valid["published"].tolist() == [89.69]  # N = 1000


def test_their_searches_are_in_the_figures_and_on_the_page(searched):
    store = Store(searched)
    report = gather(store, list(built_in()), PUBLISHED)
    drawn = {drawing.name.partition("-nasbench201")[0]: drawing for drawing in gallery.describe(report, store)}
    assert {"passes", "regret-by-passes", "final"} <= drawn.keys()
    assert not {"entropy", "theta", "supernet"} & drawn.keys()
    spent = {one.method.partition(" ")[0]: one for one in drawn["passes"].values["methods"]}
    assert max(spent["naswot"].end) == 12 * 128 / 1000
    assert max(spent["synflow"].end) == 12 * 2 / 1000
    assert [cost.passes for cost in report.costs] == [12 * 2, 12 * 128]  # the same in the column of costs
    assert store.warnings == []
    page = (searched / "leaderboard.html").read_text()
    assert "Training-free, searched on digits" in page


def test_all_scores_are_stored_and_the_best_of_them_is_the_result(searched):
    records = [record for record in Store(searched).records() if record["config"]["kind"] == "training-free"]
    assert len(records) == 4
    for record in records:
        arrays = Store(searched).arrays(record["key"])
        assert record["scored"] == (arrays["scored"] != "").sum() == 12
        assert record["score"] == np.nanmax(arrays["scores"])
        assert record["cells"]["last"] == arrays["cells"][-1]
        with pytest.raises(ValueError, match="scored"):
            schema.check({name: value for name, value in record.items() if name != "scored"})
