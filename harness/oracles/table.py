"""The compact NAS-Bench-201 table (Dong and Yang, ICLR 2020): how good is a cell, in milliseconds for all of them.

A table is one small uncompressed `.npz` file that holds numbers only. Cells are numbered as in
`harness.spaces.nasbench201.index`; the rows of every array follow that order.

    format                              which layout this is
    source                              one line: where the numbers come from
    accuracy/<dataset>/<split>/<epochs> (15625, T) accuracies in percent, one column per trial, NaN where missing
    trials/<dataset>/<split>/<epochs>   (15625,) if it is there, the one column above is the mean over that many trials
    <measure>/<dataset>                 (15625,) training seconds, latency, parameters, multiply-adds; NaN where missing
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from harness.spaces import Arch, NASBench201
from harness.spaces.nasbench201 import CELLS, all_cells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FORMAT = "NAS-Bench-201 table 1"
MAX_BYTES = 20_000_000
HINT = "python -m harness.oracles.convert makes tables from other files"
EPOCHS = (12, 200)

# The test images of the two larger datasets are cut in halves; CIFAR-10's are not. Its x-valid and test accuracies
# come from different networks, so neither can be computed from the other.
SPLITS = {
    "cifar10": {
        "x-valid": "the held-out half of the training images",
        "test": "all test images, trained on all training images",
    },
    "cifar100": {"x-valid": "one half of the test images", "x-test": "the other half", "ori-test": "both halves"},
    "imagenet16-120": {"x-valid": "one half of the test images", "x-test": "the other half", "ori-test": "both halves"},
}
MEASURES = ("train_seconds", "latency_seconds", "params", "flops_millions")


class TableError(ValueError):
    """There is no usable table: its file is missing, damaged or something else, or its numbers cannot be right."""


class NotInTableError(LookupError):
    """The table, or the benchmark, has no such number."""


class Metric(NamedTuple):
    """Which accuracy. Numbers of different metrics must never be mixed."""

    dataset: str
    split: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.dataset} {self.split} at {self.epochs} epochs"


class Cost(NamedTuple):
    """Which cost (one of `MEASURES`) of the network for which dataset."""

    measure: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.measure} of {self.dataset}"


METRICS = tuple(Metric(dataset, split, epochs) for dataset in SPLITS for split in SPLITS[dataset] for epochs in EPOCHS)
MEASURED = tuple(metric for metric in METRICS if metric.split != "ori-test")
"""What a table stores: ori-test is the mean of x-valid and x-test."""
COSTS = tuple(Cost(measure, dataset) for measure in MEASURES for dataset in SPLITS)


@dataclass(frozen=True, eq=False)
class Accuracies:
    """One metric of all cells, in percent."""

    values: Floats
    """(15625, T), NaN where missing: one column per trial, or T = 1 and the mean over `trials`."""
    trials: Ints | None = None
    """(15625,) over how many trials each value is a mean, 0 = unknown; None: the columns are the trials."""

    @cached_property
    def mean(self) -> Floats:
        """(15625,) mean over the trials that are there, NaN where none is."""
        there = ~np.isnan(self.values)
        total = np.where(there, self.values, 0.0).sum(axis=1)
        mean = np.full(len(total), np.nan)
        np.divide(total, there.sum(axis=1), out=mean, where=there.any(axis=1))
        return mean

    @cached_property
    def counts(self) -> Ints:
        """(15625,) number of trials in `mean`, 0 where it is unknown or there is no value."""
        there = ~np.isnan(self.values)
        counts = there.sum(axis=1) if self.trials is None else np.where(there[:, 0], self.trials, 0)
        return counts.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Table:
    """Accuracies and costs of the 15,625 cells. It owns its arrays and makes them read-only.

    In every query `cells` are numbers from `cell_numbers`, an array (n,) or a list, and the answers are (n,). Asking
    for what the table lacks, if only for one of the cells, raises `NotInTableError`; a number that is no cell's,
    ValueError. TableError if shapes, types or values cannot be right.
    """

    source: str
    """One line: where the numbers come from."""
    accuracies: Mapping[Metric, Accuracies]
    """What was measured; keys out of `MEASURED`."""
    costs: Mapping[Cost, Floats]
    """(15625,) each; keys out of `COSTS`; training seconds are those of 200 epochs."""
    sha256: str = ""
    """The table's identity: SHA-256 of its file, which has the same bytes wherever it is written."""

    def __post_init__(self) -> None:
        if not self.source.strip() or not self.source.isprintable():
            raise TableError("the source of a table is one line of text")
        if not self.accuracies:
            raise TableError("it has no accuracies")
        for metric, known in self.accuracies.items():
            _check_accuracies(metric, known)
        for cost, values in self.costs.items():
            if cost not in COSTS:
                raise TableError(f"{cost} is no cost of NAS-Bench-201")
            _check(str(cost), values, np.float64, (CELLS,), upper=np.finfo(np.float64).max)
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.to_bytes()).hexdigest())

    # Queries -------------------------------------------------------------------------------------------------------

    def accuracy(self, cells: ArrayLike, dataset: str, split: str, epochs: int = 200) -> tuple[Floats, Ints]:
        """Mean accuracy (%) over the trials, and over how many trials (0: unknown), (n,) each."""
        metric = Metric(dataset, split, epochs)
        known = self._find(metric)
        numbers = _numbers(cells)
        return _present(metric, known.mean[numbers], numbers), known.counts[numbers]

    def trial_accuracies(self, cells: ArrayLike, dataset: str, split: str, epochs: int = 200) -> Floats:
        """(n, T) accuracy (%) of every trial, NaN for a trial that a cell lacks."""
        metric = Metric(dataset, split, epochs)
        known = self._find(metric)
        if known.trials is not None:
            raise NotInTableError(f"this table has only means over the trials of {metric}: ask for accuracy()")
        numbers = _numbers(cells)
        _present(metric, known.mean[numbers], numbers)
        return known.values[numbers]

    def train_seconds(self, cells: ArrayLike, dataset: str, epochs: int = 200) -> Floats:
        """Seconds to train for so many epochs, without evaluation, as recorded by the benchmark (one GPU).

        CIFAR-10: on the half of the training images that goes with x-valid; all of them take twice as long. The other
        two: on all training images. The benchmark's time per epoch is constant.
        """
        return self._cost(Cost("train_seconds", dataset), cells) * (epochs / 200)

    def latency_seconds(self, cells: ArrayLike, dataset: str) -> Floats:
        """Seconds per batch of 256 images."""
        return self._cost(Cost("latency_seconds", dataset), cells)

    def params(self, cells: ArrayLike, dataset: str) -> Ints:
        """Number of parameters of the trained network (16 channels, 5 cells per stage)."""
        return self._cost(Cost("params", dataset), cells).astype(np.int64)

    def flops_millions(self, cells: ArrayLike, dataset: str) -> Floats:
        """Multiply-adds for one image, in millions."""
        return self._cost(Cost("flops_millions", dataset), cells)

    def splits(self, dataset: str, epochs: int = 200) -> tuple[str, ...]:
        """The splits for which the table has accuracies after so many epochs."""
        return tuple(metric.split for metric in self.available if (metric.dataset, metric.epochs) == (dataset, epochs))

    @cached_property
    def available(self) -> tuple[Metric, ...]:
        """Every metric that can be asked for, ori-test included."""
        return tuple(metric for metric in METRICS if metric in self._known)

    def frame(self, cells: Iterable[str]) -> pd.DataFrame:
        """All that the table says of the accuracies of some cells, given as strings: each cell once per metric.

        Columns cell, dataset, split, epochs, value (%, mean over the trials), trials (0: unknown). No row where the
        table has no value.
        """
        names = list(dict.fromkeys(cells))
        numbers = cell_numbers(names)
        parts = []
        for metric in self.available:
            known = self._known[metric]
            values = {"value": known.mean[numbers], "trials": known.counts[numbers]}
            parts.append(pd.DataFrame({"cell": np.array(names, dtype=str), **metric._asdict(), **values}))
        return pd.concat(parts).dropna(subset=["value"]).reset_index(drop=True)

    @cached_property
    def _known(self) -> dict[Metric, Accuracies]:
        """What was measured, and ori-test where both of its halves are there."""
        known = dict(self.accuracies)
        for dataset, split, epochs in set(METRICS) - set(MEASURED):
            halves = [self.accuracies.get(Metric(dataset, half, epochs)) for half in ("x-valid", "x-test")]
            if halves[0] and halves[1]:
                known[Metric(dataset, split, epochs)] = _whole(halves[0], halves[1])
        return known

    def _find(self, metric: Metric) -> Accuracies:
        if metric not in self._known:
            raise NotInTableError(_why_unknown(metric, self.available))
        return self._known[metric]

    def _cost(self, cost: Cost, cells: ArrayLike) -> Floats:
        if cost not in self.costs:
            found = [dataset for measure, dataset in self.costs if measure == cost.measure]
            has = f"only of {', '.join(found)}" if found else "of no dataset"
            raise NotInTableError(f"this table has no {cost}, {has}; {HINT}")
        numbers = _numbers(cells)
        return _present(cost, self.costs[cost][numbers], numbers)

    # Files ---------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read a table. TableError, in one line, if the file is missing, damaged or something else."""
        content = _read(path)
        try:
            return cls(*_decode(content), sha256=hashlib.sha256(content).hexdigest())
        except Exception as error:  # whatever zipfile and numpy raise on bytes that are not theirs
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TableError(f"{path} is not a NAS-Bench-201 table ({reason}); {HINT}") from error

    def save(self, path: Path) -> None:
        """Write the table so that, whatever happens, the name stands for all of it or for what was there before."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                file.write(self.to_bytes())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def to_bytes(self) -> bytes:
        """The file's content: the same bytes for the same table on every machine."""
        members: dict[str, NDArray[Any]] = {"format": np.array(FORMAT), "source": np.array(self.source)}
        for metric in [metric for metric in MEASURED if metric in self.accuracies]:
            known = self.accuracies[metric]
            members[_name("accuracy", *metric)] = known.values
            if known.trials is not None:
                members[_name("trials", *metric)] = known.trials
        members |= {_name(*cost): self.costs[cost] for cost in COSTS if cost in self.costs}
        return _zip(members)


