"""Where the output goes, and what may be given on the command line."""

import io
import re
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

import run_all
from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench201.table import open_table
from harness.cli import main
from harness.experiment.progress import Display, Shown
from harness.experiment.store import Store
from tests.test_run_all import ROOT


@pytest.mark.faults
def test_a_reader_that_has_gone_ends_the_call_as_a_signal_does():
    command = [sys.executable, str(ROOT / "run_all.py"), "--list"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 128 + signal.SIGPIPE
    assert "Stopped by SIGPIPE" in errors
    assert "Traceback" not in errors


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


def test_finished_runs_are_short_lines_and_brief_ones_are_summed_up(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("harness.experiment.progress.BRIEF_SECONDS", 0.0)
    words = ["--methods", "gaea", "--seeds", "2", "--jobs", "1", "--figures", "none", "--results", str(tmp_path)]
    for setting in ("epochs=1", "channels=2", "batch_size=720"):
        words += ["--set", f"protocol.{setting}"]
    words += ["--set", "gaea-darts-erm.lr=0.2", "--controls", "random-cell"]
    assert run_all.main(words) == 0
    printed = capsys.readouterr().out
    assert "all with batch_size=720, channels=2, epochs=1\n" in printed
    lines = [line for line in printed.splitlines() if re.match(r"\[\d/6\] gaea", line)]
    result = r"\d+\.\d\d % on cifar10 \(x-valid\), \d+\.\d s"
    assert re.fullmatch(rf"\[\d/6\] gaea-darts-erm \[lr=0\.2\] on digits, seed 0: {result}", lines[0])
    assert re.fullmatch(rf"\[\d/6\] gaea-darts-bilevel on digits, seed 1: {result}", lines[3])
    assert max(map(len, lines)) < 90
    monkeypatch.undo()
    black_boxes = ["--methods", "random-search,local-search", "--look-up", "found", "--figures", "none", "--jobs", "1"]
    assert run_all.main([*black_boxes, "--seeds", "3", "--results", str(tmp_path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.partition(",")[0] for line in lines] == [
        "[6/6] random-search on cifar10: 3 runs",
        "[6/6] local-search on cifar10: 3 runs",
    ]


def test_a_failure_is_said_at_once_and_a_single_brief_run_with_its_result(tmp_path):
    console = Console(file=io.StringIO(), width=200)
    runs = [Shown(key, name, 0, 1) for key, name in (("a", "one"), ("b", "other"))]
    with Display(console, Store(tmp_path), runs, lambda record: f"result of {record['key']}") as display:
        display.done({"key": "a", "status": "done", "provenance": {"seconds": 0.25}})
        display.done({"key": "b", "status": "failed", "failure": "Traceback\nValueError: no", "provenance": {}})
    lines = console.file.getvalue().splitlines()
    assert lines == ["[2/2] other, seed 0: FAILED: ValueError: no", "[2/2] one, seed 0: result of a, 0.2 s"]


def test_a_command_that_several_spaces_have_says_how_to_get_that_of_another_one(capsys):
    with pytest.raises(SystemExit):
        main(["table", "--help"])
    first, *others = [name for name, benchmark in BENCHMARKS.items() if "table" in benchmark.tools]
    printed = capsys.readouterr().out
    line = f"This help is for {first}. For {', '.join(others)}: python -m harness table --space NAME --help\n\n"
    assert printed.startswith(line)
    for words in (["--space", others[-1], "--help"], ["--help", f"--space={others[-1]}"]):
        with pytest.raises(SystemExit):
            main(["table", *words])
        other = capsys.readouterr().out
        assert other.startswith("usage:")
        assert other not in printed
    with pytest.raises(SystemExit):
        main(["decode", "--help"])
    assert capsys.readouterr().out.startswith("usage:")  # of one space alone


def test_a_wrong_call_is_one_line_and_no_command_is_the_help(capsys):
    for words in (["compare"], ["retrain", "--cell"], ["table"], ["decode", "--x"], ["sing"], ["data", "fetch", "x"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        printed = capsys.readouterr().err
        assert len(printed.splitlines()) == 1
        assert printed.startswith("python -m harness")
    assert main([]) == 2
    help_text = capsys.readouterr().err
    assert "python -m harness COMMAND --help" in help_text
    assert "compare" in help_text


def test_a_failed_call_on_a_file_is_named_without_its_number(tmp_path, capsys):
    (tmp_path / "file").touch()
    words = ["--methods", "random-cell", "--seeds", "1", "--figures", "none", "--results", str(tmp_path / "file")]
    assert run_all.main(words) == 2
    assert capsys.readouterr().err == f"run_all: {tmp_path / 'file' / 'runs'}: Not a directory\n"
