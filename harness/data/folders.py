"""ImageNet as a folder of images per class, decoded and augmented by worker processes with Pillow.

Every image has its own random seed, so batches do not depend on the number of workers.
"""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from PIL.Image import Image as Picture
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Decoded

from harness.data.datasets import subset_size
from harness.data.halves import mixed_order
from harness.data.origin import Origin
from harness.data.streams import Batch, Streams
from harness.processes import exit_with_parent

CLASS_FOLDERS = ("imagenet",)
"""Datasets that are read so."""
OFFICIAL = (1_281_167, 50_000)
"""Training and validation images of ImageNet (ILSVRC 2012)."""
SUFFIXES = (".jpeg", ".jpg", ".png")
MEAN = (255 * 0.485, 255 * 0.456, 255 * 0.406)
STD = (255 * 0.229, 255 * 0.224, 255 * 0.225)
"""Channel statistics of ImageNet's training images, as in every code base, in raw pixel values (0 to 255)."""
TEST_RESIZE = 256 / 224
"""Shorter side before the centre crop, relative to the crop."""
AREAS, RATIOS, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10
"""Random crops: share of the area, width to height, attempts; Szegedy et al. (CVPR 2015), Section 6."""
JITTER, HUE = 0.4, 0.2
"""Largest relative change of brightness, contrast and saturation, and largest hue shift as a share of its circle: DARTS
(quark0/darts cnn/train_imagenet.py)."""

Box = tuple[int, int, int, int]
"""Left, upper, right, lower; pixels."""


