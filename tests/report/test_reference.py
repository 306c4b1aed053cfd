"""The committed results are what their records and look-ups say."""

import gzip
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from harness.benchmarks import BENCHMARKS
from harness.experiment import training_free_files
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.report import training_free, write
from harness.report.published import load
from harness.report.render.excerpt import main, render, replaced
from tests.report import readings

RESULTS = Path(__file__).parents[2] / "results"
REFERENCE = RESULTS / "reference"
LARGEST = 24_000_000
"""Bytes on disk; what else lies in `results/` is small."""
BLOCK = 4096


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The report of the committed records and look-ups, written elsewhere."""
    folder = tmp_path_factory.mktemp("reference")
    for part in ("runs", "packed", "scores"):
        shutil.copytree(REFERENCE / part, folder / part)
    store = Store(folder)
    report = write(store, list(built_in()), RESULTS / "published.csv", formats=())
    assert store.warnings == []  # no file is damaged
    return folder, report


def of_the_report(folder):
    """Names of its tables without those of training-free scores, which a command of their own writes."""
    return {path.name for path in (folder / "tables").iterdir() if not path.name.startswith("training-free")}


@pytest.mark.parametrize("name", sorted(of_the_report(REFERENCE)))
def test_tables_regenerate_unchanged(again, name):
    assert (again[0] / "tables" / name).read_bytes() == (REFERENCE / "tables" / name).read_bytes()


def test_no_table_is_missing(again):
    written, committed = of_the_report(again[0]), of_the_report(REFERENCE)
    assert written - committed <= {"runs.csv"}  # large, and therefore not committed
    assert committed <= written


def test_tables_of_training_free_scores_regenerate_unchanged(full_table, tmp_path):
    (file,) = (REFERENCE / "training-free").iterdir()
    rows = [(*scored, *computed) for scored, computed in training_free_files.read(file).items()]
    scores = pd.DataFrame(rows, columns=training_free_files.COLUMNS)
    assert set(scores.groupby("score").size()) == {1000}
    benchmark = BENCHMARKS["nasbench201"]
    accuracies, failures = benchmark.evaluator(Path(full_table)).scores(sorted(set(scores["architecture"])))
    assert not failures
    scored = (benchmark.name, "cifar10")
    training_free.write(tmp_path, scores, accuracies, load(RESULTS / "published.csv"), scored, benchmark.excerpt, ())
    written = sorted((tmp_path / "tables").iterdir())
    assert len(written) == 3
    for path in written:
        assert path.read_bytes() == (REFERENCE / "tables" / path.name).read_bytes()


def test_records_come_from_known_code():
    """That they are whole is seen by `again`."""
    lines = [path.read_bytes() for path in (REFERENCE / "runs").glob("*.json")]
    for path in (REFERENCE / "packed").iterdir():
        lines += gzip.decompress(path.read_bytes()).splitlines()
    assert len(lines) > 10_000
    for record in map(json.loads, lines):
        provenance = record["provenance"]
        assert record["status"] == "done"
        assert provenance["commit"]
        assert not provenance["dirty"]


def test_results_stay_small():
    sizes = [path.stat().st_size for path in REFERENCE.rglob("*") if path.is_file()]
    assert sum(-(-size // BLOCK) * BLOCK for size in sizes) < LARGEST


@pytest.mark.parametrize(
    ("name", "full", "lines"), [("README.md", False, 30), ("docs/results.md", True, 200)], ids=["short", "full"]
)
def test_the_documents_show_them(again, name, full, lines):
    file = RESULTS.parent / name
    link = ("../" if full else "") + "results/reference/tables/leaderboard.md"
    tables = render(again[1], link, full)
    assert file.read_text() == replaced(file.read_text(), tables)
    assert len(tables.splitlines()) <= lines


@pytest.mark.faults
def test_the_tables_of_the_readme_are_computed():
    text = readings.README.read_text()
    assert text == readings.up_to_date(text)


def test_one_search_has_no_deviation(results):
    results.trained_with("darts", [2.0])
    results.runs_with("darts", [50.0])
    text = render(results.report(), "leaderboard.md", full=True)
    assert "| darts | 1 | 2.00 |" in text
    assert "| darts | 1 | 50.00 (\\~ 54.30 ± 0.00) | – | – |" in text


def test_the_short_form_leaves_out_proxies_and_overrides(results):
    results.run("darts", cells=("other", "plain"))
    results.run("gdas", cells=("other", "digits"), profile="quick", dataset="digits")
    results.run("gdas", cells=("other", "changed"), changed={"epochs": 2})
    accuracies = {"other": 40.0, "plain": 50.0, "digits": 60.0, "changed": 70.0}
    results.look_up({(cell, "cifar10", "test"): accuracy for cell, accuracy in accuracies.items()})
    short, full = (render(results.report(), "leaderboard.md", full) for full in (False, True))
    assert "| darts | 1 | 50.00 (\\~ 54.30 ± 0.00) |" in short
    assert "60.00" not in short
    assert "70.00" not in short
    assert "60.00" in full
    assert "70.00" in full


def test_a_file_without_marks_is_refused(tmp_path, capsys):
    (tmp_path / "README.md").write_text("no marks")
    published = str(RESULTS / "published.csv")
    assert main([str(tmp_path), published, str(tmp_path / "README.md")]) == 2
    assert capsys.readouterr().err.startswith("excerpt: the file needs the lines")
    assert main([str(tmp_path), "nowhere.csv", str(tmp_path / "README.md")]) == 2
    assert "No such file" in capsys.readouterr().err
