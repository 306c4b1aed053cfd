"""The report as a whole: a pure function of a results folder, whatever is in it."""

from __future__ import annotations

import gc
import io

import pytest

from harness import report
from harness.cli import main
from harness.experiment.config import run_key
from harness.experiment.store import Store
from harness.report.counts import NAMES
from harness.report.figures import gallery
from tests.report.conftest import CELLS, PUBLISHED, genotype, write_unchecked


def _files(folder):
    written = [path for name in ("tables", "figures") for path in (folder / name).glob("*")]
    return {path.relative_to(folder): path.read_bytes() for path in written}


def test_second_report_has_the_same_bytes(results, monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 1)  # processes change no byte either: tests/report/test_saving.py
    results.run(profile="quick", dataset="digits", cells=("other", "unknown"))
    results.runs_with("gaea-darts-erm", [94.0, 94.2])
    results.run("darts", seed=9, failure="ValueError: no")
    results.write(["svg"])  # the other formats: tests/report/test_saving.py
    first = _files(results.store.folder)
    assert len(first) == 8 + (2 + 7) + 1  # tables; two groups' figures, and their index
    next(results.store.folder.glob("figures/*.svg")).unlink()  # so that all is drawn again
    results.write(["svg"])
    assert _files(results.store.folder) == first


def test_figures_are_drawn_only_when_something_is_new(results):
    results.runs_with("darts", [50.0])
    results.write(["svg"])
    times = {path: path.stat().st_mtime_ns for path in results.store.folder.glob("figures/*")}
    page = (results.store.folder / "leaderboard.html").read_bytes()
    results.write(["svg"])
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert (results.store.folder / "leaderboard.html").read_bytes() == page
    results.runs_with("gaea-darts-erm", [60.0])
    results.write(["svg"])
    assert all(path.stat().st_mtime_ns > time for path, time in times.items())


def test_folder_without_runs_has_empty_tables_and_says_so(tmp_path):
    written = report.write(Store(tmp_path / "new"), [], PUBLISHED)
    assert written.leaderboard.empty
    assert written.notes == (report.content.NO_RUNS,)
    assert set(map(str, _files(tmp_path / "new"))) == {
        f"tables/{name}"
        for name in (
            "retrained.csv",
            "headlines.csv",
            "leaderboard.csv",
            "leaderboard.md",
            "leaderboard.tex",
            "regret.csv",
            "runs.csv",
            "search_cost.csv",
        )
    }


def test_folder_with_failed_runs_only(results):
    results.run(failure="Traceback\nValueError: no")
    written = results.write(["svg"])
    assert written.leaderboard.empty
    assert written.failures == ["darts, seed 0 (nasbench201, paper profile, searched on cifar10): ValueError: no"]
    assert "ValueError: no" in (results.store.folder / "tables" / "leaderboard.md").read_text()


def test_runs_without_look_ups_are_counted(results):
    results.run(seed=0)
    results.run(seed=1)
    written = results.write([])
    assert written.leaderboard.empty
    assert written.notes[0] == (
        "nasbench201, paper profile, searched on cifar10: 2 finished runs, but no accuracies of their cells are stored"
    )


def test_searches_by_queries_without_accuracies_have_no_curves(results):
    results.black_box("random-cell", [(0.0, genotype(0))], seconds=0.0, space="darts", table=None)
    results.write(["svg"])
    assert {path.stem for path in results.store.folder.glob("figures/*.svg")} == {
        "cells-random-cell-darts-paper-cifar10"
    }


def test_runs_that_the_table_does_not_know_are_counted(results):
    results.runs_with("darts", [50.0, 60.0])
    results.run(seed=7, cells=("other", "unknown"))
    written = results.report()
    assert written.leaderboard["n"].tolist() == [2]
    assert written.notes == (
        "nasbench201, paper profile, searched on cifar10: 1 finished run left out of the numbers from table"
        f" {'a' * 12}, which has no accuracy of their cells here",
    )


def test_order_of_writing_does_not_matter(results, tmp_path):
    other = type(results)(Store(tmp_path / "other"))
    other.store.prepare()
    for folder, seeds in ((results, (0, 1, 2)), (other, (2, 0, 1))):
        for seed in seeds:
            folder.run(seed=seed, cells=(f"cell {seed}",))
        folder.look_up({(f"cell {seed}", "cifar10", "test"): 90.1 + seed for seed in seeds})
        folder.write(["svg"])
    assert _files(results.store.folder) == _files(other.store.folder)


def test_each_record_is_read_once(results, monkeypatch):
    results.runs_with("darts", [50.0, 60.0])
    reads = []
    read = Store.read
    monkeypatch.setattr(Store, "read", lambda store, key: reads.append(key) or read(store, key))
    results.write(["svg"])
    assert len(reads) == len(set(reads)) == 2


def test_tables_read_no_arrays_but_the_counts(results, monkeypatch):
    results.runs_with("darts", [50.0])
    read, names = Store.arrays, []
    monkeypatch.setattr(Store, "arrays", lambda *words: names.append(words[2:]) or read(*words))
    assert len(report.gather(results.store, [], PUBLISHED).leaderboard) == 1
    assert names == [(NAMES,)]


def test_figures_show_as_many_methods_as_fit_and_say_so(results):
    for number in range(gallery.MOST + 1):
        results.black_box(f"method-{number}", [(10.0, CELLS[0])], seconds=30.0)
    results.look_up({(CELLS[0], "cifar10", "test"): 94.0})
    drawings = gallery.describe(results.report(), results.store)
    drawn = {drawing.name: drawing.figure() for drawing in drawings if drawing.on_page}
    assert drawn
    assert all(
        " ".join(figure.get_suptitle().split()).endswith("; the first 40 of 41 methods") for figure in drawn.values()
    )
    (axes,) = drawn["final-nasbench201-paper-cifar10"].axes
    assert len(axes.get_yticklabels()) == gallery.MOST


@pytest.mark.parametrize(
    "part", ["benchmark", "method", "protocol", "dataset", "seed", "overrides", "settings", "kind"]
)
@pytest.mark.parametrize("value", [None, "missing"])
def test_one_record_without_a_field_does_not_stop_the_report(results, part, value):
    results.runs_with("darts", [50.0, 51.0])
    record = results.store.read(results.run("gdas", seed=7))
    config = {name: content for name, content in record["config"].items() if name != part or value != "missing"}
    config |= {part: None} if value is None else {}
    write_unchecked(results.store, {**record, "config": config, "key": run_key(config)})
    report = results.report()
    assert report.leaderboard["n"].tolist() == [2]
    assert any("quarantined" in warning for warning in report.warnings)


def test_garbage_is_collected_afterwards_as_before(results):
    assert gc.isenabled()
    results.report()
    assert gc.isenabled()
    gc.disable()
    try:
        results.report()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_terminal_without_some_letters_shows_others(results, monkeypatch):
    results.runs_with("darts", [50.0, 51.0])
    printed = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(printed, encoding="ascii", write_through=True))
    assert main(["report", "--figures", "none", "--results", str(results.store.folder)]) == 0
    assert b"50.50 ? 0.71" in printed.getvalue()