def cell_numbers(cells: Iterable[str | Arch]) -> Ints:
    """(n,) numbers of cells given as strings or tuples of operation names. ValueError if one is not a cell."""
    numbers = _all_numbers()
    try:
        return np.array([numbers[cell] for cell in cells], dtype=np.int64)
    except KeyError as error:
        raise ValueError(f"not a NAS-Bench-201 cell: {str(error)[:200]}") from None


@cache
def cell_strings() -> tuple[str, ...]:
    """The strings of all cells, in the order of their numbers."""
    space = NASBench201()
    return tuple(space.to_string(arch) for arch in all_cells())


@cache
def _all_numbers() -> dict[str | Arch, int]:
    numbers: dict[str | Arch, int] = {string: number for number, string in enumerate(cell_strings())}
    numbers.update((arch, number) for number, arch in enumerate(all_cells()))
    return numbers


def _numbers(cells: ArrayLike) -> Ints:
    numbers = np.asarray(cells)
    if numbers.size == 0:
        return np.zeros(numbers.shape, dtype=np.int64)
    if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= CELLS:
        raise ValueError(f"cells are whole numbers from 0 to {CELLS - 1} (see cell_numbers)")
    return numbers.astype(np.int64, copy=False)


def _present(what: Metric | Cost, values: Floats, numbers: Ints) -> Floats:
    missing = np.isnan(values)
    if missing.any():
        first = cell_strings()[numbers[missing][0]]
        raise NotInTableError(f"this table has no {what} for {missing.sum()} of the cells asked for, first {first}")
    return values


