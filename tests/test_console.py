"""Where the output goes, and what may be given on the command line."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

import run_all
from harness.benchmarks.nasbench201.table import open_table
from harness.cli import main
from tests.report.conftest import results  # noqa: F401 - a fixture
from tests.test_run_all import ROOT


def test_a_reader_that_has_gone_ends_the_call_as_a_signal_does():
    command = [sys.executable, str(ROOT / "run_all.py"), "--list"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 128 + signal.SIGPIPE
    assert "Stopped by SIGPIPE" in errors
    assert "Traceback" not in errors


def test_a_terminal_without_some_letters_shows_others(results):  # noqa: F811 - the fixture
    results.runs_with("darts", [50.0, 51.0])
    words = [sys.executable, "-m", "harness", "report", "--figures", "none", "--results", str(results.store.folder)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "50.50 ? 0.71" in done.stdout


@pytest.mark.parametrize("command", [["run"], ["report"], ["compare", "darts"], ["retrain", "--cell", "DARTS_V2"]])
def test_an_empty_word_is_no_folder(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--results", ""])
    assert stop.value.code == 2
    assert "expected a folder, got ''" in capsys.readouterr().err


def test_a_table_that_lacks_what_searches_query_is_refused_before_they_begin(tmp_path, capsys):
    replace(open_table(), costs={}, sha256="").save(tmp_path / "table.npz")
    words = ["--methods", "random-search", "--seeds", "1", "--table", str(tmp_path / "table.npz")]
    assert run_all.main([*words, "--results", str(tmp_path / "results")]) == 2
    assert "train_seconds" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
