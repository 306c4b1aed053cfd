"""Methods that go wrong: their runs have failed, say why, and the other runs are done."""

import csv
import io
from pathlib import Path

import pytest

import run_all
from harness.experiment.config import run_key
from harness.experiment.store import Store
from tests.test_run_all import contents, run

pytestmark = pytest.mark.faults
METHODS = Path(__file__).with_name("methods.py")


def methods(*names):
    return ",".join(f"{METHODS}:{name}" for name in names)


def of(results):
    return {record["config"]["method"]["name"]: record for record in Store(results).records()}


def test_every_fault_is_a_failed_run_that_says_why_and_the_others_are_done(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MEMORY_IS_SHORT", "1")
    reasons = {
        "ExitsQuietly": "SystemExit: 0",
        "ChangesShape": "Error",
        "DerivesNoCell": "no operation 'warp_drive'",
        "EndsInNan": "not finite after epoch 2",
        "RunsOutOfMemory": "MemoryError",
        "RunsOutOfTensorMemory": "can't allocate memory",
    }
    assert run(tmp_path, methods=f"{methods(*reasons)},darts") == 1
    records = of(tmp_path)
    assert records.pop("darts")["status"] == "done"
    assert records.keys() == reasons.keys()
    printed = " ".join(capsys.readouterr().out.split())
    for name, reason in reasons.items():
        assert records[name]["status"] == "failed"
        assert reason in records[name]["failure"]
        assert f"{name} on digits, seed 0: FAILED" in printed
    assert run(tmp_path, methods="darts") == 0, "a failed run is no obstacle to later reports"


def test_what_ran_out_of_memory_continues_where_it_was(tmp_path, monkeypatch):
    whole, short = tmp_path / "whole", tmp_path / "short"
    name = methods("RunsOutOfTensorMemory")
    assert run(whole, methods=name, epochs=3) == 0
    monkeypatch.setenv("MEMORY_IS_SHORT", "1")
    assert run(short, methods=name, epochs=3) == 1
    (key,) = Store(short).checkpoints()
    assert Store(short).progress(key)["epoch"] >= 1
    monkeypatch.delenv("MEMORY_IS_SHORT")
    assert run(short, methods=name, epochs=3) == 0
    assert contents(short) == contents(whole)
    assert not Store(short).checkpoints()


def test_a_crash_in_c_takes_nobody_along_even_with_one_job(tmp_path):
    assert run(tmp_path, "--time-limit", "60", methods=f"{methods('CrashesInC')},darts", jobs="1") == 1
    records = of(tmp_path)
    assert records["darts"]["status"] == "done"
    assert "killed 2 times in a row" in records["CrashesInC"]["failure"]
    assert "past the time limit of 60 s" in records["CrashesInC"]["failure"]


def test_a_name_full_of_markup_is_text_in_every_table(tmp_path):
    """Such a name comes with somebody else's results folder."""
    assert run(tmp_path, methods="darts", epochs=1) == 0
    store = Store(tmp_path)
    (record,) = store.records()
    record["config"]["method"]["name"] = "<script>alert(1)</script>|x|\\input{x}\n=1+1"
    record["key"] = run_key(record["config"])
    store.write(record, store.arrays(next((tmp_path / "runs").glob("*.npz")).stem))
    assert run_all.main(["--report-only", "--results", str(tmp_path)]) == 0
    tables = {path.name: path.read_text() for path in (tmp_path / "tables").iterdir()}
    assert "alert(1)" in tables["leaderboard.md"]
    for name, text in tables.items():
        if name.endswith(".md"):
            assert "<script" not in text
            assert "|x|" not in text.replace("\\|x\\|", "")
        elif name.endswith(".tex"):
            assert "\\input" not in text
        else:
            header, *rows = csv.reader(io.StringIO(text))
            assert all(len(row) == len(header) for row in rows)
