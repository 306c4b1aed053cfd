"""Where the official files of a dataset lie: in a folder, or still in their .tar.gz archive."""

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
    """An official .tar.gz archive of a dataset's folder."""

    file: str
    url: str
    md5: str


@dataclass(frozen=True)
class BatchFiles:
    """The official files of a dataset, and how they are laid out (`read_batch`)."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    side: int
    """Height and width of the images, pixels."""
    labels: range
    """In the files."""
    keep: range
    """Labels of the dataset's images, whose classes count from 0; images of other labels are left out."""
    label_key: str = "labels"
    download: Download | None = None

    def read(self, folder: Path) -> tuple[Pixels, Pixels]:
        """Training and test set in the order of the files, found in the data folder `folder`.

        OSError if files are absent or cannot be read, ValueError if they are not what they should be.
        """
        batches = {
            name: self._kept(read_batch(pickled, where, self.label_key, self.side, self.labels))
            for name, where, pickled in self._contents(folder)
        }
        return _joined([batches[name] for name in self.train]), _joined([batches[name] for name in self.test])

    def absent(self, folder: Path) -> list[str]:
        """Files that do not lie unpacked in the data folder."""
        return [name for name in (*self.train, *self.test) if not (folder / self.folder / name).is_file()]

    def present(self, folder: Path) -> bool:
        """Whether the files lie unpacked in the data folder; FileNotFoundError if only their folder or some do."""
        absent = self.absent(folder)
        if absent and (folder / self.folder).exists():
            raise FileNotFoundError(f"{folder / self.folder} has no file {absent[0]}: complete it, or remove it")
        return not absent

    def wanted(self, folder: Path) -> str:
        """What to put where."""
        if self.download:
            return f"put or unpack the official {self.download.file} (md5 {self.download.md5}) into {folder}"
        files = f"{self.train[0]} to {self.train[-1]} and {self.test[0]}"
        return f"put the folder {self.folder} with the official files {files} into {folder}"

    def _contents(self, folder: Path) -> Iterator[tuple[str, str, bytes]]:
        """Name of the file, where it is for messages, and its content, file by file."""
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
            fetch = ", or run python -m harness.data fetch" if self.download else ""
            raise FileNotFoundError(f"no folder {self.folder} in {folder} (--data): {self.wanted(folder)}{fetch}")

    def _kept(self, batch: Pixels) -> Pixels:
        pixels, labels = batch
        if self.keep == self.labels:
            return pixels, labels - self.keep[0]
        chosen = (labels >= self.keep[0]) & (labels <= self.keep[-1])
        return pixels[chosen], labels[chosen] - self.keep[0]


def _joined(batches: list[Pixels]) -> Pixels:
    return np.concatenate([pixels for pixels, _ in batches]), np.concatenate([labels for _, labels in batches])


def members(archive: Path, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the wanted files of a .tar.gz archive, read once from front to back.

    OSError if it cannot be opened; ValueError, in one line with its path, if it is corrupt.
    """
    with archive.open("rb") as packed:
        try:
            with tarfile.open(fileobj=packed, mode="r:gz") as tar:
                for member in tar:
                    if member.isreg() and member.name in wanted:
                        yield member.name, cast(IO[bytes], tar.extractfile(member)).read()
        except Exception as error:  # a corrupt archive can raise nearly anything
            raise ValueError(f"{archive} cannot be unpacked: {one_line(error)}") from error
