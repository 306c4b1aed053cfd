"""A user's own dataset."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import run_all
from harness.cli import main
from harness.data import external, load
from harness.experiment.store import Store
from tests import stripes

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


def changed(what, make):
    """The stripes, with one of the four arrays replaced."""
    arrays = list(stripes.load(None))
    place = ["train pixels", "train labels", "test pixels", "test labels"].index(what)
    arrays[place] = make(arrays[place])
    return arrays


UNUSABLE = {
    "all training images are of one class, and a classifier needs two": changed("train labels", np.zeros_like),
    "labels must be 0 to 1, as the training images have 2 classes; training images have 2": (
        changed("train labels", lambda labels: labels + 1)
    ),
    "training images: labels must be one non-negative integer per image": (
        changed("train labels", lambda labels: 2**64 - 1 - labels.astype(np.uint64))
    ),
    "2 classes; test images have 2": changed("test labels", lambda labels: labels + 1),
    "training images: labels must be one non-negative integer": changed("train labels", lambda labels: labels - 1),
    "test images: labels must be one non-negative integer": changed("test labels", lambda labels: labels / np.nan),
    "test images: there are none": changed("test pixels", lambda pixels: pixels[:0]),
    "training images: there are none": changed("train pixels", lambda pixels: pixels[:0]),
    "training images must be square": changed("train pixels", lambda pixels: pixels[..., :0, :0]),
    r"test images: pixels must be uint8 .* got float64": changed("test pixels", lambda pixels: pixels + np.inf),
    "training images: pixels and labels must be arrays": changed("train pixels", lambda _: [[1], [1, 2]]),
}


@pytest.mark.parametrize("message", UNUSABLE)
def test_arrays_that_no_classifier_learns_from(message):
    with pytest.raises(ValueError, match=message) as error:
        external.dataset_of("mine", UNUSABLE[message])
    assert "\n" not in str(error.value)


def test_a_single_class_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "single.py").write_text(
        "import numpy as np\ndef load(folder):\n    part = np.zeros((8, 1, 8, 8), np.uint8), np.zeros(8, int)\n"
        "    return *part, *part\n"
    )
    results = tmp_path / "results"
    words = ["--methods", "darts", "--dataset", f"{tmp_path / 'single.py'}:load", "--results", str(results)]
    assert run_all.main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not results.exists()


def test_a_search_on_it_from_the_command_line(tmp_path):
    words = ["--methods", "darts,gaea-darts-erm", "--seeds", "1", "--dataset", f"{STRIPES}:load", "--retrain", "none"]
    words += ["--figures", "none", "--controls", "none"]
    small = ["--set", "protocol.epochs=2", "--set", "protocol.channels=2", "--results", str(tmp_path), "--jobs", "1"]
    assert run_all.main([*words, *small]) == 0
    datasets = [record["config"]["dataset"] for record in Store(tmp_path).records()]
    assert {(dataset["name"], dataset["origin"]) for dataset in datasets} == {("stripes", "external")}
    assert (
        f"searched on external:stripes@{datasets[0]['sha256'][:8]}"
        in (tmp_path / "tables" / "leaderboard.md").read_text()
    )


SMALL = ["--set", "protocol.epochs=1", "--set", "protocol.channels=2", "--figures", "none", "--jobs", "1"]
SMALL += ["--controls", "none"]


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
    board = pd.read_csv(tmp_path / "tables" / "leaderboard.csv")
    own = board[board["dataset"].str.startswith("external:stripes@")]
    assert sorted(own["method"].str.partition(" ")[0]) == ["darts", "random-cell"]
    assert set(own["metric"]) == {"test_error"}
    trainings = [r for r in Store(tmp_path).records() if r["config"]["kind"] == "retraining"]
    assert {r["config"]["dataset"]["name"] for r in trainings} == {"stripes"}
    assert all("dataset" in r["provenance"]["sources"] for r in trainings)
    text, page = ((tmp_path / name).read_text() for name in ("tables/leaderboard.md", "leaderboard.html"))
    for shown in (text, page):
        assert "Own images: " in shown
        assert "supernet, validation" in shown
        assert f"test, {brief.cells} cells, C=2, 1 epochs" in shown
        assert "learning" in shown
    (search,) = (r for r in Store(tmp_path).records() if r["config"]["kind"] == "one-shot")
    accuracy = Store(tmp_path).arrays(search["key"])["valid_accuracy"][-1]
    (error,) = (t["test_error"] for t in trainings if t["config"]["architecture"] == search["cells"]["last"])
    assert f"| {accuracy:.2f} | {100 - error:.2f} |" in text
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
    assert "trained without drop_path" in capsys.readouterr().err
    assert main(["retrain", "--cell", "DARTS_V2", "--dataset", "mnist", "--results", str(tmp_path)]) == 2
    assert "has no recipe for dataset 'mnist'; known: digits" in capsys.readouterr().err