@dataclass(frozen=True)
class ImageFiles:
    """A set of image files and their labels."""

    folder: Path
    names: NDArray[np.bytes_]
    """(n,) class folder and file name, sorted. An array, because it is copied to the worker processes."""
    labels: Tensor
    """(n,) int64."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Tensor) -> ImageFiles:
        return ImageFiles(self.folder, self.names[index.numpy()], self.labels[index])

    def path(self, index: int) -> Path:
        return self.folder / os.fsdecode(bytes(self.names[index]))


@dataclass(frozen=True)
class ClassFolders:
    train: ImageFiles
    test: ImageFiles
    classes: int
    sha256: str
    """SHA-256 of the paths and sizes of all files; reading their content would take as long as training an epoch."""

    @property
    def part(self) -> str | None:
        """Size of a subset of ImageNet, see `datasets.subset_size`."""
        return subset_size(len(self.train), len(self.test), OFFICIAL)

    @property
    def origin(self) -> Origin:
        """Judged by the numbers of images alone."""
        return "subset" if self.part else "official"


@lru_cache(maxsize=1)
def class_folders(folder: Path) -> ClassFolders:
    """List the images of `folder`/train and `folder`/val, which have one folder per class.

    FileNotFoundError or ValueError, one line, if they do not exist, are empty, or differ in their classes.
    """
    digest = hashlib.sha256()
    classes = _classes(folder / "train")
    if _classes(folder / "val") != classes:
        differing = sorted(set(classes) ^ set(_classes(folder / "val")))
        raise ValueError(f"{folder}: train and val differ in their class folders: {', '.join(differing[:5])}")
    train, test = (_files(folder / part, classes, digest) for part in ("train", "val"))
    return ClassFolders(train, test, len(classes), digest.hexdigest())


def _classes(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder} (--data): it should hold one folder of images per class")
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"{folder} has no class folders: sort its images into one folder per class")
    if len(classes) < 2:
        raise ValueError(f"{folder} has a single class folder, {classes[0]}, and a classifier needs two classes")
    return classes


def _files(folder: Path, classes: list[str], digest: Any) -> ImageFiles:
    names, labels = [], []
    for label, name in enumerate(classes):
        images = sorted(
            (entry.name, entry.stat().st_size)
            for entry in os.scandir(folder / name)
            if entry.name.lower().endswith(SUFFIXES)
        )
        if not images:
            raise FileNotFoundError(f"{folder / name} has no images ({', '.join(SUFFIXES)})")
        for file, size in images:
            names.append(os.fsencode(f"{name}/{file}"))
            labels.append(label)
            digest.update(f"{folder.name}/{name}/{file} {size}\n".encode(errors="surrogateescape"))
    return ImageFiles(folder, np.array(names), torch.tensor(labels))


@dataclass(frozen=True)
class Augmentation:
    """Random augmentation of training images."""

    crop: bool
    """Random crop instead of the centre crop."""
    flip: bool
    colour_jitter: bool


class FolderBatches:
    """The `Stream` of a set of image files.

    image_size: side of the square images, pixels; workers: processes that decode images, 0: this one; shard: batch size
    -> the part of a batch that this process decodes, by default all of it.
    """

    def __init__(
        self,
        files: ImageFiles,
        batch_size: int,
        image_size: int,
        augmentation: Augmentation,
        device: torch.device,
        workers: int = 0,
        shard: Callable[[int], slice] = slice,
    ) -> None:
        self.files, self.batch_size, self.device, self.shard = files, batch_size, device, shard
        self.sampler = _PassSampler()
        self.passes = 0
        if workers:
            _become_able_to_start_processes()
        self.loader: DataLoader[tuple[Tensor, int]] = DataLoader(
            _Decoder(files, image_size, augmentation),
            batch_sampler=self.sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            # Forking a process with threads, such as one that trains, can deadlock; the processes of a fork server do
            # not notice that this one has been killed.
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=partial(_begin_decoding, os.getpid()),
            generator=torch.Generator(),  # otherwise it draws from the global one, which belongs to the method
            pin_memory=device.type == "cuda",
        )

    @property
    def size(self) -> int:
        return len(self.files)

    def __len__(self) -> int:
        return -(-self.size // self.batch_size)

    def one_pass(self, generator: torch.Generator) -> Iterator[Batch]:
        n = len(self.files)
        order = torch.randperm(n, generator=generator)
        seeds = torch.randint(2**62, (n,), generator=generator)
        yield from self._batches(order, seeds)

    def infinite(self, generator: torch.Generator) -> Iterator[Batch]:
        while True:
            yield from self.one_pass(generator)

    def in_order(self) -> Iterator[Batch]:
        n = len(self.files)
        yield from self._batches(torch.arange(n), torch.full((n,), NOT_AUGMENTED))

    def _batches(self, order: Tensor, seeds: Tensor) -> Iterator[Batch]:
        keys = list(zip(order.tolist(), seeds.tolist(), strict=True))
        batches = (keys[start : start + self.batch_size] for start in range(0, len(keys), self.batch_size))
        parts = (batch[self.shard(len(batch))] for batch in batches)
        self.sampler.keys = [part for part in parts if part]  # this process's part of a small last batch may be empty
        mean, std = (torch.tensor(values, device=self.device)[:, None, None] for values in (MEAN, STD))
        self.passes += 1
        this_pass = self.passes
        for pixels, labels in self.loader:
            if self.passes != this_pass:  # the loader's workers serve one pass at a time
                raise RuntimeError("a newer pass over these images has begun: finish one pass before the next")
            images = pixels.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float()  # channels-last
            yield (images - mean) / std, labels.to(self.device, non_blocking=True)


@dataclass(frozen=True)
class FolderShares:
    """The images of one search in class folders; the counterpart of `SearchData`, whose images are in memory."""

    train: ImageFiles
    """For the weight steps."""
    held_out: ImageFiles
    """For the architecture steps; single-level search holds nothing out, and they see the training images."""
    bilevel: bool
    classes: int
    image_size: int
    """Side of the square images after cropping or resizing, pixels."""
    workers: int = 0
    """Processes that decode images, for each of the three streams; 0: the search's process."""

    @property
    def holds_out(self) -> bool:
        return self.bilevel

    @property
    def sha256(self) -> str:
        """SHA-256 of the names of the files that the two steps see."""
        digest = hashlib.sha256()
        for part in (self.train, self.held_out):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part.names.tobytes())
        digest.update(b"mixed")  # the order of the validation images
        return digest.hexdigest()

    def streams(self, batch_size: int, validation_batch: int, crop: bool, flip: bool, device: torch.device) -> Streams:
        """Build the streams on a device. crop, flip: random crops and flips of the training batches."""
        batches = partial(FolderBatches, image_size=self.image_size, device=device, workers=self.workers)
        training = partial(batches, batch_size=batch_size, augmentation=Augmentation(crop, flip, colour_jitter=False))
        validation = self.held_out[mixed_order(len(self.held_out))]  # the files are sorted by class
        return Streams(
            training(self.train),
            training(self.held_out),
            batches(validation, batch_size=validation_batch, augmentation=Augmentation(False, False, False)),
        )


def folder_shares(
    images: ClassFolders,
    bilevel: bool,
    weights_share: float,
    architecture_share: float,
    image_size: int,
    workers: int = 0,
) -> FolderShares:
    """Draw two disjoint random shares (seed 0) of every class's training images, of at least one image each.

    Single-level search uses their union for both steps. ValueError, one line, if a class has too few images.
    """
    generator = torch.Generator().manual_seed(0)
    labels = images.train.labels  # sorted by class
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for members in torch.arange(len(labels)).split(labels.bincount().tolist()):
        shuffled = members[torch.randperm(len(members), generator=generator)]
        counts = [max(1, round(share * len(members))) for share in (weights_share, architecture_share)]
        if sum(counts) == len(members) + 1 and weights_share + architecture_share <= 1:  # both were rounded up
            counts[1] -= 1
        if sum(counts) > len(members) or 0 in counts:
            raise ValueError(f"{images.train.path(int(members[0])).parent} has too few images for both steps")
        parts[0].append(shuffled[: counts[0]])
        parts[1].append(shuffled[counts[0] : sum(counts)])
    first, second = (torch.cat(part).sort().values for part in parts)
    if not bilevel:
        first = second = torch.cat([first, second]).sort().values
    return FolderShares(images.train[first], images.train[second], bilevel, images.classes, image_size, workers)


