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

    Pixels (n, channels, H, W) uint8 with 1 or 3 channels, square, sides divisible by 4; labels (n,) integers from 0 to
    the number of classes minus 1, two classes or more, each with training images. ValueError, one line, for anything
    else. Mean and standard deviation are those of the training pixels; bilevel
    search holds out a class-balanced half of the training images.
    """
    try:
        train_pixels, train_labels, test_pixels, test_labels = arrays
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"dataset {name} must be four arrays: training pixels and labels, test pixels and labels"
        ) from error
    train = _images(f"dataset {name}, training images", train_pixels, train_labels)
    test = _images(f"dataset {name}, test images", test_pixels, test_labels)
    if train.pixels.shape[1:] != test.pixels.shape[1:]:
        raise ValueError(f"dataset {name}: training and test images have different shapes")
    values = train.pixels.double()
    mean = tuple(values.mean(dim=(0, 2, 3)).tolist())
    std = tuple(values.std(dim=(0, 2, 3)).clamp(min=1e-6).tolist())
    return Dataset(name, train, test, _classes(name, train, test), mean, std, Halves(), None)


def _images(what: str, pixels: ArrayLike, labels: ArrayLike) -> Images:
    try:
        values, classes = np.asarray(pixels), np.asarray(labels)
    except (RuntimeError, TypeError, ValueError) as error:  # rows of different lengths, or a tensor on another device
        raise ValueError(f"{what}: pixels and labels must be arrays: {error}") from error
    if values.dtype != np.uint8 or values.ndim != 4 or values.shape[1] not in (1, 3):
        raise ValueError(f"{what}: pixels must be uint8 (n, 1 or 3, H, W), got {values.dtype} {values.shape}")
    if not len(values):
        raise ValueError(f"{what}: there are none")
    if values.shape[2] != values.shape[3] or values.shape[2] % 4 or not values.shape[2]:
        raise ValueError(f"{what} must be square with sides divisible by 4, got {values.shape}")
    integers = classes.shape == values.shape[:1] and classes.dtype.kind in "iu"
    if not integers or (classes := classes.astype(np.int64)).min() < 0:  # which the largest unsigned ones become
        raise ValueError(f"{what}: labels must be one non-negative integer per image")
    return Images(torch.from_numpy(values.copy()), torch.from_numpy(classes))


def _classes(name: str, train: Images, test: Images) -> int:
    """The number of classes, all of which have training images."""
    known = train.labels.unique()
    if len(known) < 2:
        raise ValueError(f"dataset {name}: all training images are of one class, and a classifier needs two")
    for what, labels in (("training", known), ("test", test.labels)):
        if (other := int(labels.max())) >= len(known):
            raise ValueError(
                f"dataset {name}: labels must be 0 to {len(known) - 1}, as the training images have {len(known)}"
                f" classes; {what} images have {other}"
            )
    return len(known)
