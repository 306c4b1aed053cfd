"""What each step of a search may see. Fixed by the dataset, not by the run's seed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.data.datasets import Dataset, Images

BALANCED_HALVES = "class-balanced halves, seed 0"


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
    split: str
    """Name of the split."""


def search_data(dataset: Dataset, bilevel: bool) -> SearchData:
    """Single level (ERM): all training images for both steps. Bilevel: one half for each step."""
    if bilevel:
        first, second = balanced_halves(dataset.train.labels)
        weights, held_out = dataset.train[first], dataset.train[second]
        return SearchData(weights, held_out, held_out, dataset.classes, dataset.mean, dataset.std, BALANCED_HALVES)
    everything = dataset.train
    return SearchData(
        everything, everything, None, dataset.classes, dataset.mean, dataset.std, "all training images for both steps"
    )


def balanced_halves(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of two halves with the same number of images of every class (to within one), each in file order."""
    generator = torch.Generator().manual_seed(0)
    in_first = torch.zeros(len(labels), dtype=torch.bool)
    spare = 0  # classes with an odd number give their extra image to the halves in turn
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        count = (len(members) + spare) // 2
        spare = (spare + len(members)) % 2
        in_first[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return in_first.nonzero()[:, 0], (~in_first).nonzero()[:, 0]
