"""Shuffled, augmented and normalised batches, computed for a whole batch at once on the device of the images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from harness.data.datasets import Images
from harness.data.streams import Batch


@dataclass(frozen=True)
class Batches:
    """The `Stream` of a set of images in memory. Grey images get three equal channels."""

    images: Images
    batch_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_padding: int = 0
    """Zero padding (pixels on every side) for a random crop of the original size."""
    flip: bool = False
    """Flip images horizontally with probability 0.5."""
    cutout: int = 0
    """Side in pixels of the square that `cut_out` zeroes in every image; 0: none."""

    @property
    def size(self) -> int:
        return len(self.images)

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def one_pass(self, generator: torch.Generator) -> Iterator[Batch]:
        """Every image once, in random order. `generator`: of the CPU, so that all devices see the same."""
        n, device = len(self.images), self.images.labels.device
        order = torch.randperm(n, generator=generator).to(device)
        shifts = torch.randint(2 * self.crop_padding + 1, (n, 2), generator=generator).to(device)
        flips = (torch.rand(n, generator=generator) < 0.5).to(device) & self.flip
        centres = self._centres(generator).to(device) if self.cutout else None  # drawn last, and only if needed
        for start in range(0, n, self.batch_size):
            part = slice(start, start + self.batch_size)
            batch = self.images[order[part]]
            pixels = augment(batch.pixels, self.crop_padding, shifts[part], flips[part])
            images = self._normalised(pixels)
            yield images if centres is None else cut_out(images, self.cutout, centres[part]), batch.labels

    def infinite(self, generator: torch.Generator) -> Iterator[Batch]:
        """Endless passes, each in a new order."""
        while True:
            yield from self.one_pass(generator)

    def in_order(self) -> Iterator[Batch]:
        """Every image once, in order, without augmentation."""
        for start in range(0, len(self.images), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield self._normalised(self.images.pixels[part]), self.images.labels[part]

    def _centres(self, generator: torch.Generator) -> Tensor:
        """Uniformly random pixel of each image, (n, 2): row and column."""
        sides = self.images.pixels.shape[2:]
        return torch.stack([torch.randint(side, (len(self.images),), generator=generator) for side in sides], dim=1)

    @cached_property
    def _mean_and_std(self) -> list[Tensor]:
        """(channels, 1, 1) each, cached on the images' device: copying them for every batch would stall a GPU."""
        device = self.images.pixels.device
        return [torch.tensor(values, device=device)[:, None, None] for values in (self.mean, self.std)]

    def _normalised(self, pixels: Tensor) -> Tensor:
        mean, std = self._mean_and_std
        return ((pixels.float() - mean) / std).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def augment(pixels: Tensor, padding: int, shifts: Tensor, flips: Tensor) -> Tensor:
    """Crop and horizontally flip each image of a batch.

    pixels: (B, channels, H, W); shifts: (B, 2), the corner of each crop (row, column) in the image padded by `padding`
    zeros; flips: (B,) bool, which images are flipped before the crop. Returns (B, channels, H, W).
    """
    height, width = pixels.shape[2:]
    padded = torch.nn.functional.pad(pixels, [padding] * 4)
    rows = shifts[:, :1] + torch.arange(height, device=pixels.device)  # (B, H)
    columns = shifts[:, 1:] + torch.arange(width, device=pixels.device)  # (B, W)
    columns = torch.where(flips[:, None], padded.shape[3] - 1 - columns, columns)
    image = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut_out(images: Tensor, length: int, centres: Tensor) -> Tensor:
    """Zero a square of each normalised image, in place: Cutout (DeVries and Taylor 2017, arXiv:1708.04552).

    The square covers `length` pixels from centre - length // 2 in each direction; as published, the part outside of the
    image is ignored. images: (B, channels, H, W); centres: (B, 2), row and column.
    """
    rows, columns = (
        (torch.arange(side, device=images.device) - centre[:, None] + length // 2)  # (B, side), from the square's edge
        for side, centre in zip(images.shape[2:], centres.unbind(1), strict=True)
    )
    in_rows, in_columns = (rows >= 0) & (rows < length), (columns >= 0) & (columns < length)
    return images.masked_fill_((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0)
