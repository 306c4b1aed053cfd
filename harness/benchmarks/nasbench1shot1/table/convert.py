"""Convert NAS-Bench-101 data to a compact table, which serves all three spaces.

    python -m harness table --space nasbench1shot1-1 nasbench_only108.tfrecord table.npz
    python -m harness table --space nasbench1shot1-1 test.npy table.npz

SOURCE is one of:

- nasbench_only108.tfrecord (0.5 GB) or nasbench_full.tfrecord (2 GB), whose addresses are in the README of
  google-research/nasbench: all three trainings of every cell, with held-out accuracies and durations. Takes some
  minutes, as the hash of every cell is computed again;
- an .npy file with the test accuracy of one training of each cell, as a fraction, in the order of the hashes:
  data/test.npy of Tongzhou0101/ObfuNAS. Takes some minutes, as all 1,293,208 graphs are hashed;
- an .npz file with the arrays hash_prefix (the first 16 digits of each hash) and correct (of 9,984 test images).

The number of cells, their hashes, the number of trainings and the best accuracy are checked, and so are the accuracies
of known cells.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.arguments import Parser
from harness.benchmarks.nasbench1shot1.cell import MOST_VERTICES, all_cells, cell_hash, pruned
from harness.benchmarks.nasbench1shot1.table import known
from harness.benchmarks.nasbench1shot1.table.table import CELLS, IMAGES, Counts, Table, TableError
from harness.benchmarks.nasbench1shot1.table.tfrecord import Outcome, Training, trainings
from harness.files import read_array

EPOCHS = 108
TRAININGS = 3
"""Of each cell, in the official files."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 with one line on standard error that says what is wrong."""
    options = parser().parse_args(arguments)
    try:
        if options.out.suffix != ".npz":
            raise TableError(f"{options.out}: the name of a table must end with .npz")
        table = read_source(options.source)
        table.save(options.out)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 2
    sys.stdout.write(_summary(table, options.out))
    return 0


def parser() -> argparse.ArgumentParser:
    result = Parser(
        prog="python -m harness table --space nasbench1shot1-1",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("source", metavar="SOURCE", type=Path, help="a .tfrecord, .npy or .npz file")
    result.add_argument("out", metavar="OUT", type=Path, help="the table to write, a .npz file")
    return result


def read_source(path: Path) -> Table:
    """ValueError or OSError if it cannot be read, or what it says cannot be right."""
    readers = {".tfrecord": read_official, ".npy": read_ordered, ".npz": read_hashed}
    if path.suffix not in readers:
        raise TableError(f"unknown source {path}: expected a {', '.join(readers)} file")
    table = readers[path.suffix](path)
    known.check(table)
    return table


def read_official(path: Path) -> Table:
    """The official files. Of the full one, only the trainings of 108 epochs count."""
    by_cell = collect(trainings(path))
    if len(by_cell) != CELLS or {len(outcomes) for outcomes in by_cell.values()} != {TRAININGS}:
        raise TableError(f"{path}: {len(by_cell)} cells, not {TRAININGS} trainings of each of {CELLS} cells")
    source = f"NAS-Bench-101, {TRAININGS} trainings of each cell, from a file with SHA-256 {_digest(path)}"
    return Table(source, *arrays_of(by_cell))


def collect(everything: Iterable[Training]) -> dict[str, list[Outcome]]:
    """The outcomes of trainings of 108 epochs, by the hash of their cell. TableError if a cell has another hash."""
    by_cell: dict[str, list[Outcome]] = {}
    for training in everything:
        if training.epochs == EPOCHS:
            if training.hash not in by_cell and cell_hash(pruned(training.cell)) != training.hash:
                raise TableError(f"the cell under the hash {training.hash} has another one")
            by_cell.setdefault(training.hash, []).append(training.outcome)
    return by_cell


def arrays_of(
    by_cell: Mapping[str, Sequence[Outcome]],
) -> tuple[NDArray[np.uint64], Counts, Counts, NDArray[np.float32]]:
    """Hashes, numbers of images of both splits, and seconds, as a table has them."""
    hashes = sorted(by_cell)
    numbers = np.array([by_cell[name] for name in hashes])  # (cells, trainings, 3)
    seconds, held_out, test = np.moveaxis(numbers, 2, 0)
    return _prefixes(hashes), _counts(test), _counts(held_out), seconds.astype(np.float32)


def read_ordered(path: Path) -> Table:
    """Accuracies of one training, in the order of the hashes of all cells."""
    fractions = read_array(path.read_bytes())
    if fractions.shape != (CELLS,):
        raise TableError(f"{path}: expected the accuracies of {CELLS} cells, got {fractions.shape}")
    hashes = sorted({cell_hash(cell) for count in range(2, MOST_VERTICES + 1) for cell in all_cells(count)})
    source = f"NAS-Bench-101, one training of each cell, from a file with SHA-256 {_digest(path)}"
    return Table(source, _prefixes(hashes), _counts(fractions[:, np.newaxis]))


def read_hashed(path: Path) -> Table:
    """Hashes and numbers of correctly classified images."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            hashes, correct = arrays["hash_prefix"], arrays["correct"]
    except OSError:
        raise
    except Exception as error:  # zipfile and numpy raise almost anything on other bytes
        raise TableError(f"{path}: not an .npz file with the arrays hash_prefix and correct ({error})") from error
    source = f"NAS-Bench-101, one training of each cell, from a file with SHA-256 {_digest(path)}"
    return Table(source, hashes.astype(np.uint64), correct.astype(np.uint16)[:, np.newaxis])


def _prefixes(hashes: Sequence[str]) -> NDArray[np.uint64]:
    return np.array([int(text[:16], 16) for text in hashes], dtype=np.uint64)


def _counts(fractions: ArrayLike) -> Counts:
    """Numbers of images. TableError unless all values are multiples of one image, up to single precision."""
    images = np.asarray(fractions, dtype=np.float64) * IMAGES
    rounded = np.rint(images)
    if not (np.abs(images - rounded) < 0.01).all() or rounded.min() < 0 or rounded.max() > IMAGES:
        raise TableError(f"accuracies must be multiples of 1/{IMAGES} between 0 and 1")
    return rounded.astype(np.uint16)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _summary(table: Table, path: Path) -> str:
    optional: dict[str, Any] = {"held-out accuracies": table.held_out, "seconds": table.seconds}
    has = [name for name, array in optional.items() if array is not None]
    lines = [
        f"wrote {path}: {path.stat().st_size} bytes, SHA-256 {table.sha256}",
        f"source: {table.source}",
        f"{CELLS} cells, {table.trainings} training(s) of each: {', '.join(['test accuracies', *has])}",
        f"verified: {'yes' if known.is_verified(table.sha256) else 'no, this file is not one that is known'}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
