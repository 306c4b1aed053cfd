"""Reads the official files of a dataset from their folder, or directly from the .tar.gz archive."""

from __future__ import annotations

import tarfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from harness.data.pickles import Pixels, read_batch
from harness.unpickling import one_line


@dataclass(frozen=True)
class Download:
    """The official .tar.gz archive of a dataset's folder."""

    file: str
    url: str
    md5: str


@dataclass(frozen=True)
class BatchFiles:
    """The official files of a dataset and their layout (see `read_batch`)."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    side: int
    """Height and width of the images, pixels."""
    labels: range
    """All labels in the files."""
    keep: range
    """Labels that belong to the dataset and become classes 0, 1, ...; images with other labels are dropped."""
    label_key: str = "labels"
    download: Download | None = None

    def read(self, folder: Path) -> tuple[Pixels, Pixels]:
        """Read the training and the test set from the data folder `folder`, in the order of the files.

        OSError if a file is missing or cannot be read, ValueError if it is not what it should be.
        """
        batches = {
            name: self._keep_classes(read_batch(pickled, location, self.label_key, self.side, self.labels))
            for name, location, pickled in self._contents(folder)
        }
        return _joined([batches[name] for name in self.train]), _joined([batches[name] for name in self.test])

    def missing(self, folder: Path) -> list[str]:
        """Files that are not unpacked in the data folder."""
        return [name for name in (*self.train, *self.test) if not (folder / self.folder / name).is_file()]

    def present(self, folder: Path) -> bool:
        """Whether the files are unpacked in the data folder. FileNotFoundError if their folder is incomplete."""
        missing = self.missing(folder)
        if missing and (folder / self.folder).exists():
            raise FileNotFoundError(f"{folder / self.folder} has no file {missing[0]}: complete it, or remove it")
        return not missing

    def instructions(self, folder: Path) -> str:
        """Which files the user has to put where."""
        if self.download:
            return f"put or unpack the official {self.download.file} (md5 {self.download.md5}) into {folder}"
        files = f"{self.train[0]} to {self.train[-1]} and {self.test[0]}"
        return f"put the folder {self.folder} with the official files {files} into {folder}"

    def _contents(self, folder: Path) -> Iterator[tuple[str, str, bytes]]:
        """Yield the name, the location (for messages) and the content of every file."""
        names = {*self.train, *self.test}
        archive = folder / self.download.file if self.download else None
        if self.present(folder):
            for name in sorted(names):
                path = folder / self.folder / name
                yield name, str(path), path.read_bytes()
        elif archive and archive.is_file():
            for path_in_archive, content in members(archive, {f"{self.folder}/{name}" for name in names}):
                name = path_in_archive.removeprefix(f"{self.folder}/")
                names.discard(name)
                yield name, f"{path_in_archive} in {archive}", content
                if not names:
                    return
            raise ValueError(f"{archive} has no file {self.folder}/{min(names)}")
        else:
            fetch = ", or run python -m harness data fetch DATASET" if self.download else ""
            raise FileNotFoundError(f"no folder {self.folder} in {folder} (--data): {self.instructions(folder)}{fetch}")

    def _keep_classes(self, batch: Pixels) -> Pixels:
        pixels, labels = batch
        if self.keep == self.labels:
            return pixels, labels - self.keep[0]
        kept = (labels >= self.keep[0]) & (labels <= self.keep[-1])
        return pixels[kept], labels[kept] - self.keep[0]


def _joined(batches: list[Pixels]) -> Pixels:
    return np.concatenate([pixels for pixels, _ in batches]), np.concatenate([labels for _, labels in batches])


def members(archive: Path, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the wanted files of a .tar.gz archive, in one pass.

    OSError if it cannot be opened; ValueError, one line with its path, if it is corrupt.
    """
    with archive.open("rb") as packed:
        try:
            with tarfile.open(fileobj=packed, mode="r:gz") as tar:
                for member in tar:
                    if member.isreg() and member.name in wanted:
                        yield member.name, cast(IO[bytes], tar.extractfile(member)).read()
        except Exception as error:  # a corrupt archive can raise almost anything
            raise ValueError(f"{archive} cannot be unpacked: {one_line(error)}") from error
