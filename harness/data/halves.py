"""Splits a set of images in two halves: by the benchmark's index lists, or at random within each class.

NAS-Bench-201 publishes its lists as JSON (D-X-Y/AutoDL-Projects, configs/nas-benchmark): `{"train": ["int", ["1", "3",
...]], "valid": ["int", [...]]}`, indices in the order of the official files.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

LARGEST_FILE = 4_000_000
"""Bytes; the benchmark's largest file has 1,405,970."""

IndexLists = tuple[Tensor, Tensor]
"""Indices (int64, ascending) of the images of two parts."""


@dataclass(frozen=True)
class Halves:
    """Which images of a dataset are halved for bilevel search, and the benchmark's index lists for that."""

    of: Literal["train", "test"] = "train"
    """train: the first half is for the weights, the second for the architecture. test: all training images are for the
    weights, the first half of the test images (x-valid) for the architecture; the second (x-test) remains unseen."""
    file: str | None = None
    """Name of the index lists' file in the data folder. None: the benchmark does not cover the dataset."""
    keys: tuple[str, str] = ("train", "valid")
    """Keys of the two lists in the file."""


def read_lists(path: Path, keys: tuple[str, str]) -> IndexLists | None:
    """Read the two index lists of a benchmark file; None if there is no such file.

    ValueError, one line, if it is malformed; `mismatch` checks whether it fits a set of images.
    """
    if not path.exists():
        return None
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path} is larger than {LARGEST_FILE} bytes")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error
    if not isinstance(content, dict) or set(content) != set(keys):
        raise ValueError(f"{path} does not have the two lists {keys[0]!r} and {keys[1]!r}")
    return _indices(path, keys[0], content[keys[0]]), _indices(path, keys[1], content[keys[1]])


def _indices(path: Path, key: str, value: Any) -> Tensor:
    match value:
        case ["int", [_, *_] as texts] if all(map(_is_index, texts)):
            return torch.tensor(sorted(map(int, texts)), dtype=torch.int64)
    raise ValueError(f'{path}: {key!r} is not of the form ["int", ["0", "1", ...]]')


def _is_index(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10


def mismatch(lists: IndexLists, images: int) -> str | None:
    """Why the lists are not a split of this number of images; None if every image is in exactly one list."""
    indices = torch.cat(lists).sort().values
    if len(indices) != images:
        return f"it splits {len(indices)} images, not {images}"
    if not torch.equal(indices, torch.arange(images)):
        return "it does not list every image exactly once"
    return None


def balanced_halves(labels: Tensor) -> IndexLists:
    """Two random halves (seed 0) with the same number of images of every class, to within one."""
    generator = torch.Generator().manual_seed(0)
    in_first = torch.zeros(len(labels), dtype=torch.bool)
    spare = 0  # the extra images of classes with an odd number go to the halves in turn
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        count = (len(members) + spare) // 2
        spare = (spare + len(members)) % 2
        in_first[members[torch.randperm(len(members), generator=generator)[:count]]] = True
    return in_first.nonzero()[:, 0], (~in_first).nonzero()[:, 0]


def is_grouped(labels: Tensor) -> bool:
    """Whether neighbours are of one class more often than in a random order, by four standard errors, as where images
    are sorted by class."""
    if len(labels) < 2:
        return False
    chance = float((labels.bincount() / len(labels)).square().sum())
    alike = float((labels[1:] == labels[:-1]).float().mean())
    return alike > chance + 4 * math.sqrt(chance * (1 - chance) / (len(labels) - 1))


def mixed_order(images: int) -> Tensor:
    """Their indices in a random order (seed 0). In training mode, and where batch norms keep no statistics, an accuracy
    depends on the other images of the batch, which must not be of a few classes."""
    return torch.randperm(images, generator=torch.Generator().manual_seed(0))
