"""Tables for a paper: what is asked, and nothing else."""

import shutil
import subprocess

import pytest

from harness.cli import main
from harness.report.render import selection


@pytest.fixture
def three(results):
    results.runs_with("gaea-darts-erm", [91.0, 92.0])
    results.runs_with("darts", [90.0, 90.0], epochs=3, changed={"epochs": 3})
    results.runs_with("gdas_x", [80.0])
    results.look_up({("darts-0", "cifar100", "x-test"): 70.0, ("darts-0", "cifar100", "x-valid"): 60.0})
    return results


def rows(text):
    return [line for line in text.splitlines() if line.endswith(r"\\")]


def test_one_line_per_method_and_the_best_in_bold(three):
    text = selection.render(three.report(), ["gdas_x", "gaea-darts-erm"])
    assert rows(text) == [
        r"method & $n$ & cifar10, test \\",
        r"gdas\_x & 1 & 80.00 \\",
        r"gaea-darts-erm & 2 & \textbf{91.50 $\pm$ 0.71} \\",
    ]
    assert r"\label{tab:nasbench201-paper-cifar10}" in text
    assert "itemize" not in text


def test_errors_are_best_where_they_are_lowest(results):
    results.trained_with("darts", [2.0, 3.0])
    results.trained_with("gaea-pc-darts", [1.0, 1.5], first=5)
    text = selection.render(results.report(), ["darts", "gaea-pc-darts"])
    assert r"gaea-pc-darts & 2 & \textbf{1.25" in text
    assert "6 cells, C=8, 10 epochs" in text


def test_the_command_takes_names_and_metrics(three, capsys):
    words = ["report", "--figures", "none", "--results", str(three.store.folder)]
    assert main([*words, "--only", "darts,gdas_x", "--metric", "cifar100:x-valid,cifar10"]) == 0
    path = three.store.folder / "tables" / "selection.tex"
    assert rows(path.read_text()) == [
        r"method & $n$ & cifar100, x-valid & cifar10, test \\",
        r"darts {[}epochs=3] & 1/2 & 60.00 & \textbf{90.00 $\pm$ 0.00} \\",
        r"gdas\_x & 1 & -- & 80.00 \\",
    ]
    capsys.readouterr()
    assert main([*words, "--only", "dart"]) == 2
    assert "no runs of dart" in capsys.readouterr().err
    assert main([*words, "--metric", "mnist"]) == 2
    assert "known: cifar100:x-test, cifar100:x-valid, cifar10:test" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_a_document_takes_it(three, tmp_path):
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{selection}\end{document}"
    (tmp_path / "main.tex").write_text(document)
    (tmp_path / "selection.tex").write_text(selection.render(three.report(), three.report().methods))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
