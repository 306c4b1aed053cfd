"""Downloads, verifies and unpacks the official archive of a dataset."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

import pooch

from harness.data.archives import BatchFiles, Download
from harness.unpickling import one_line


def fetch(files: BatchFiles, folder: Path, *, progress: bool = False) -> str:
    """Put a dataset's files into the data folder, unless they are there; returns one line that says what was done.

    OSError or ValueError, one line that says what to do, if it fails.
    """
    target = folder / files.folder
    if files.present(folder):
        return f"{target} is already there"
    if files.download is None:
        raise FileNotFoundError(f"{files.folder} cannot be downloaded as one archive: {files.instructions(folder)}")
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"the data folder {folder} is a file")
    folder.mkdir(parents=True, exist_ok=True)  # fails here, not as a download
    archive = folder / files.download.file
    if archive.exists():
        _verify(archive, files.download)
    else:
        _download(files.download, folder, files.instructions(folder), progress)
    unpack(archive, files.folder, folder)
    return f"unpacked {target} from {archive}"


def _verify(archive: Path, download: Download) -> None:
    md5 = pooch.file_hash(archive, "md5")
    if md5 != download.md5:
        raise ValueError(
            f"{archive} is not the official file: its md5 is {md5}, not {download.md5}; remove it and try again"
        )


def _download(download: Download, folder: Path, advice: str, progress: bool) -> None:
    """Download the archive. It gets its final name only after its checksum has been verified."""
    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(download.url, f"md5:{download.md5}", download.file, folder, progressbar=progress)
    except (OSError, ValueError) as error:  # network, disk, or a wrong checksum
        reason = next((cause.reason for cause in error.args if hasattr(cause, "reason")), error)
        raise OSError(f"download of {download.url} failed ({one_line(reason)}): try again, or {advice}") from error


def unpack(archive: Path, name: str, folder: Path) -> None:
    """Unpack the folder `name` of a verified archive, completely or not at all."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as temporary:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")  # nothing outside the folder, no devices
        (Path(temporary) / name).rename(folder / name)
