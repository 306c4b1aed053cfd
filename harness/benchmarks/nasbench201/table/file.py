"""The file format of a table: a small, uncompressed `.npz` of numbers.

format                              name and version of the format
source                              origin of the numbers, one line
accuracy/<dataset>/<split>/<epochs> (15625, T) accuracies in percent, one column per trial, NaN if missing
trials/<dataset>/<split>/<epochs>   (15625,) optional: the single column above is the mean over this number of trials
<measure>/<dataset>                 (15625,) training and evaluation seconds, latency, parameters, multiply-adds; or NaN
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.nasbench201.table.metrics import COSTS, MEASURED, Accuracies, Cost, Floats, Metric, TableError
from harness.files import unzip_arrays, zip_arrays

FORMAT = "NAS-Bench-201 table 1"
MAX_BYTES = 20_000_000


def encode(source: str, accuracies: Mapping[Metric, Accuracies], costs: Mapping[Cost, Floats]) -> bytes:
    """The file's content: the same bytes for the same table on every machine."""
    members: dict[str, NDArray[Any]] = {"format": np.array(FORMAT), "source": np.array(source)}
    for metric in [metric for metric in MEASURED if metric in accuracies]:
        values, trials = accuracies[metric].values, accuracies[metric].trials
        members[_name("accuracy", *metric)] = values
        if trials is not None:
            members[_name("trials", *metric)] = trials
    members |= {_name(*cost): costs[cost] for cost in COSTS if cost in costs}
    return zip_arrays(members)


def decode(content: bytes) -> tuple[str, dict[Metric, Accuracies], dict[Cost, Floats]]:
    """Source, accuracies and costs, not validated. Bytes that `encode` did not write may raise any exception."""
    members = unzip_arrays(content)
    if str(members.pop("format", "")) != FORMAT:
        raise TableError("another format")
    source = members.pop("source").item()
    accuracies = {
        metric: Accuracies(members.pop(_name("accuracy", *metric)), members.pop(_name("trials", *metric), None))
        for metric in MEASURED
        if _name("accuracy", *metric) in members
    }
    costs = {cost: members.pop(_name(*cost)) for cost in COSTS if _name(*cost) in members}
    if members:
        raise TableError(f"unknown entry {next(iter(members))!r}")
    return source, accuracies, costs


def read(path: Path) -> bytes:
    """The content of a file that may be a table. TableError, one line, if it cannot be read or is too large."""
    try:
        if not path.is_file():
            raise TableError(f"cannot read the table {path}: no such file")
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path} is not a NAS-Bench-201 table: it has more than {MAX_BYTES // 10**6} MB")
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"cannot read the table {path}: {error.strerror}") from error


def _name(*parts: object) -> str:
    return "/".join(map(str, parts))
