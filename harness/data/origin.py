"""Checks whether a dataset is the official one: by digests of its files, or of its images in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from harness.data.pickles import Pixels

Origin = Literal["official", "reordered", "subset", "unverified", "external"]
"""official: the published files, byte for byte, or the images of an installed package. reordered: the same images and
labels in the training and in the test set, in another order. subset: another number of images. unverified: the right
number, but neither the files nor the images have a known digest. external: loaded by a user's function."""


def official_files(folder: Path, md5: Mapping[str, str], archive: Path | None, archive_md5: str) -> bool:
    """Whether all files of a folder have their published MD5, or, if there is no such folder, the archive has."""
    if folder.is_dir():
        return all(_md5(folder / name) == expected for name, expected in md5.items())
    return archive is not None and archive.is_file() and _md5(archive) == archive_md5


def content_digest(parts: Iterable[Pixels]) -> str:
    """SHA-256 over the images and labels of the training and the test set that does not depend on their order.

    Args:
        parts: pixels (n, ...) uint8 and labels (n,) of the training set, then of the test set.
    """
    digest = hashlib.sha256()
    for pixels, labels in parts:
        digest.update(len(labels).to_bytes(8, "little"))
        images = zip(np.ascontiguousarray(pixels), labels.tolist(), strict=True)
        digest.update(b"".join(sorted(_image_digest(image.tobytes(), label) for image, label in images)))
    return digest.hexdigest()


def _image_digest(pixels: bytes, label: int) -> bytes:
    return hashlib.sha256(label.to_bytes(8, "little") + pixels).digest()


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else ""
