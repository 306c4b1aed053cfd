"""Readers of the official CIFAR archives (Krizhevsky 2009, "python version"), unpacked.

The archives are Python pickles. They are read by an unpickler that admits numpy arrays and plain containers only, so
that a file from elsewhere can do nothing but be refused.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = tuple[NDArray[np.uint8], NDArray[np.int64]]
CIFAR10_FOLDER = "cifar-10-batches-py"


def read_cifar10(folder: Path) -> tuple[Pixels, Pixels]:
    """Training and test set: pixels (n, 3, 32, 32) uint8, labels (n,) int64, in the order of the archive."""
    where = folder / CIFAR10_FOLDER
    if not where.is_dir():
        raise FileNotFoundError(f"no folder {where}: unpack the official cifar-10-python.tar.gz into {folder} (--data)")
    batches = [_read_batch(where / f"data_batch_{number}") for number in range(1, 6)]
    train = np.concatenate([pixels for pixels, _ in batches]), np.concatenate([labels for _, labels in batches])
    return train, _read_batch(where / "test_batch")


def _read_batch(path: Path) -> Pixels:
    try:
        with path.open("rb") as file:
            content = PlainUnpickler(file, encoding="bytes").load()
        pixels = np.asarray(content[b"data"])
        labels = np.asarray(content[b"labels"], dtype=np.int64)
        if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != 3072:
            raise ValueError(f"its data are {pixels.dtype} of shape {pixels.shape}, not uint8 of (n, 3072)")
        if labels.shape != pixels.shape[:1] or labels.min() < 0 or labels.max() > 9:
            raise ValueError("its labels are not one number from 0 to 9 per image")
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise ValueError(f"{path} is not a CIFAR-10 batch: {error}") from error
    return pixels.reshape(-1, 3, 32, 32), labels


class PlainUnpickler(pickle.Unpickler):
    """Refuses every global but those that a numpy array needs."""

    ADMITTED = frozenset(
        [
            ("numpy", "dtype"),
            ("numpy", "ndarray"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
        ]
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is refused")
        return super().find_class(
            module.replace("numpy.core", "numpy._core") if np.__version__ >= "2" else module, name
        )
