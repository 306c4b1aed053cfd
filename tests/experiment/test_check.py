"""`python -m harness check`, and methods that installed packages offer."""

import subprocess
import sys
from pathlib import Path

import pytest

import run_all
from harness.cli import main

ROOT = Path(__file__).parents[2]


def test_a_method_that_meets_the_contract(capsys, monkeypatch):
    monkeypatch.setattr("harness.commands.check.IMAGES", 32)
    assert main(["check", f"{ROOT / 'tests' / 'sign_gradient.py'}:SignGradient"]) == 0
    assert capsys.readouterr().out == "SignGradient meets the contract.\n"


def test_a_method_of_the_table_by_its_name(capsys, monkeypatch):
    monkeypatch.setattr("harness.commands.check.EPOCHS", 2)
    monkeypatch.setattr("harness.commands.check.IMAGES", 16)
    assert main(["check", "setn"]) == 0
    assert capsys.readouterr().out.startswith("setn meets the contract.\n")
    monkeypatch.setattr("harness.experiment.conformance.examine", lambda *_, **__: [])  # seen
    assert main(["check", "methods.setn:Setn"]) == 0
    assert "It does not run on darts: " in capsys.readouterr().out


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
        "--results",
        str(tmp_path / "results"),
    ]
    code = f"import sys; sys.path.insert(0, {str(package)!r}); import run_all; sys.exit(run_all.main(sys.argv[1:]))"
    finished = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "sign-gradient" in (tmp_path / "results" / "tables" / "leaderboard.csv").read_text()
