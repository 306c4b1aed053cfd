"""Datasets as whole tensors of uint8 pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness.data.cifar import read_cifar10


@dataclass(frozen=True)
class Images:
    """Pixels and labels of one set of images."""

    pixels: Tensor
    """(n, channels, H, W) uint8."""
    labels: Tensor
    """(n,) int64."""

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Images:
        return Images(self.pixels[index], self.labels[index])

    def to(self, device: torch.device) -> Images:
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Dataset:
    name: str
    train: Images
    """What a search may use."""
    test: Images
    """Never seen by a search."""
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, in units of raw pixel values (0 to 255; digits: 0 to 16)."""

    @property
    def sha256(self) -> str:
        """Digest of all pixels and labels, in order."""
        digest = hashlib.sha256(self.name.encode())
        for tensor in (self.train.pixels, self.train.labels, self.test.pixels, self.test.labels):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.numpy().tobytes())
        return digest.hexdigest()


@lru_cache(maxsize=2)
def load(name: str, folder: Path) -> Dataset:
    """A dataset by name. `folder` holds the official archives' folders; digits need none.

    OSError or ValueError, in one line, if files are absent or not what they should be.
    """
    return DATASETS[name](folder)


def _digits(folder: Path) -> Dataset:  # noqa: ARG001 - every reader takes the data folder
    """The 1,797 handwritten digits (8x8, grey) that scikit-learn ships; every fifth image of a class is for testing."""
    # Its file, not its load_digits(): importing scikit-learn would cost every run a second.
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise FileNotFoundError("the digits come with scikit-learn, which is not installed")
    rows = np.loadtxt(
        Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",", dtype=np.uint8
    )
    labels = torch.from_numpy(rows[:, -1].astype(np.int64))
    images = Images(torch.from_numpy(rows[:, :-1].reshape(-1, 1, 8, 8)), labels)
    position = torch.empty_like(labels)  # of an image within its class, in file order
    for label in range(10):
        members = (labels == label).nonzero()[:, 0]
        position[members] = torch.arange(len(members))
    is_test = position % 5 == 4
    train, test = images[(~is_test).nonzero()[:, 0]], images[is_test.nonzero()[:, 0]]
    pixels = train.pixels.double()
    return Dataset("digits", train, test, 10, (float(pixels.mean()),), (float(pixels.std()),))


def _cifar10(folder: Path) -> Dataset:
    train, test = (Images(torch.from_numpy(p), torch.from_numpy(y)) for p, y in read_cifar10(folder))
    # Channel means and deviations of the 50,000 training images, as every NAS code base uses them.
    mean = tuple(255 * value for value in (0.4914, 0.4822, 0.4465))
    std = tuple(255 * value for value in (0.2470, 0.2435, 0.2616))
    return Dataset("cifar10", train, test, 10, mean, std)


DATASETS: dict[str, Callable[[Path], Dataset]] = {"digits": _digits, "cifar10": _cifar10}
