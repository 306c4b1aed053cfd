"""Search splits: the images of the weight and of the architecture steps. They do not depend on the run's seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from harness.data.batches import Batches
from harness.data.datasets import Dataset, Images
from harness.data.halves import balanced_halves, is_grouped, mismatch, mixed_order
from harness.data.streams import Streams

BALANCED_HALVES = "class-balanced halves, seed 0"


@dataclass(frozen=True)
class Split:
    """The images of one search, as indices (int64, ascending) in the dataset."""

    train: Tensor
    """Indices of training images, for the weight steps."""
    held_out: Tensor
    """Indices in the set `held_out_of`, for the architecture steps; in single-level search the training images."""
    held_out_of: Literal["train", "test"]
    name: str
    may_have_seen_test: bool
    """Whether `held_out` may contain test images that belong to x-test by the benchmark's lists: it is a half of
    the test images, but not by these lists. Then x-valid, x-test and ori-test do not measure unseen images."""
    substitute: bool = False
    """Whether the benchmark publishes lists for this split but others were used."""
    mixed: bool = False
    """Whether the supernet is validated on `held_out` in a random order, as it is grouped by class."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the indices: together with `Dataset.sha256` it identifies the images that the steps see."""
        digest = hashlib.sha256(self.held_out_of.encode())
        for indices in (self.train, self.held_out):
            digest.update(len(indices).to_bytes(8, "little"))
            digest.update(indices.numpy().data)
        digest.update(b"mixed" * self.mixed)
        return digest.hexdigest()


@dataclass(frozen=True)
class SearchData:
    """The images of one search, with their normalisation."""

    train: Images
    """For the weight steps."""
    held_out: Images
    """For the architecture steps; single-level search holds nothing out, and they see the training images."""
    validation: Images | None
    """For the supernet's validation accuracy; None in single-level search, which holds nothing out."""
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def holds_out(self) -> bool:
        return self.validation is not None

    def streams(self, batch_size: int, validation_batch: int, crop: bool, flip: bool, device: torch.device) -> Streams:
        """Build the streams on a device. crop, flip: random crops (padding: a side's eighth) and flips in training."""
        batches = partial(Batches, mean=self.mean, std=self.std)
        padding = self.train.pixels.shape[-1] // 8 if crop else 0
        training = partial(batches, batch_size=batch_size, crop_padding=padding, flip=flip)
        validation = self.held_out if self.validation is None else self.validation
        return Streams(
            training(self.train.to(device)),
            training(self.held_out.to(device)),
            batches(validation.to(device), batch_size=validation_batch),
        )


def search_split(dataset: Dataset, bilevel: bool) -> Split:
    """Single-level search (ERM): all training images for both steps. Bilevel: as in the dataset's `halves`, by the
    benchmark's lists if they are available, else by class-balanced halves. ValueError if the lists do not fit.

    Published (NAS-Bench-201 and GAEA): CIFAR-10, halves of the training images; CIFAR-100 and ImageNet16-120, weights
    on all training images, architecture on x-valid.
    """
    all_training = torch.arange(len(dataset.train))
    if not bilevel:
        return Split(all_training, all_training, "train", "all training images for both steps", False)
    if dataset.halves.of == "train":
        first, second, name, official = _halves(dataset, dataset.train)
        mixed = is_grouped(dataset.train.labels[second])
        return Split(first, second, "train", name, False, bool(dataset.halves.file) and not official, mixed)
    first, _, name, official = _halves(dataset, dataset.test)
    name, mixed = f"all training images, x-valid by {name}", is_grouped(dataset.test.labels[first])
    return Split(all_training, first, "test", name, not official, not official, mixed)


def _halves(dataset: Dataset, images: Images) -> tuple[Tensor, Tensor, str, bool]:
    """Two halves, their name, and whether they are the benchmark's. ValueError if there are lists that do not fit."""
    # The lists are indices in the official files, and meaningless for images in another order.
    if dataset.lists and dataset.origin == "official":
        if reason := mismatch(dataset.lists, len(images)):
            raise ValueError(f"{dataset.halves.file} does not fit {dataset.name}: {reason}")
        return *dataset.lists, f"the benchmark's {dataset.halves.file}", True
    return *balanced_halves(images.labels), BALANCED_HALVES, False


def search_data(dataset: Dataset, bilevel: bool, split: Split | None = None) -> SearchData:
    """The images of a split; default: `search_split`."""
    split = split or search_split(dataset, bilevel)
    held_out = _subset(dataset.test if split.held_out_of == "test" else dataset.train, split.held_out)
    return SearchData(
        train=_subset(dataset.train, split.train),
        held_out=held_out,
        validation=(held_out[mixed_order(len(held_out))] if split.mixed else held_out) if bilevel else None,
        classes=dataset.classes,
        mean=dataset.mean,
        std=dataset.std,
    )


def _subset(images: Images, indices: Tensor) -> Images:
    return images if len(indices) == len(images) else images[indices]  # avoids a copy of the whole set
