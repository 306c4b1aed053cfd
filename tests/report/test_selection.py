"""Tables for a paper: what is asked, and nothing else."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from harness.cli import main
from harness.experiment import tuning
from harness.report.render import latex, selection
from tests.report.conftest import CELLS


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


def test_all_that_print_the_best_mean_are_in_bold(results):
    results.runs_with("darts", [90.001])
    results.runs_with("gdas", [90.002])
    results.runs_with("enas", [89.0])
    text = selection.render(results.report(), ["darts", "gdas", "enas"])
    assert [r"\textbf" in row for row in rows(text)] == [False, True, True, False]


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


@pytest.fixture
def beside(results):
    """Searches on a user's own images, two of them the trials of a tuning."""
    nasty = "my_images 100% {x} #1"

    def run(seed, rate):
        arrays = {"valid_accuracy": np.array([10.0, 60.0 + seed / 1000])}
        options = {"settings": {"lr": rate}, "changed": {} if rate == 0.1 else {"lr": rate}, "arrays": arrays}
        return results.run("darts", seed, dataset=nasty, images="external", profile="quick", **options)

    ranges = {"lr": tuning.Range(1e-3, 1.0, logarithmic=True)}
    tuned = tuning.Tuned(ranges, {0: [run(0, 0.1), run(1000, 0.2)]})
    for number in range(2):
        tuning.add(results.store, f"{number}" * 16, tuning.Tuning(1e10 + number, None, {"darts": tuned}))
    results.look_up({(cell, "cifar10", "test"): 90.0 for cell in CELLS})
    return results


def test_own_images_and_tunings_are_tables_in_latex_too(beside):
    report = beside.report()
    text = latex.render(report)
    labels = re.findall(r"\\label\{tab:([^}]+)\}", text)
    *blocks, own, first, second = labels
    assert blocks
    assert all(label.startswith("leaderboard-nasbench201-") for label in blocks)
    assert len({*labels}) == len(labels) == text.count(r"\caption{")
    assert own.startswith("own-images-nasbench201-quick-external-my-images-100-x-1-")
    assert second == f"{first}-2"  # another budget
    assert rows(text[text.index(own) :])[:2] == [
        r"method & searches & supernet, validation (\%) \\",
        r"darts & 1 & 60.00 \\",
    ]
    of_tuning = rows(text[text.index(first) : text.index(second)])
    assert r" & drawn & lr log-uniform in 0.001 to 1 \\" in [line.removeprefix("darts") for line in of_tuning]
    assert r" & validation of the chosen (\%) & 61.00 \\" in of_tuning
    assert text.count(r"\begin{tabular}") == text.count(r"\toprule") == text.count(r"\bottomrule")


@pytest.mark.usefixtures("beside")
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX is installed")
def test_a_document_takes_it(three, tmp_path):
    three.runs_with(r"a|b _c_ & 100% #1 <x> $e$ ~f^g {h} \i `j` [k]", [70.0])
    report = three.report()
    (tmp_path / "selection.tex").write_text(selection.render(report, report.methods))
    (tmp_path / "leaderboard.tex").write_text(latex.render(report))
    document = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{selection}"
    document += r"\input{leaderboard} Tables~\ref{tab:nasbench201-paper-cifar10}"
    document += r" and~\ref{tab:leaderboard-nasbench201-paper-cifar10}\end{document}"
    assert len(report.own_images) == 1
    assert len(report.tunings) == 2
    (tmp_path / "main.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-file-line-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    labels = (tmp_path / "main.aux").read_text()
    assert r"\newlabel{tab:nasbench201-paper-cifar10}{{1}" in labels
    assert r"\newlabel{tab:leaderboard-nasbench201-paper-cifar10}{{" in labels
    assert "multiply defined" not in done.stdout
