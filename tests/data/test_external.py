"""A user's own dataset."""

from pathlib import Path

import pytest

import run_all
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
    words = ["--methods", "darts,gaea-darts-erm", "--seeds", "1", "--dataset", f"{STRIPES}:load", "--figures", "none"]
    small = ["--set", "protocol.epochs=2", "--set", "protocol.channels=2", "--results", str(tmp_path), "--jobs", "2"]
    assert run_all.main([*words, *small]) == 0
    datasets = [record["config"]["dataset"] for record in Store(tmp_path).records()]
    assert {(dataset["name"], dataset["origin"]) for dataset in datasets} == {("stripes", "external")}
    assert (
        f"searched on external:stripes@{datasets[0]['sha256'][:8]}"
        in (tmp_path / "tables" / "leaderboard.md").read_text()
    )
