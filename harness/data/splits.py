"""What each step of a search may see. Fixed by the dataset and its data folder, not by the run's seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from harness.data.batches import Batches
from harness.data.datasets import Dataset, Images
from harness.data.halves import balanced_halves, misfit
from harness.data.streams import Streams

BALANCED_HALVES = "class-balanced halves, seed 0"


@dataclass(frozen=True)
class Split:
    """The images of one search, as positions (int64, ascending) in the dataset."""

    weights: Tensor
    """Of the training images, for the weight steps."""
    architecture: Tensor
    """Of the images named next, for the architecture steps."""
    architecture_of: Literal["train", "test"]
    name: str
    may_have_seen_test: bool
    """Whether some of `architecture` may be test images that the benchmark's lists keep for x-test: they are a half of
    the test images, but not by these lists. Then x-valid, x-test and ori-test are not of unseen images."""
    substitute: bool = False
    """Whether the benchmark has lists for this division but others were used."""

    @property
    def sha256(self) -> str:
        """Digest of the positions: with `Dataset.sha256` it says exactly which images the steps see."""
        digest = hashlib.sha256(self.architecture_of.encode())
        for part in (self.weights, self.architecture):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part.numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True)
class SearchData:
    """The images of one search and how to normalise them."""

    weights: Images
    """For the weight steps."""
    architecture: Images
    """For the architecture steps."""
    validation: Images | None
    """For the supernet's accuracy; None in single-level search, which holds nothing out."""
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def holds_out(self) -> bool:
        return self.validation is not None

    def streams(self, batch_size: int, scoring_batch: int, crop: bool, flip: bool, device: torch.device) -> Streams:
        """crop: out of a padding of an eighth of the side, flip: both at random, of the batches to train on."""
        batches = partial(Batches, mean=self.mean, std=self.std)
        padding = self.weights.pixels.shape[-1] // 8 if crop else 0
        training = partial(batches, batch_size=batch_size, crop_padding=padding, flip=flip)
        held_out = self.validation if self.validation is not None else self.architecture
        return Streams(
            training(self.weights.to(device)),
            training(self.architecture.to(device)),
            batches(held_out.to(device), batch_size=scoring_batch),
        )


def search_split(dataset: Dataset, bilevel: bool) -> Split:
    """Single level (ERM): all training images for both steps. Bilevel: as the dataset's `halves` say, by the
    benchmark's list if there is one that fits, else by halves of our own.

    Published (NAS-Bench-201 and GAEA): CIFAR-10, halves of the training images; CIFAR-100 and ImageNet16-120, weights
    on all training images, architecture on x-valid.
    """
    everything = torch.arange(len(dataset.train))
    if not bilevel:
        return Split(everything, everything, "train", "all training images for both steps", False)
    if dataset.halves.of == "train":
        first, second, name, official = _halves(dataset, dataset.train)
        return Split(first, second, "train", name, False, bool(dataset.halves.file) and not official)
    first, _, name, official = _halves(dataset, dataset.test)
    return Split(everything, first, "test", f"all training images, x-valid by {name}", not official, not official)


def _halves(dataset: Dataset, images: Images) -> tuple[Tensor, Tensor, str, bool]:
    """Two halves, their name, and whether they are the benchmark's."""
    # Lists are of positions in the official files: of other images they say nothing.
    if dataset.lists and dataset.origin == "official" and not misfit(dataset.lists, len(images)):
        return *dataset.lists, f"the benchmark's {dataset.halves.file}", True
    return *balanced_halves(images.labels), BALANCED_HALVES, False


def search_data(dataset: Dataset, bilevel: bool, split: Split | None = None) -> SearchData:
    """The images of a split, by default of `search_split`."""
    split = split or search_split(dataset, bilevel)
    architecture = _chosen(dataset.test if split.architecture_of == "test" else dataset.train, split.architecture)
    return SearchData(
        weights=_chosen(dataset.train, split.weights),
        architecture=architecture,
        validation=architecture if bilevel else None,
        classes=dataset.classes,
        mean=dataset.mean,
        std=dataset.std,
    )


def _chosen(images: Images, positions: Tensor) -> Images:
    return images if len(positions) == len(images) else images[positions]  # no copy of a whole set
