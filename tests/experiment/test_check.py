"""`python -m harness check`, and methods that installed packages offer."""

import subprocess
import sys
from pathlib import Path

import pytest

import run_all
from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.cli import main
from harness.experiment import conformance
from methods.random_search import RandomSearch

ROOT = Path(__file__).parents[2]


def test_a_method_that_meets_the_contract(capsys, monkeypatch):
    monkeypatch.setattr("harness.commands.check.EPOCHS", 2)
    monkeypatch.setattr("harness.commands.check.IMAGES", 16)
    few = {name: BENCHMARKS[name] for name in ("nasbench201", "nasbench1shot1-1")}  # all: in test_contract.py
    monkeypatch.setattr("harness.commands.check.BENCHMARKS", few)
    assert main(["check", f"{ROOT / 'tests' / 'sign_gradient.py'}:SignGradient"]) == 0
    assert capsys.readouterr().out == "SignGradient meets the contract.\n"


@pytest.mark.parametrize("word", ["setn", "methods.setn:Setn"])
def test_where_a_method_does_not_run_is_said(word, capsys, monkeypatch):
    monkeypatch.setattr("harness.experiment.conformance.examine", lambda *_, **__: [])  # tests/methods/test_contract.py
    assert main(["check", word]) == 0
    printed = capsys.readouterr().out
    assert printed.lower().startswith("setn meets the contract.\nit does not run on darts: ")


def test_a_method_of_the_first_contract_is_one_line(capsys, tmp_path):
    word = f"{ROOT / 'tests' / 'faulty.py'}:FirstContract"
    assert main(["check", word]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert "first version of harness/api.py" in line
    assert run_all.main(["--methods", word, "--seeds", "1", "--results", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert "first version of harness/api.py" in printed
    assert len(printed.strip().splitlines()) == 1


def test_a_black_box_that_meets_the_contract(capsys):
    assert main(["check", "methods.random_search:RandomSearch"]) == 0
    assert "meets the contract" in capsys.readouterr().out


def test_what_is_wrong_is_said(capsys):
    assert main(["check", f"{ROOT / 'tests' / 'faulty.py'}:NoMethod"]) == 1
    assert "must derive from" in capsys.readouterr().out


@pytest.mark.parametrize("name, line", [("NoReason", "raised KeyError"), ("NoOptions", "must be a dict of options")])
def test_a_class_that_does_not_say_what_it_needs_is_one_line(name, line, capsys):
    """Where it is asked by a command, and where it is asked before a run, perhaps for a space of other options."""
    word = f"{ROOT / 'tests' / 'faulty.py'}:{name}"
    assert main(["check", word]) == 2
    printed = capsys.readouterr().err
    assert len(printed.splitlines()) == 1
    assert line in printed
    (problem,) = conformance.problems(plugins.load(plugins.external(word)), BENCHMARKS["nasbench201"].full_space)
    assert line in problem


@pytest.mark.parametrize(
    "attribute, value, reason",
    [
        *(("version", value, "must be a whole number, 1 or larger") for value in ("1.0", 1.5, 0, True, None)),
        *((name, value, "must be a string") for name in ("paper", "family") for value in (None, 2021)),
    ],
)
def test_what_a_record_could_not_say_of_a_method_is_refused(attribute, value, reason):
    method = type("Odd", (RandomSearch,), {attribute: value})
    (line,) = conformance.problems(method, BENCHMARKS["nasbench201"].full_space)
    assert line == f"Odd.{attribute} {reason}, not {value!r}"


@pytest.mark.parametrize("word", ["nowhere.py:X", "dartz", "no.module:X"])
def test_no_such_class_is_one_line(word, capsys):
    assert main(["check", word]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.fixture
def package(tmp_path):
    """A small package with a method, installed into a folder of its own."""
    source = tmp_path / "source"
    (source / "my_nas").mkdir(parents=True)
    (source / "my_nas" / "__init__.py").write_text((ROOT / "tests" / "sign_gradient.py").read_text())
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "my-nas"\nversion = "1"\n'
        '[project.entry-points."nas_methods"]\nsign-gradient = "my_nas:SignGradient"\n'
        '[tool.setuptools]\npackages = ["my_nas"]\n'
    )
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    return target


@pytest.mark.faults
def test_an_installed_package_offers_its_method(package, tmp_path):
    words = [
        "--methods",
        "sign-gradient",
        "--seeds",
        "1",
        "--set",
        "protocol.epochs=1",
        "--controls",
        "none",
        "--results",
        str(tmp_path / "results"),
    ]
    code = f"import sys; sys.path.insert(0, {str(package)!r}); import run_all; sys.exit(run_all.main(sys.argv[1:]))"
    finished = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "sign-gradient" in (tmp_path / "results" / "tables" / "leaderboard.csv").read_text()
