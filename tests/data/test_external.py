"""A user's own dataset."""

import importlib
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import run_all
from harness.cli import main
from harness.data import load
from harness.experiment.store import Store

STRIPES = Path(__file__).parents[1] / "stripes.py"


def test_a_function_makes_a_dataset():
    data = load(f"{STRIPES}:load", Path())
    assert (data.name, data.classes, len(data.train), len(data.test)) == ("stripes", 2, 64, 32)
    assert data.mean[0] == pytest.approx(float(data.train.pixels.double().mean()))
    assert len(data.mean) == 1


@pytest.mark.parametrize(
    "name, message",
    [
        ("three", "must be four arrays"),
        ("floats", "must be uint8"),
        ("broken", "raised RuntimeError: no stripes today"),
        ("absent", "has no function absent"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(name, message):
    with pytest.raises(ValueError, match=message):
        load(f"{STRIPES}:{name}", Path())


def test_a_search_on_it_from_the_command_line(tmp_path):
    words = ["--methods", "darts,gaea-darts-erm", "--seeds", "1", "--dataset", f"{STRIPES}:load", "--retrain", "none"]
    words += ["--figures", "none"]
    small = ["--set", "protocol.epochs=2", "--set", "protocol.channels=2", "--results", str(tmp_path), "--jobs", "1"]
    assert run_all.main([*words, *small]) == 0
    datasets = [record["config"]["dataset"] for record in Store(tmp_path).records()]
    assert {(dataset["name"], dataset["origin"]) for dataset in datasets} == {("stripes", "external")}
    assert (
        f"searched on external:stripes@{datasets[0]['sha256'][:8]}"
        in (tmp_path / "tables" / "leaderboard.md").read_text()
    )


SMALL = ["--set", "protocol.epochs=1", "--set", "protocol.channels=2", "--figures", "none", "--jobs", "1"]


@pytest.mark.parametrize("space, words", [("nasbench201", []), ("darts", ["--set", "protocol.cells=2"])])
def test_architectures_are_retrained_on_it(tmp_path, capsys, monkeypatch, space, words):
    short = {"nasbench201": ("nasbench201.recipes", "SHORT"), "darts": ("darts.recipes", "DIGITS")}[space]
    module = importlib.import_module(f"harness.benchmarks.{short[0]}")
    brief = replace(getattr(module, short[1]), epochs=1, channels=2, cells=1 if space == "nasbench201" else 3)
    monkeypatch.setattr(module, short[1], brief)
    words = [*words, "--methods", "darts,random-cell", "--seeds", "1", "--space", space, *SMALL]
    words = [*words, "--set", "darts.protocol.batch_size=32"]
    assert run_all.main([*words, "--dataset", f"{STRIPES}:load", "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert ("random-cell: on the table, which has cifar10" in printed) == (space == "nasbench201")
    board = pd.read_csv(tmp_path / "tables" / "leaderboard.csv")
    own = board[board["dataset"].str.startswith("external:stripes@")]
    assert sorted(own["method"].str.partition(" ")[0]) == ["darts", "random-cell"]
    assert set(own["metric"]) == {"test_error"}
    trainings = [r for r in Store(tmp_path).records() if r["config"]["kind"] == "retraining"]
    assert {r["config"]["dataset"]["name"] for r in trainings} == {"stripes"}
    assert all("dataset" in r["provenance"]["sources"] for r in trainings)
    assert f"On {own['dataset'].iloc[0]}" in " ".join(printed.split())
    assert (
        main(["compare", "darts,random-cell", "--space", space, "--figures", "none", "--results", str(tmp_path)]) == 0
    )
    assert "external:stripes@" in (tmp_path / "tables" / "comparison.csv").read_text()


def test_a_cell_is_retrained_on_it(tmp_path, capsys):
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    words = ["retrain", "--space", "nasbench201", "--cell", cell, "--dataset", f"{STRIPES}:load", "--channels", "2"]
    assert main([*words, "--epochs", "1", "--results", str(tmp_path)]) == 0
    (record,) = Store(tmp_path).records()
    assert record["config"]["protocol"]["id"] == "nasbench201/retraining/own images, short"
    assert main([*words, "--recipe", "full", "--epochs", "1", "--cells", "1", "--results", str(tmp_path)]) == 0
    assert len(Store(tmp_path).records()) == 2
    assert main([*words, "--drop-path", "0.1", "--results", str(tmp_path)]) == 2
    assert "knows no drop_path" in capsys.readouterr().err
    assert main(["retrain", "--cell", "DARTS_V2", "--dataset", "mnist", "--results", str(tmp_path)]) == 2
    assert "has no recipe for dataset 'mnist'; known: digits" in capsys.readouterr().err
