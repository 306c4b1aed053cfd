"""Imports point one way, and looking is cheap."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.benchmarks import BENCHMARKS
from harness.experiment.registry import built_in

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "arguments": set(),
    "files": set(),
    "installation": set(),
    "processes": set(),
    "text": set(),
    "unpickling": set(),
    "protocol": set(),
    "api": {"benchmarks"},
    "benchmarks": {"arguments", "evaluate", "files", "protocol", "text", "unpickling"},
    "plugins": set(),
    "data": {"plugins", "processes", "unpickling"},
    "search": {"api", "benchmarks", "data", "protocol"},
    "evaluate": {"data", "protocol", "search"},
    "experiment": {
        "api",
        "benchmarks",
        "data",
        "evaluate",
        "files",
        "installation",
        "plugins",
        "processes",
        "protocol",
        "search",
        "text",
    },
    "report": {"arguments", "benchmarks", "experiment", "files", "text"},
    "commands": {
        "api",
        "arguments",
        "benchmarks",
        "data",
        "evaluate",
        "experiment",
        "files",
        "installation",
        "plugins",
        "processes",
        "protocol",
        "report",
        "text",
    },
    "results": {"commands", "experiment", "installation", "report"},
    "cli": {"arguments", "benchmarks", "commands", "files", "text"},
    "__main__": {"cli"},
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(name):
    parts = name.split(".")
    return parts[1] if parts[0] == "harness" and len(parts) > 1 else None


@pytest.mark.parametrize("path", sorted((ROOT / "harness").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    here = path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")
    for name in imported(path):
        assert name.split(".")[0] not in ("methods", "run_all", "tests")
        if here != "__init__" and room(name) in MAY_IMPORT:
            assert room(name) in {here, *MAY_IMPORT[here]}, f"{here} imports {name}"


HEAVY = ("torch", "matplotlib", "scipy.stats", "scikit_posthocs", "statsmodels", "nats_bench")
CHEAP = """
import contextlib, io, sys
import run_all, methods, harness.benchmarks, harness.experiment.store, harness.report
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    run_all.main(["--help"])
print(*sys.modules, sep="\\n")
"""


def test_looking_is_cheap():
    """In a process of its own: what is imported by a report without comparisons, and by --help."""
    loaded = subprocess.run([sys.executable, "-c", CHEAP], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "harness.commands.run" in loaded.splitlines()
    assert not set(HEAVY) & set(loaded.splitlines())


def test_help_does_without_pandas_and_the_report():
    code = CHEAP.replace(", harness.report", "")
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"pandas", "harness.report"} & set(loaded.splitlines())


def test_only_the_folder_of_a_benchmark_names_spaces_datasets_and_methods():
    """In strings; a docstring may cite a paper. `harness/data` is where datasets come from."""
    datasets = {name for benchmark in BENCHMARKS.values() for name in (*benchmark.datasets, *benchmark.proxies)}
    splits = {split for benchmark in BENCHMARKS.values() for split in benchmark.split_order} - {"test"}
    names = {*BENCHMARKS, *built_in(), "gaea", *datasets, *splits}
    named = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, sorted(names)))})(?![\w-])")
    elsewhere = [path for path in (ROOT / "harness").rglob("*.py") if path.parts[-2] != "data"]
    elsewhere = [path for path in elsewhere if "benchmarks" not in path.parts]
    assert len(elsewhere) > 80
    found = [
        f"{path.relative_to(ROOT)}: {text!r}"
        for path in elsewhere
        for text in strings(ast.parse(path.read_text()))
        if named.search(text)
    ]
    assert found == []


def strings(tree):
    """All string constants but docstrings."""
    documentation = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation:
            yield node.value


def test_benchmarks_do_not_import_one_another():
    benchmarks = {path.parent.name for path in (ROOT / "harness" / "benchmarks").glob("*/benchmark.py")}
    assert benchmarks == {type(benchmark).__module__.split(".")[2] for benchmark in BENCHMARKS.values()}
    for path in (ROOT / "harness" / "benchmarks").rglob("*.py"):
        here = path.parts[path.parts.index("benchmarks") + 1]
        if here in benchmarks:
            others = {name for name in imported(path) if name.startswith("harness.benchmarks.")}
            folders = {name.split(".")[2] for name in others} & benchmarks
            assert folders <= {here}, f"{path} imports {folders}"
