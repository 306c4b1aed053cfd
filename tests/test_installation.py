"""One version, and records of an installed wheel that say which code they are of."""

import os
import re
import shlex
from importlib import resources
from pathlib import Path

import pytest

import harness
from harness import installation
from harness.commands import run
from harness.experiment import provenance
from harness.experiment.registry import METHODS

ROOT = Path(__file__).parents[1]
FILES = {"harness/__init__.py": "x = 1\n", "harness/methods/darts.py": "class Darts: ...\n"}


def install(folder, version):
    """As a wheel is unpacked."""
    info = folder / f"gaea_nas_bench-{version}.dist-info"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: gaea-nas-bench\nVersion: {version}\n")
    lines = [f"{name},sha256={provenance._record_digest(folder / name)},9\n" for name in FILES]
    (info / "RECORD").write_text("".join([*lines, "harness/__pycache__/x.pyc,,\n", f"{info.name}/RECORD,,\n"]))


def test_an_installed_release_is_known_by_its_version_and_files(tmp_path):
    install(tmp_path, "1.2")
    name, modified = provenance.installed(tmp_path)
    assert re.fullmatch("gaea-nas-bench 1.2, SHA-256 of its files [0-9a-f]{16}", name)
    assert modified is False
    (tmp_path / "harness" / "__pycache__").mkdir()
    (tmp_path / "harness" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert provenance.installed(tmp_path) == (name, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "harness" / "__init__.py").write_text("x = 2\n"),
        lambda folder: (folder / "harness" / "methods" / "darts.py").unlink(),
        lambda folder: (folder / "harness" / "methods" / "mine.py").write_text("class Mine: ...\n"),
    ],
    ids=["edited", "removed", "added"],
)
@pytest.mark.parametrize("version", ["1.2", "1.2.dev0"])
def test_an_installation_that_was_changed_is_modified_code(tmp_path, change, version):
    install(tmp_path, version)
    change(tmp_path)
    assert provenance.installed(tmp_path)[1] is True


def test_the_wheel_of_a_development_version_may_be_of_any_code(tmp_path):
    install(tmp_path, "1.2.dev0")
    name, modified = provenance.installed(tmp_path)
    assert name.startswith("gaea-nas-bench 1.2.dev0, ")
    assert modified is None


def test_of_a_copy_that_nothing_installed_nothing_is_known(tmp_path):
    assert provenance.installed(tmp_path) == (None, None)
    (tmp_path / "gaea_nas_bench.egg-info").mkdir()  # of an editable installation
    (tmp_path / "gaea_nas_bench.egg-info" / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: gaea-nas-bench\n")
    (tmp_path / "gaea_nas_bench.egg-info" / "SOURCES.txt").write_text("harness/__init__.py\n")
    assert provenance.installed(tmp_path) == (None, None)


def test_a_commit_is_recorded_where_there_is_one():
    assert provenance.code() == provenance.Code("c" * 40, False, None), "as tests/conftest.py has it"


def test_the_repository_is_a_checkout_whose_methods_are_its_own():
    assert installation.IN_CHECKOUT
    assert resources.files(METHODS).joinpath("darts.py").is_file()
    assert installation.PUBLISHED.is_file()


def test_changelog_and_citation_are_of_the_version():
    newest, state = re.search(r"^## (\S+)( \(unreleased\))?$", (ROOT / "CHANGELOG.md").read_text(), re.M).groups()
    assert harness.__version__ == f"{newest}{'.dev0' if state else ''}"
    assert f"\nversion: {harness.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_workflow_is_of_the_supported_pythons_and_of_commands_that_exist():
    (workflow,) = (ROOT / ".github" / "workflows").iterdir()
    text, project = workflow.read_text(), (ROOT / "pyproject.toml").read_text()
    tested = re.findall(r'"([\d.]+)"', re.search(r"python: \[(.+)\]", text).group(1))
    assert tested == re.findall(r"Programming Language :: Python :: (3\.\d+)", project)
    assert f'requires-python = ">={tested[0]},<3.{int(tested[-1].partition(".")[2]) + 1}"' in project
    for command in re.findall(r"- run: (.+)", text):
        first, *words = shlex.split(command, comments=True)
        if first == "python":
            assert words.pop(0) == "run_all.py"
            run.parser().parse_args(words)
        else:
            assert first in ("pip", "pytest") or os.access(ROOT / first, os.X_OK), first
    assert "- run: pip install -e '.[test]'\n" in text


def test_the_wheel_has_all_files():
    tomllib = pytest.importorskip("tomllib", reason="came with Python 3.11")
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = setuptools["package-data"]
    packages = set()
    for path in [*(ROOT / "harness").rglob("*"), *(ROOT / "methods").glob("*")]:
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        folder = path.parent.relative_to(ROOT)
        package = "harness.methods" if folder == Path("methods") else ".".join(folder.parts)
        packages.add(package)
        files = ["*.py", *patterns["*"], *patterns.get(package, [])]
        assert any(path.match(pattern) for pattern in files), path
    assert set(setuptools["packages"]) == packages | {"harness.published"}
