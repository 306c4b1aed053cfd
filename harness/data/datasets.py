"""Datasets in memory, as tensors of uint8 pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from harness.data.archives import BatchFiles, Download
from harness.data.digits import Digits
from harness.data.halves import Halves, IndexLists, read_lists
from harness.data.origin import Origin, content_digest, official_files
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
    """Test images. A search sees none of them unless `halves` says so, as published."""
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, in units of raw pixel values (0 to 255; digits: 0 to 16)."""
    halves: Halves
    """Which images bilevel search holds out."""
    lists: IndexLists | None
    """The benchmark's index lists for `halves`, if their file is in the data folder."""
    official: tuple[int, int] | None = None
    """Training and test images of the official set, as in `Source`."""
    origin: Origin = "external"

    @property
    def part(self) -> str | None:
        """Size of a subset, see `subset_size`."""
        return subset_size(len(self.train), len(self.test), self.official)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of all pixels and labels, in order."""
        digest = hashlib.sha256(self.name.encode())
        for tensor in (self.train.pixels, self.train.labels, self.test.pixels, self.test.labels):
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.numpy().data)
        return digest.hexdigest()


def subset_size(train: int, test: int, official: tuple[int, int] | None) -> str | None:
    """Size of a subset of the official images, e.g. `10000 of 50000`; None for all, or without an official set."""
    if official is None or (train, test) == official:
        return None
    return f"{train} of {official[0]}" if train != official[0] else f"{test} of {official[1]} test images"


@dataclass(frozen=True)
class Source:
    """Definition of a dataset: its files, normalisation, halves and digests."""

    files: BatchFiles | Digits
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Per channel, as in `Dataset`."""
    halves: Halves
    official: tuple[int, int]
    """Training and test images of the official set."""
    md5: Mapping[str, str] = field(default_factory=dict)
    """File name -> MD5 of the official file."""
    content: str | None = None
    """`origin.content_digest` of the official images; None where we could not compute it."""


def _of_255(*values: float) -> tuple[float, ...]:
    return tuple(255 * value for value in values)


DATASETS = {
    "digits": Source(
        Digits(),
        10,
        (4.882173196948682,),  # of the training images
        (6.018553518830272,),
        Halves(),
        official=(1_442, 355),
        content="657e69f3759c86f57af92692ba1bebf2c36e19c40724ee5c054cfbe1a773d0da",
    ),
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
        # Channel means and standard deviations of the 50,000 training images, as in every NAS code base.
        _of_255(0.4914, 0.4822, 0.4465),
        _of_255(0.2470, 0.2435, 0.2616),
        Halves("train", "cifar-split.txt", ("train", "valid")),
        official=(50_000, 10_000),
        # As in torchvision (torchvision/datasets/cifar.py).
        md5={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        content="55f4d1e3f544aecf6d0087750c212fafa0054f04e6659ed666b2ee92b45b47ca",
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
        # NAS-Bench-201 (D-X-Y/AutoDL-Projects, xautodl/datasets/get_dataset_with_transform.py), as imagenet16-120.
        (129.3, 124.1, 112.4),
        (68.2, 65.4, 70.4),
        Halves("test", "cifar100-test-split.txt", ("xvalid", "xtest")),
        official=(50_000, 10_000),
        md5={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
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
        # As in NAS-Bench-201's loader (D-X-Y/AutoDL-Projects, DownsampledImageNet.py).
        md5={
            "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
            "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
            "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
            "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
            "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
            "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
            "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
            "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
            "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
            "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
            "val_data": "3410e3017fdaefba8d5073aaa65e4bd6",
        },
    ),
}


@lru_cache(maxsize=2)
def load(name: str, folder: Path) -> Dataset:
    """Load a dataset by name, or an external one as `file.py:function` (harness.data.external).

    `folder` has the official files (docs/data.md) and the benchmark's index lists; digits need none. OSError or
    ValueError, one line, if a file is missing or not what it should be.
    """
    if ":" in name:
        from harness.data.external import read  # imports this module

        return read(name, folder)
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}")
    source = DATASETS[name]
    lists = read_lists(folder / source.halves.file, source.halves.keys) if source.halves.file else None
    parts = source.files.read(folder)
    train, test = map(_images, parts)
    origin = _origin(source, parts, folder)
    values = (source.classes, source.mean, source.std, source.halves, lists, source.official, origin)
    return Dataset(name, train, test, *values)


def _origin(source: Source, parts: tuple[Pixels, Pixels], folder: Path) -> Origin:
    if tuple(len(labels) for _, labels in parts) != source.official:
        return "subset"
    if isinstance(source.files, BatchFiles):
        download = source.files.download
        archive, archive_md5 = (folder / download.file, download.md5) if download else (None, "")
        if official_files(folder / source.files.folder, source.md5, archive, archive_md5):
            return "official"
        return "reordered" if content_digest(parts) == source.content else "unverified"
    return "official" if content_digest(parts) == source.content else "unverified"


def _images(part: Pixels) -> Images:
    pixels, labels = part
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels))
