"""Imports point one way, and looking is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MAY_IMPORT = {
    "spaces": set(),
    "files": set(),
    "store": {"files"},
    "devices": set(),
    "profiles": set(),
    "simplex": set(),
    "optimizers": {"simplex"},
    "registry": set(),
    "arguments": {"profiles"},
    "data": {"registry"},
    "api": {"spaces"},
    "supernets": {"spaces"},
    "oracles": {"files", "spaces"},
    "training": {"api", "supernets", "data", "store", "spaces", "simplex", "profiles"},
    "report": {"files", "store", "spaces", "oracles"},
    "progress": {"store"},
    "claims": {"files"},
    "memory": set(),
    "provenance": {"memory"},
    "checkpoints": {"files", "store", "training"},
    "lookups": {"claims", "oracles", "store"},
    "__main__": {"api", "conformance", "data", "oracles", "profiles", "registry"},
    "conformance": {"api", "data", "oracles", "profiles", "spaces", "training"},
    "plan": {"api", "conformance", "data", "oracles", "profiles", "registry", "spaces", "store"},
    "scheduling": {"claims", "devices", "plan", "runner", "store"},
    "training/retrain.py": {
        "arguments",
        "devices",
        "profiles",
        "progress",
        "provenance",
        "runner",
        "scheduling",
        "store",
    },
    "estimates": {"memory", "plan", "runner", "training"},
    "runner": {
        "api",
        "checkpoints",
        "data",
        "files",
        "memory",
        "oracles",
        "plan",
        "profiles",
        "provenance",
        "registry",
        "spaces",
        "store",
        "training",
    },
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
    place = path.relative_to(ROOT / "harness")
    here = place.parts[0].removesuffix(".py")
    allowed = MAY_IMPORT.get(str(place), set()) | MAY_IMPORT.get(here, set())  # a command may import more than its room
    for name in imported(path):
        assert name.split(".")[0] not in ("methods", "run_all", "tests")
        if here != "__init__" and room(name) in MAY_IMPORT:
            assert room(name) == here or room(name) in allowed, f"{here} imports {name}"


@pytest.mark.parametrize("module", ["run_all", "methods", "harness.report", "harness.store", "harness.spaces"])
def test_needs_no_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
