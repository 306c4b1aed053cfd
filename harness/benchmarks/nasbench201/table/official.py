"""Reads the official NATS-Bench topology files (Dong, Liu, Musial and Gabrys, TPAMI 2021) with the package nats_bench.

A source is a folder (`NATS-tss-v1_0-3ffb9-simple`) or a single file (`NATS-tss-v1_0-3ffb9.pickle.pbz2`). Both are
pickles, which can execute any code when they are read. They are read only if the user trusts them explicitly or gives
their checksum. A table gets:

- 12 and 200 epochs, every trial in the order of the seeds, so that a table's accuracy is the mean over the trials (what
  the package returns for `is_random=False`; its default is one random trial and 12 epochs);
- CIFAR-10: x-valid from `cifar10-valid` (trained on half of the training images), test from `cifar10` (trained on all
  of them), where the package calls it ori-test. The test accuracy of `cifar10-valid` is neither of them;
- CIFAR-100 and ImageNet16-120: x-valid and x-test, whose mean is ori-test;
- training seconds of 200 epochs, seconds of an evaluation, latency and multiply-adds of the networks evaluated on
  x-valid; on CIFAR-10 the training seconds are those for half of the training images. Some trials record the size of
  another network: the multiply-adds are those of a trial with the right number of parameters, which is computed from
  the cell.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.cells import cell_numbers, network_params
from harness.benchmarks.nasbench201.table.metrics import EPOCHS, Accuracies, Cost, Floats, Metric, TableError
from harness.benchmarks.nasbench201.table.table import Table

SUFFIX = ".pickle.pbz2"
CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet16-120": 120}

# Our dataset and split -> the package's names of the training set and the evaluation set.
ACCURACIES = {
    ("cifar10", "x-valid"): ("cifar10-valid", "x-valid"),
    ("cifar10", "test"): ("cifar10", "ori-test"),
    ("cifar100", "x-valid"): ("cifar100", "x-valid"),
    ("cifar100", "x-test"): ("cifar100", "x-test"),
    ("imagenet16-120", "x-valid"): ("ImageNet16-120", "x-valid"),
    ("imagenet16-120", "x-test"): ("ImageNet16-120", "x-test"),
}
Results = Mapping[str, Any]
"""Results of one cell: "12" or "200" epochs -> the package's `ArchResults`."""


def is_nats(source: str) -> bool:
    """Whether a source looks like NATS-Bench files: a folder, or a file with their suffix."""
    return source.endswith(SUFFIX) or Path(source).is_dir()


def read_nats(path: Path, trust: bool = False, sha256: str | None = None) -> Table:
    """Read an official folder or file. The table has no accuracies for cells that a partial folder lacks.

    `trust` executes whatever code the pickles contain; `sha256` is the expected result of `checksum`. TableError, one
    line, if neither is given, the checksum differs, or the source is of another kind.
    """
    if not trust and sha256 is None:
        raise TableError(f"{path}: reading pickles executes the code in them; give --trust, or a --sha256 you know")
    digest = checksum(path)
    if sha256 is not None and digest != sha256.lower():
        raise TableError(f"{path} has another checksum: its SHA-256 is {digest}")
    try:
        source = f"NATS-Bench topology files {path.resolve().name}, SHA-256 {digest}"
        return Table(source, *_collect(_cells(path)))
    except Exception as error:  # a corrupt pickle, or one of another kind, can raise almost anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise TableError(f"{path}: not the topology files of NATS-Bench, or corrupt ones ({reason[:200]})") from error


def checksum(path: Path) -> str:
    """SHA-256 of a file; of a folder, that of the output of `sha256sum *.pickle.pbz2` inside it."""
    try:
        if not path.is_dir():
            return _sha256(path)
        files = sorted(path.glob(f"*{SUFFIX}"))
        if path / f"meta{SUFFIX}" not in files:
            raise TableError(f"{path}: not a folder of NATS-Bench topology files: it has no meta{SUFFIX}")
        return hashlib.sha256("".join(f"{_sha256(file)}  {file.name}\n" for file in files).encode()).hexdigest()
    except OSError as error:
        raise TableError(f"cannot read {error.filename}: {error.strerror}") from error


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _cells(path: Path) -> Iterator[tuple[str, Results]]:
    """Yield the string and results of every cell; a folder's cells are held in memory one at a time."""
    import nats_bench  # not at the top, so that other sources do not need it

    is_folder = path.is_dir()
    api = nats_bench.create(str(path), "tss", fast_mode=is_folder, verbose=False)
    for index in _indices(path) if is_folder else sorted(api.evaluated_indexes):
        if is_folder:
            api.reload(str(path), index)
        yield api.arch(index), api.arch2infos_dict.pop(index)


def _indices(folder: Path) -> list[int]:
    """The benchmark's indices of the cells in a folder, whose files are named 000000.pickle.pbz2 and so on."""
    names = [file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}")]
    return sorted({int(name) for name in names if name.isdecimal()})


def _collect(cells: Iterator[tuple[str, Results]]) -> tuple[dict[Metric, Accuracies], dict[Cost, Floats]]:
    trials: dict[Metric, dict[int, list[float]]] = defaultdict(dict)
    params = {dataset: network_params(classes) for dataset, classes in CLASSES.items()}
    costs = {Cost("params", dataset): values for dataset, values in params.items()}
    for cell, results in cells:
        number = int(cell_numbers([cell])[0])
        for epochs in EPOCHS:
            for (dataset, split), (trained_on, evaluated_on) in ACCURACIES.items():
                values = [trial.get_eval(evaluated_on)["accuracy"] for trial in _trials(results, epochs, trained_on)]
                if values:
                    trials[Metric(dataset, split, epochs)][number] = values
        for dataset in CLASSES:
            for cost, value in _costs(results, dataset, params[dataset][number]):
                costs.setdefault(cost, np.full(CELLS, np.nan))[number] = value
    return {metric: Accuracies.of_trials(by_cell) for metric, by_cell in trials.items()}, costs


def _trials(results: Results, epochs: int, trained_on: str) -> list[Any]:
    """The package's `ResultsCount` of every available trial, in the order of the seeds."""
    arch_results = results.get(str(epochs))
    if arch_results is None or trained_on not in arch_results.get_dataset_names():
        return []
    return [trial for _, trial in sorted(arch_results.query(trained_on).items())]


def _costs(results: Results, dataset: str, params: float) -> Iterator[tuple[Cost, float]]:
    """The recorded costs. All trials of a cell record the same seconds and latency, but not the same size."""
    trained_on, _ = ACCURACIES[dataset, "x-valid"]
    trials = _trials(results, 200, trained_on)
    for trial in trials[:1]:
        yield Cost("train_seconds", dataset), trial.get_times()["T-train@total"]
        yield Cost("evaluation_seconds", dataset), trial.get_times()["T-x-valid@epoch"]
        if trial.get_latency() > 0:  # -1 where it was not measured
            yield Cost("latency_seconds", dataset), trial.get_latency()
    for trial in [trial for trial in trials if round(trial.params * 1e6) == params][:1]:
        yield Cost("flops_millions", dataset), trial.flop
