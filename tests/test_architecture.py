"""Imports point one way, and looking is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "files": set(),
    "unpickling": set(),
    "profiles": set(),
    "arguments": {"profiles"},
    "benchmarks": {"files", "supernets", "unpickling"},
    "supernets": {"benchmarks"},
    "api": {"benchmarks"},
    "data": {"experiment", "unpickling"},
    "search": {"api", "benchmarks", "data", "profiles"},
    "evaluate": {"arguments", "benchmarks", "data", "experiment", "profiles", "search"},
    "experiment": {"api", "benchmarks", "data", "evaluate", "files", "profiles", "search"},
    "report": {"benchmarks", "experiment", "files"},
    "__main__": {"api", "benchmarks", "data", "experiment", "profiles"},
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


@pytest.mark.parametrize(
    "module", ["run_all", "methods", "harness.report", "harness.experiment.store", "harness.benchmarks"]
)
def test_needs_no_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
