"""Downloads the official archive of a dataset, verifies it, unpacks it."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

import pooch

from harness.data.archives import BatchFiles, Download
from harness.unpickling import one_line


def fetch(files: BatchFiles, folder: Path, *, progress: bool = False) -> str:
    """Bring a dataset's files into the data folder, unless they are there; what was done, in one line.

    OSError or ValueError, in one line which says what to do, if that cannot be.
    """
    where = folder / files.folder
    if files.present(folder):
        return f"{where} is there"
    if files.download is None:
        raise FileNotFoundError(f"{files.folder} cannot be downloaded from one address: {files.wanted(folder)}")
    archive = folder / files.download.file
    if archive.exists():
        _verify(archive, files.download)
    else:
        _download(files.download, folder, files.wanted(folder), progress)
    unpack(archive, files.folder, folder)
    return f"{where} is unpacked from {archive}"


def _verify(archive: Path, download: Download) -> None:
    md5 = pooch.file_hash(archive, "md5")
    if md5 != download.md5:
        raise ValueError(
            f"{archive} is not the official file: its md5 is {md5}, not {download.md5}; remove it and call again"
        )


def _download(download: Download, folder: Path, wanted: str, progress: bool) -> None:
    """Download the archive. It gets its name only when its checksum is right."""
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(download.url, f"md5:{download.md5}", download.file, folder, progressbar=progress)
    except (OSError, ValueError) as error:  # of the network or the disk; another checksum
        reason = next((cause.reason for cause in error.args if hasattr(cause, "reason")), error)
        raise OSError(f"downloading {download.url} failed ({one_line(reason)}): try again, or {wanted}") from error


def unpack(archive: Path, name: str, folder: Path) -> None:
    """Unpack the folder `name` of a verified archive; all of it or nothing."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as temporary:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")  # nothing outside the folder, no devices
        (Path(temporary) / name).rename(folder / name)
