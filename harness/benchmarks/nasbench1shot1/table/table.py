"""The compact NAS-Bench-101 table: an uncompressed `.npz` of numbers.

format    name and version of the format
source    origin of the numbers, one line
hash      (423624,) uint64, the first 16 hexadecimal digits of each cell's hash, ascending
test      (423624, T) uint16, of 9,984 test images, how many each of T trainings classified correctly
held-out  (423624, T) optional: the same of as many training images that were held out
seconds   (423624, T) float32, optional: duration of each training
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.files import unzip_arrays, write_atomically, zip_arrays

FORMAT = "NAS-Bench-101 table 1"
CELLS = 423_624
IMAGES = 9_984
"""In 39 batches of 256, of the 10,000 images of a split."""
BEST = 9_451
"""The most test images that a training of any cell classified correctly."""
MAX_BYTES = 40_000_000
HINT = "python -m harness table makes tables from other files"

Counts = NDArray[np.uint16]


class TableError(ValueError):
    """A table is unusable: its file is missing, corrupt or of another kind, or its numbers cannot be right."""


@dataclass(frozen=True, eq=False)
class Table:
    """See above for the arrays. TableError if shapes, types or values cannot be right."""

    source: str
    hashes: NDArray[np.uint64]
    test: Counts
    held_out: Counts | None = None
    seconds: NDArray[np.float32] | None = None
    sha256: str = ""
    """Of its file, whose bytes are the same on every machine."""

    def __post_init__(self) -> None:
        if not self.source.strip() or not self.source.isprintable():
            raise TableError("the source of a table must be one line of text")
        if self.hashes.dtype != np.uint64 or self.hashes.shape != (CELLS,):
            raise TableError(f"expected the hashes of {CELLS} cells, got {self.hashes.shape}")
        if not (self.hashes[1:] > self.hashes[:-1]).all():
            raise TableError("the hashes must be distinct and ascending")
        for name, counts in (("test", self.test), ("held-out", self.held_out)):
            if counts is not None and (counts.dtype != np.uint16 or counts.shape != self.test.shape):
                raise TableError(f"{name}: expected numbers of images for each training, got {counts.shape}")
            if counts is not None and counts.max() > IMAGES:
                raise TableError(f"{name}: {counts.max()} of {IMAGES} images are classified correctly")
        if self.test.ndim != 2 or len(self.test) != CELLS or not self.test.shape[1]:
            raise TableError(f"expected the accuracies of {CELLS} cells, got {self.test.shape}")
        seconds = self.seconds
        if seconds is not None and (seconds.dtype != np.float32 or seconds.shape != self.test.shape):
            raise TableError(f"expected the seconds of each training, got {seconds.shape}")
        if seconds is not None and not (np.isfinite(seconds) & (seconds > 0)).all():
            raise TableError("a training must take seconds")
        if self.test.max() != BEST:
            raise TableError(f"the best training classifies {self.test.max()} of {IMAGES} test images, not {BEST}")
        if not self.sha256:
            object.__setattr__(self, "sha256", hashlib.sha256(self.to_bytes()).hexdigest())

    @property
    def trainings(self) -> int:
        """T, of each cell."""
        return int(self.test.shape[1])

    def number(self, cell_hash: str) -> int:
        """The position of a cell. ValueError if the benchmark has no such cell."""
        prefix = np.uint64(int(cell_hash[:16], 16))
        position = int(np.searchsorted(self.hashes, prefix))
        if position == CELLS or self.hashes[position] != prefix:
            raise ValueError(f"NAS-Bench-101 has no cell with the hash {cell_hash}")
        return position

    @cached_property
    def accuracies(self) -> dict[str, NDArray[np.float64]]:
        """By split, (423624,) mean accuracy (%) over the trainings."""
        counts = {"test": self.test, "held-out": self.held_out}
        return {name: 100 * c.mean(axis=1, dtype=np.float64) / IMAGES for name, c in counts.items() if c is not None}

    # Files ---------------------------------------------------------------------------------------------------------

    @classmethod
    def load(cls, path: Path) -> Table:
        """Read a table. TableError, one line, if the file is missing, corrupt or of another kind."""
        try:
            if path.stat().st_size > MAX_BYTES:
                raise TableError(f"{path} has more than {MAX_BYTES // 10**6} MB")
            content = path.read_bytes()
        except OSError as error:
            raise TableError(f"cannot read the table {path}: {error.strerror}") from error
        try:
            arrays = unzip_arrays(content)
            if str(arrays.pop("format", "")) != FORMAT:
                raise TableError("another format")
            known = {name: arrays.pop(name, None) for name in ("held-out", "seconds")}
            required = arrays.pop("source").item(), arrays.pop("hash"), arrays.pop("test")
            if arrays:
                raise TableError(f"unknown entry {next(iter(arrays))!r}")
            return cls(*required, known["held-out"], known["seconds"], hashlib.sha256(content).hexdigest())
        except Exception as error:  # zipfile and numpy raise almost anything on other bytes
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TableError(f"{path} is not a NAS-Bench-101 table ({reason}); {HINT}") from error

    def save(self, path: Path) -> None:
        """Write the table atomically. WriteError if it cannot be written."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The file's content, the same bytes for the same table on every machine."""
        arrays: dict[str, NDArray[Any]] = {"format": np.array(FORMAT), "source": np.array(self.source)}
        arrays |= {"hash": self.hashes, "test": self.test}
        optional = {"held-out": self.held_out, "seconds": self.seconds}
        return zip_arrays({**arrays, **{name: array for name, array in optional.items() if array is not None}})
