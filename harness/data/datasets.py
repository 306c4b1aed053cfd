"""Datasets as whole tensors of uint8 pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from harness.data.archives import BatchFiles, Download
from harness.data.digits import Digits
from harness.data.halves import Halves, IndexLists, read_lists
from harness.data.pickles import Pixels


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
    test: Images
    """For testing. A search sees none of them, unless `halves` says that it does, as published."""
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, in units of raw pixel values (0 to 255; digits: 0 to 16)."""
    halves: Halves
    """What bilevel search holds out."""
    lists: IndexLists | None
    """The benchmark's own division for `halves`, where its file lies in the data folder."""
    official: tuple[int, int] | None = None
    """As in `Source`."""

    @property
    def part(self) -> dict[str, str]:
        """As `share_of` says."""
        return share_of(len(self.train), len(self.test), self.official)

    @cached_property
    def sha256(self) -> str:
        """Digest of all pixels and labels, in order."""
        digest = hashlib.sha256(self.name.encode())
        for tensor in (self.train.pixels, self.train.labels, self.test.pixels, self.test.labels):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.numpy().data)
        return digest.hexdigest()


def share_of(train: int, test: int, official: tuple[int, int] | None) -> dict[str, str]:
    """How many of the official images there are, if not all, as in {"images": "10000 of 50000"}.

    It is recorded like a setting that the user changed, so that no report takes a search on a subset for one on the
    whole dataset.
    """
    if official is None or (train, test) == official:
        return {}
    if train != official[0]:
        return {"images": f"{train} of {official[0]}"}
    return {"test_images": f"{test} of {official[1]}"}


@dataclass(frozen=True)
class Source:
    """All that there is to say of a dataset: its files, its normalisation, its halves."""

    files: BatchFiles | Digits
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """As in `Dataset`."""
    halves: Halves
    official: tuple[int, int] | None = None
    """Training and test images of the official set; None where there is but one copy."""


def _of_255(*values: float) -> tuple[float, ...]:
    return tuple(255 * value for value in values)


DATASETS = {
    "digits": Source(Digits(), 10, (4.882173196948682,), (6.018553518830272,), Halves()),  # of the training images
    "cifar10": Source(
        BatchFiles(
            folder="cifar-10-batches-py",
            train=tuple(f"data_batch_{number}" for number in range(1, 6)),
            test=("test_batch",),
            side=32,
            labels=range(10),
            keep=range(10),
            download=Download(
                file="cifar-10-python.tar.gz",
                url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                md5="c58f30108f718f92721af3b95e74349a",
            ),
        ),
        10,
        # Channel means and deviations of the 50,000 training images, as every NAS code base uses them.
        _of_255(0.4914, 0.4822, 0.4465),
        _of_255(0.2470, 0.2435, 0.2616),
        Halves("train", "cifar-split.txt", ("train", "valid")),
        official=(50_000, 10_000),
    ),
    "cifar100": Source(
        BatchFiles(
            folder="cifar-100-python",
            train=("train",),
            test=("test",),
            side=32,
            labels=range(100),
            keep=range(100),
            label_key="fine_labels",
            download=Download(
                file="cifar-100-python.tar.gz",
                url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                md5="eb9058c3a382ffc7106e4002c42a8d85",
            ),
        ),
        100,
        # NAS-Bench-201 (D-X-Y/AutoDL-Projects, xautodl/datasets/get_dataset_with_transform.py), as for the next one.
        (129.3, 124.1, 112.4),
        (68.2, 65.4, 70.4),
        Halves("test", "cifar100-test-split.txt", ("xvalid", "xtest")),
        official=(50_000, 10_000),
    ),
    # Downsampled ImageNet (Chrabaszcz et al. 2017, arXiv:1707.08819), of which NAS-Bench-201 keeps the first 120
    # classes: 151,700 and 6,000 images.
    "imagenet16-120": Source(
        BatchFiles(
            folder="ImageNet16",
            train=tuple(f"train_data_batch_{number}" for number in range(1, 11)),
            test=("val_data",),
            side=16,
            labels=range(1, 1001),
            keep=range(1, 121),
        ),
        120,
        (122.68, 116.66, 104.01),
        (63.22, 61.26, 65.09),
        Halves("test", "imagenet-16-120-test-split.txt", ("xvalid", "xtest")),
        official=(151_700, 6_000),
    ),
}


@lru_cache(maxsize=2)
def load(name: str, folder: Path) -> Dataset:
    """A dataset by name, or a user's own as `file.py:function` (harness.data.external).

    `folder` holds the official files (README) and the benchmark's index lists; digits need none.

    OSError or ValueError, in one line, if files are absent or not what they should be.
    """
    if ":" in name:
        from harness.data.external import read  # which makes what this module defines

        return read(name, folder)
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}")
    source = DATASETS[name]
    lists = read_lists(folder / source.halves.file, source.halves.keys) if source.halves.file else None
    train, test = (_images(part) for part in source.files.read(folder))
    return Dataset(name, train, test, source.classes, source.mean, source.std, source.halves, lists, source.official)


def _images(part: Pixels) -> Images:
    pixels, labels = part
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels))
