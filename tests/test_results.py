"""Searches from Python."""

import numpy as np
import pandas as pd
import pytest

import harness

SMALL = {"protocol.epochs": 2, "protocol.channels": 2, "protocol.batch_size": 64}


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    settings = {**SMALL, "darts.lr": [0.1, 0.2]}
    return harness.run(["gaea-darts-erm", "darts"], seeds=1, settings=settings, results=folder, jobs=1)


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