def _whole(first: Accuracies, second: Accuracies) -> Accuracies:
    """The accuracy on two equal halves together; trial by trial if that is how both are known."""
    if first.trials is None and second.trials is None and first.values.shape == second.values.shape:
        return Accuracies((first.values + second.values) / 2)
    mean = (first.mean + second.mean) / 2
    return Accuracies(mean[:, np.newaxis], np.minimum(first.counts, second.counts))


def _why_unknown(metric: Metric, available: tuple[Metric, ...]) -> str:
    if metric.dataset not in SPLITS:
        return f"NAS-Bench-201 has no dataset {metric.dataset!r}; it has {', '.join(SPLITS)}"
    splits = SPLITS[metric.dataset]
    if metric.split not in splits:
        choice = " or ".join(f"{name} ({meaning})" for name, meaning in splits.items())
        return f"{metric.dataset} has no split {metric.split!r}; ask for {choice}"
    found = [f"{split} at {epochs} epochs" for dataset, split, epochs in available if dataset == metric.dataset]
    has = ", ".join(found) or "nothing"
    return f"this table has no {metric}; of {metric.dataset} it has {has}; {HINT}"


def _check_accuracies(metric: Metric, known: Accuracies) -> None:
    if metric not in MEASURED:
        raise TableError(f"{metric} is no measured accuracy of NAS-Bench-201")
    columns = 1 if known.trials is not None else known.values.shape[-1]
    _check(str(metric), known.values, np.float64, (CELLS, columns), upper=100)
    if known.trials is not None:
        _check(f"trials of {metric}", known.trials, np.int64, (CELLS,), upper=100)


def _check(what: str, array: NDArray[Any], dtype: type, shape: tuple[int, ...], upper: float) -> None:
    if array.dtype != dtype or array.shape != shape:
        raise TableError(f"{what}: expected {dtype.__name__} of shape {shape}, got {array.dtype} {array.shape}")
    wrong = (array < 0) | (array > upper)
    if wrong.any():
        cell = cell_strings()[np.argwhere(wrong)[0][0]]
        raise TableError(f"{what}: {array[wrong][0]} is not between 0 and {upper:g} (cell {cell})")
    if np.isnan(array).all():
        raise TableError(f"{what}: no values")
    array.setflags(write=False)


# The file format ---------------------------------------------------------------------------------------------------


def _name(*parts: object) -> str:
    return "/".join(map(str, parts))


def _zip(members: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in members.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, not today
            info.create_system = 3  # and not by the machine that writes
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise TableError(f"cannot read the table {path}: no such file")
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path} is not a NAS-Bench-201 table: it has more than {MAX_BYTES // 10**6} MB")
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"cannot read the table {path}: {error.strerror}") from error


def _decode(content: bytes) -> tuple[str, dict[Metric, Accuracies], dict[Cost, Floats]]:
    members = _unzip(content)
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


def _unzip(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` file. Whatever it promises, no more is read than the file has bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
        if not stored or sum(member.file_size for member in members) > len(content):
            raise TableError("compressed")
        return {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}


def _array(member: bytes) -> NDArray[Any]:
    stream = io.BytesIO(member)
    np.lib.format.read_magic(stream)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if fortran_order:
        raise TableError("columns before rows")
    return np.frombuffer(member, dtype, offset=stream.tell()).reshape(shape)
