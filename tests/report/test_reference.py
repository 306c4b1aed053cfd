"""The committed results are what their records and look-ups say."""

import shutil
from pathlib import Path

import pytest

from harness.experiment.store import Store
from harness.report import write
from harness.report.render.excerpt import main, render, replaced
from methods import METHODS

RESULTS = Path(__file__).parents[2] / "results"
REFERENCE = RESULTS / "reference"
LARGEST = 24_000_000
"""Bytes on disk; what else lies in `results/` is small."""
BLOCK = 4096


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The report of the committed records and look-ups, written elsewhere."""
    folder = tmp_path_factory.mktemp("reference")
    for part in ("runs", "lookups"):
        shutil.copytree(REFERENCE / part, folder / part)
    store = Store(folder)
    write(store, list(METHODS), RESULTS / "published.csv", formats=())
    assert store.warnings == []  # no file is damaged
    return folder


@pytest.mark.parametrize("name", sorted(path.name for path in (REFERENCE / "tables").iterdir()))
def test_tables_regenerate_unchanged(again, name):
    assert (again / "tables" / name).read_bytes() == (REFERENCE / "tables" / name).read_bytes()


def test_no_table_is_missing(again):
    written = {path.name for path in (again / "tables").iterdir()}
    assert written == {path.name for path in (REFERENCE / "tables").iterdir()}


def test_records_come_from_known_code(again):
    for record in Store(again).records():
        provenance = record["provenance"]
        assert record["status"] == "done"
        assert provenance["commit"]
        assert not provenance["dirty"]


def test_results_stay_small():
    sizes = [path.stat().st_size for path in REFERENCE.rglob("*") if path.is_file()]
    assert sum(-(-size // BLOCK) * BLOCK for size in sizes) < LARGEST


def test_the_readme_shows_them():
    readme = RESULTS.parent / "README.md"
    assert readme.read_text() == replaced(readme.read_text(), REFERENCE)


def test_one_search_has_no_deviation(results):
    results.trained_with("darts", [2.0])
    results.runs_with("darts", [50.0])
    text = render(results.report().leaderboard)
    assert "| darts | 1 | 2.00 |" in text
    assert "| darts | 1 | 50.00 | – | – |" in text


def test_a_file_without_marks_is_refused(tmp_path, capsys):
    (tmp_path / "README.md").write_text("no marks")
    assert main([str(REFERENCE), str(tmp_path / "README.md")]) == 2
    assert capsys.readouterr().err.startswith("excerpt: the file needs the lines")
    assert main([str(tmp_path), str(RESULTS.parent / "README.md")]) == 2
    assert "No such file" in capsys.readouterr().err