NOT_AUGMENTED = -1
"""Value of an image's seed that means no augmentation."""


class _PassSampler:
    """Batch sampler of the loader's next pass: batches of keys (index, seed)."""

    def __init__(self) -> None:
        self.keys: list[list[tuple[int, int]]] = []

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)


def _begin_decoding(parent: int, number: int) -> None:  # noqa: ARG001 - the form of a `worker_init_fn`
    """Prepare a process that decodes images. Torch's own watch begins too late where the parent ends at once."""
    exit_with_parent(parent)
    # What goes wrong in decoding is raised in the parent. Printed is only that it no longer receives: it was stopped.
    sys.excepthook = lambda *_: None


def _become_able_to_start_processes() -> None:
    """Let this process start others, whichever way it was started itself: a worker of a Dask nanny is a daemon, which
    may have no children, and one of joblib would pass on a start method that its children do not know."""
    multiprocessing.current_process().daemon = False
    if multiprocessing.get_start_method(allow_none=True) not in (None, *multiprocessing.get_all_start_methods()):
        multiprocessing.set_start_method("spawn", force=True)


class _Decoder(Decoded[tuple[Tensor, int]]):
    """The loader's map-style dataset: key (index, seed) -> pixels (side, side, 3) uint8, label."""

    def __init__(self, files: ImageFiles, side: int, augmentation: Augmentation) -> None:
        self.files, self.side, self.augmentation = files, side, augmentation

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        index, seed = key
        image = _read_image(self.files.path(index))
        image = centre_crop(image, self.side) if seed == NOT_AUGMENTED else self._augment(image, seed)
        return torch.from_numpy(np.array(image)), int(self.files.labels[index])

    def _augment(self, image: Picture, seed: int) -> Picture:
        rng = np.random.default_rng(seed)
        if self.augmentation.crop:
            (width, height), size = image.size, (self.side, self.side)
            image = image.resize(size, Image.Resampling.BILINEAR, box=random_box(width, height, rng))
        else:
            image = centre_crop(image, self.side)
        if self.augmentation.flip and rng.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return jitter_colours(image, rng) if self.augmentation.colour_jitter else image


def _read_image(path: Path) -> Picture:
    """Read a file as an RGB image. ValueError, one line, if it is not an image; OSError if it cannot be read now."""
    try:
        with path.open("rb") as file, Image.open(file) as image:
            return image.convert("RGB")
    except (MemoryError, TimeoutError):  # the second may be that of a time limit
        raise
    except Exception as error:  # a corrupt image can raise almost anything
        if isinstance(error, OSError) and error.errno is not None:  # an OSError of Pillow's own has no number
            raise OSError(error.errno, error.strerror, str(path)) from error
        reason = textwrap.shorten(str(error) or type(error).__name__, 200, placeholder="...")
        raise ValueError(f"{path} cannot be read as an image: {reason}") from error


def random_box(width: int, height: int, rng: np.random.Generator) -> Box:
    """A crop of random area, aspect ratio and position; if none fits, the largest central crop of an allowed ratio."""
    for _ in range(TRIES):
        area = width * height * rng.uniform(*AREAS)
        ratio = math.exp(rng.uniform(*np.log(RATIOS)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, upper = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, upper, left + w, upper + h
    w, h = min(width, round(height * RATIOS[1])), min(height, round(width / RATIOS[0]))
    left, upper = (width - w) // 2, (height - h) // 2
    return left, upper, left + w, upper + h


def centre_crop(image: Picture, side: int) -> Picture:
    """Resize the shorter side to 8/7 of `side`, then crop the central square."""
    width, height = image.size
    scale = round(side * TEST_RESIZE) / min(width, height)
    resized = image.resize((max(side, int(width * scale)), max(side, int(height * scale))), Image.Resampling.BILINEAR)
    left, upper = (round((length - side) / 2) for length in resized.size)
    return resized.crop((left, upper, left + side, upper + side))


def jitter_colours(image: Picture, rng: np.random.Generator) -> Picture:
    """Change brightness, contrast, saturation and hue at random, in random order."""
    enhancers = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    factors, shift = rng.uniform(1 - JITTER, 1 + JITTER, len(enhancers)), rng.uniform(-HUE, HUE)
    for index in rng.permutation(len(enhancers) + 1):
        is_hue = index == len(enhancers)
        image = shift_hue(image, shift) if is_hue else enhancers[index](image).enhance(factors[index])
    return image


def shift_hue(image: Picture, shift: float) -> Picture:
    """Shift the hue by a share of its circle."""
    hue, saturation, value = image.convert("HSV").split()
    shifted = hue.point([(level + round(256 * shift)) % 256 for level in range(256)])
    return Image.merge("HSV", (shifted, saturation, value)).convert("RGB")
