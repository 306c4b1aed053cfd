"""Downloads the official archive of a dataset, checks it, unpacks it."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from harness.data.archives import LARGEST_CONTENT, MEBIBYTE, BatchFiles, Download, members

TIMEOUT_SECONDS = 30

Report = Callable[[int, int | None], None]
"""Called with the bytes done so far and their total, if known."""


def fetch(files: BatchFiles, folder: Path, console: Console) -> str:
    """Bring a dataset's files into the data folder, unless they are there; what was done, in one line.

    OSError or ValueError, in one line which says what to do, if that cannot be.
    """
    where = folder / files.folder
    if files.present(folder):
        return f"{where} is there"
    if files.download is None:
        raise FileNotFoundError(f"{files.folder} cannot be downloaded from one address: {files.wanted(folder)}")
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / files.download.file
    if not archive.exists():
        _fetch_archive(files.download, archive, console, files.wanted(folder))
    elif wrong := _difference(archive, files.download, console):
        raise ValueError(f"{archive} is not the official file: {wrong}; remove it and call again")
    unpack(archive, files, folder)
    return f"{where} is unpacked from {archive}"


def _fetch_archive(download: Download, archive: Path, console: Console, wanted: str) -> None:
    """Download to a partial file, which a later call continues; rename it when its checksum is right."""
    partial = archive.with_name(f"{archive.name}.part")
    try:
        with _progress(console, f"downloading {archive.name}") as report:
            _download(download.url, partial, report)
    except (OSError, HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        raise OSError(f"downloading {download.url} failed ({reason}): call again to go on, or {wanted}") from error
    if wrong := _difference(partial, download, console):
        partial.unlink()  # it cannot be continued
        raise ValueError(f"what {download.url} sends is not the official file: {wrong}; it was removed")
    partial.rename(archive)


def _download(url: str, partial: Path, report: Report) -> None:
    """Fetch the archive into `partial`, of which the bytes that it has already are kept if the server can go on."""
    have = partial.stat().st_size if partial.exists() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing is left to be sent: the checksum will tell
            return
        raise
    with response:
        goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status != 200 and not goes_on:
            raise OSError(f"the server's answer {response.status} is not the file")
        done = have if goes_on else 0
        total = done + int(response.headers["Content-Length"]) if "Content-Length" in response.headers else None
        with partial.open("ab" if goes_on else "wb") as file:
            while part := response.read(MEBIBYTE):
                done += len(part)
                if done > LARGEST_CONTENT:
                    raise OSError(f"it is larger than {LARGEST_CONTENT // MEBIBYTE} MiB")
                file.write(part)
                report(done, total)
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes")


def _difference(file: Path, download: Download, console: Console) -> str | None:
    """In what a file is not the official one; None if it is."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as content, _progress(console, f"checking {file.name}") as report:
        while part := content.read(MEBIBYTE):
            digest.update(part)
            report(content.tell(), file.stat().st_size)
    found = digest.hexdigest()
    return None if found == download.md5 else f"its md5 is {found}, that of {download.file} is {download.md5}"


def unpack(archive: Path, files: BatchFiles, folder: Path) -> None:
    """Unpack an archive which has plain files directly in `files.folder` and nothing else; all or nothing.

    ValueError for any other archive and for one that lacks a file of the dataset.
    """

    def chosen(member: tarfile.TarInfo) -> bool:
        if member.isdir() and member.name == files.folder:
            return False
        parent, _, name = member.name.rpartition("/")
        if not member.isreg() or parent != files.folder or name in ("", ".", "..") or "\\" in name or ":" in name:
            raise ValueError(f"{member.name!r} is no plain file of the folder {files.folder}")
        return True

    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{files.folder}-") as temporary:
        unpacked = Path(temporary) / files.folder
        unpacked.mkdir()
        for name, content in members(archive, chosen):
            with (Path(temporary) / name).open("xb") as file:
                file.write(content)
        if absent := files.absent(Path(temporary)):
            raise ValueError(f"{archive} has no file {files.folder}/{absent[0]}")
        unpacked.rename(folder / files.folder)


@contextmanager
def _progress(console: Console, label: str) -> Iterator[Report]:
    """A bar on a terminal; nothing elsewhere."""
    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()]
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
