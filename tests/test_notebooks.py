"""The notebooks: what is committed is executed, small and tells nothing of the machine; and every cell runs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MAX_BYTES = 300_000
CELL_SECONDS = 500
ABSOLUTE = re.compile(r"(?<![\w.:/<])/(?:tmp|home|root|work|usr|opt|var|private|Users)/|\b[A-Z]:\\\\")

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path):
    """The code cells."""
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 7


@each
def test_committed_notebooks_are_executed_from_top_to_bottom(path):
    cells = code(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]


@each
def test_committed_notebooks_are_small_and_name_no_place(path):
    assert path.stat().st_size < MAX_BYTES
    for cell in code(path):
        text = json.dumps([{**output, "data": _texts(output)} for output in cell["outputs"]])
        assert not ABSOLUTE.search(text), text
        assert not re.search(r"0x[0-9a-f]{8,}", text), "an address in memory differs from run to run"
        assert "execution" not in cell["metadata"], "times of execution differ from run to run"


def test_the_method_is_the_one_of_the_readme():
    written = [source(cell) for cell in code(ROOT / "notebooks" / "02_a_new_optimizer.ipynb")]
    method = next(text.partition("\n")[2] for text in written if text.startswith("%%writefile my_method.py"))
    assert f"```python\n{method.strip()}\n```" in (ROOT / "README.md").read_text()


@pytest.mark.notebooks
@each
def test_every_cell_runs(path, tmp_path, monkeypatch):
    """In a temporary folder, by the packages of this checkout."""
    nbclient = pytest.importorskip("nbclient", reason="no nbclient: pip install '.[notebooks]'")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="no ipykernel: pip install '.[notebooks]'")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    monkeypatch.delenv("NAS_TABLE", raising=False)
    committed = {entry: entry.read_bytes() for entry in (ROOT / "notebooks").iterdir() if entry.is_file()}
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=place).execute()
    assert {entry: entry.read_bytes() for entry in (ROOT / "notebooks").iterdir() if entry.is_file()} == committed


def _texts(output):
    """What an output shows but for pictures, whose letters could be anything."""
    return {kind: text for kind, text in output.get("data", {}).items() if not kind.startswith("image/")}
