"""External image datasets: `--dataset my_data.py:load`, a user's function from the data folder to four arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from harness.data.datasets import Dataset, Images
from harness.data.halves import Halves
from harness.plugins import load_function


def read(word: str, folder: Path) -> Dataset:
    """Load the dataset of a user's function; its name is that of the file or module. ValueError if it is unusable."""
    function = load_function(word)
    try:
        arrays = function(folder)
    except Exception as error:  # whatever the user's code raises
        raise ValueError(f"dataset {word} raised {type(error).__name__}: {error}") from error
    name = word.rpartition(":")[0]
    return dataset_of(Path(name).stem if name.endswith(".py") else name.rpartition(".")[2], arrays)


def dataset_of(name: str, arrays: Any) -> Dataset:
    """Build a dataset from a user's arrays: training pixels, training labels, test pixels, test labels.

    Pixels (n, channels, H, W) uint8 with 1 or 3 channels, square, sides divisible by 4; labels (n,) integers from 0.
    ValueError, one line, for anything else. Mean and standard deviation are those of the training pixels; bilevel
    search holds out a class-balanced half of the training images.
    """
    try:
        train_pixels, train_labels, test_pixels, test_labels = arrays
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"dataset {name} must be four arrays: training pixels and labels, test pixels and labels"
        ) from error
    train, test = (_images(name, *part) for part in ((train_pixels, train_labels), (test_pixels, test_labels)))
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        raise ValueError(f"dataset {name}: training and test images have different shapes")
    values = train.pixels.double()
    mean = tuple(values.mean(dim=(0, 2, 3)).tolist())
    std = tuple(values.std(dim=(0, 2, 3)).clamp(min=1e-6).tolist())
    classes = int(max(train.labels.max(), test.labels.max())) + 1
    return Dataset(name, train, test, classes, mean, std, Halves(), None)


def _images(name: str, pixels: ArrayLike, labels: ArrayLike) -> Images:
    values, classes = np.asarray(pixels), np.asarray(labels)
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[1] not in (1, 3):
        raise ValueError(f"dataset {name}: pixels must be uint8 (n, 1 or 3, H, W), got {values.dtype} {values.shape}")
    if values.shape[2] != values.shape[3] or values.shape[2] % 4 or not len(values):
        raise ValueError(f"dataset {name}: images must be square with sides divisible by 4, got {values.shape}")
    if classes.shape != values.shape[:1] or classes.dtype.kind not in "iu" or classes.min() < 0:
        raise ValueError(f"dataset {name}: labels must be one non-negative integer per image")
    return Images(torch.from_numpy(values.copy()), torch.from_numpy(classes.astype(np.int64)))
