"""Searches from Python."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness

SMALL = {"protocol.epochs": 2, "protocol.channels": 2, "protocol.batch_size": 64}
FEW_IMAGES = {"dataset": f"{Path(__file__).with_name('stripes.py')}:load", "retrain": "none"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    settings = {**SMALL, "darts.lr": [0.1, 0.2]}
    return harness.run(
        ["gaea-darts-erm", "darts"], seeds=1, settings=settings, controls="none", results=folder, jobs=1, **FEW_IMAGES
    )


def test_searches_give_data_frames(searched, capsys):
    assert capsys.readouterr().out == ""
    board = searched.leaderboard
    assert sorted({name.partition(" ")[0] for name in board["method"]}) == ["darts", "gaea-darts-erm"]
    assert set(board["n"]) == {1}
    assert len(board["method"].unique()) == 3
    searches = searched.searches.query("selection == 'last' and dataset == 'cifar10'")
    assert len(searches) == 3
    means = searches.groupby("method")["value"].mean()
    expected = board.query("selection == 'last' and dataset == 'cifar10'").set_index("method")["mean"]
    pd.testing.assert_series_equal(means.sort_index(), expected.sort_index(), check_names=False, rtol=1e-5)
    assert searched.failures == []
    assert "3 searches of 3 methods" in repr(searched)


def test_epochs(searched):
    epochs = searched.epochs
    assert len(epochs) == 6
    assert epochs.groupby(["method", "seed"])["epoch"].apply(list).tolist() == [[1, 2]] * 3
    assert epochs["entropy"].between(0, np.log(5)).all()
    assert (epochs["multiply_adds"] > 0).all()
    assert (epochs[epochs["epoch"] == 2]["cell"].isin(set(searched.searches["cell"]))).all()


def test_a_number_is_traced_to_its_record(searched):
    search = searched.searches.query("selection == 'last' and dataset == 'cifar10'").iloc[0]
    record = searched.record(search["key"][:12])
    assert record["key"] == search["key"]
    assert record["cells"]["last"] == search["cell"]
    assert search["regret"] >= 0
    arrays = searched.arrays(search["key"])
    assert arrays["cells"][-1] == search["cell"]
    assert arrays["theta"].shape == (2, 6, 4)
    with pytest.raises(ValueError, match=r"3 records of .* begin with ''"):
        searched.record("")
    with pytest.raises(ValueError, match=r"0 records of .* begin with 'x'"):
        searched.arrays("x")


def test_why_a_published_value_is_not_comparable(searched):
    reasons = searched.leaderboard.set_index("verdict")["reasons"]
    assert set(reasons["no published value"]) == {""}
    assert all("quick profile" in reason for reason in reasons.get("not comparable", pd.Series(dtype=str)))


def test_a_figure_by_its_name(searched):
    assert "entropy" in searched.figure("entropy").get_supylabel()
    with pytest.raises(ValueError, match=r"no figure 'sunset'; there are .*entropy-"):
        searched.figure("sunset")


def test_nothing_is_shown_in_a_notebook_either(searched, monkeypatch, capsys):
    shown = []
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *_: shown.append(1))
    again = {
        "seeds": 1,
        "settings": {**SMALL, "darts.lr": 0.1},
        "results": searched.folder,
        "controls": "none",
        **FEW_IMAGES,
    }
    harness.run("darts", **again)
    assert capsys.readouterr().out == ""
    harness.run("darts", **again, quiet=False)
    assert "1 run: 1 done" in capsys.readouterr().out
    assert shown == []


def test_a_comparison_is_a_frame(searched):
    (found,) = searched.compare("gaea-darts-erm", "darts [batch_size=64, channels=2, epochs=2, lr=0.1]").query(
        "dataset == 'cifar10'"
    )["n_first"]
    assert found == 1
    with pytest.raises(ValueError, match="several rows are called darts"):
        searched.compare("gaea-darts-erm", "darts")


def test_what_cannot_be_run_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="did you mean darts"):
        harness.run("dartz", results=tmp_path)
    with pytest.raises(ValueError, match="invalid choice: 'slow'"):
        harness.run("darts", profile="slow", results=tmp_path)
    with pytest.raises(ValueError, match="no results folder"):
        harness.Results(tmp_path / "nowhere")
    with pytest.raises(AttributeError):
        _ = harness.walk


def test_a_list_of_one_seed_names_it(tmp_path):
    found = harness.run("darts", [3], settings=SMALL, controls="none", results=tmp_path, jobs=1, **FEW_IMAGES)
    assert set(found.searches["seed"]) == {3}
