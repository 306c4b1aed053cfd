"""A results folder as one file: a zip archive of its records, arrays, scores and sources with a manifest of digests.
Needs no torch."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

from harness import __version__
from harness.experiment.merge import ForeignStore
from harness.files import write_atomically

FORMAT = 1
MANIFEST = "manifest.json"
KEPT = (
    *("runs/*.json", "runs/*.npz", "packed/*.jsonl.gz", "scores/*.csv", "sources/*.py", "tunings/*.json"),
    "training-free/*.csv",
)
_MEMBER = re.compile(
    r"(runs/[0-9a-f]{64}\.(json|npz)|sources/[0-9a-f]{64}\.py|tunings/[0-9a-f]{16}\.json"
    r"|packed/[\w.-]{1,200}\.jsonl\.gz|(scores|training-free)/[\w.-]{1,200}\.csv)"
)
LARGEST = 4_000_000_000
"""Bytes of an archive's content."""
WRITTEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Ways of compression that are read: others raise yet other errors."""
NOT_AN_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What zipfile raises of other bytes."""
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of all members: the same content gives the same bytes."""


def write(folder: Path, archive: Path) -> dict[str, Any]:
    """Write a results folder as an archive and return its manifest. ValueError if there is no such folder, or if it has
    no records or corrupt ones."""
    store = ForeignStore(folder)
    store.check()
    records = store.records()
    scores = list(store.scores())
    if store.warnings:
        raise ValueError(f"{folder} has corrupt files: {store.warnings[0]}")
    if not records:
        raise ValueError(f"{folder} holds no records")
    paths = sorted(path for pattern in KEPT for path in folder.glob(pattern))
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    manifest = {
        "format": FORMAT,
        "harness": __version__,
        "runs": len(records),
        "methods": sorted({record["config"]["method"]["name"] for record in records if "method" in record["config"]}),
        "tables": sorted({table.source for table in scores}),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {MANIFEST: text, **contents}.items():
            file.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    write_atomically(archive, buffer.getvalue())
    return manifest


def extract(archive: Path, folder: Path) -> dict[str, Any]:
    """Write the content of an archive into an empty folder and return its manifest. ValueError if a file is missing,
    unexpected or not the one of the manifest; nothing outside of the folder is ever written."""
    if not archive.is_file():
        raise ValueError(f"no archive {archive}: there is no such file")
    if archive.stat().st_size > LARGEST:
        raise ValueError(f"{archive} is larger than {LARGEST // 10**9} GB")
    try:
        with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as file:
            if any(member.compress_type not in WRITTEN for member in file.infolist()):
                raise ValueError("it is compressed in another way")
            if sum(member.file_size for member in file.infolist()) > LARGEST:
                raise ValueError(f"more than {LARGEST // 10**9} GB")
            manifest: dict[str, Any] = json.loads(file.read(MANIFEST))
            if manifest["format"] != FORMAT:
                raise ValueError(f"format {manifest['format']} is not {FORMAT}")
            digests = dict(manifest["files"])
            if sorted(file.namelist()) != sorted([MANIFEST, *digests]):
                raise ValueError("its files are not those of its manifest")
            (folder / "runs").mkdir()  # which a folder of packed records leaves empty
            for name, digest in digests.items():
                _extract(file, name, digest, folder)
    except (*NOT_AN_ARCHIVE, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{archive} is no archive of results: {error}") from error
    return manifest


def _extract(file: zipfile.ZipFile, name: str, digest: str, folder: Path) -> None:
    if not _MEMBER.fullmatch(name):
        raise ValueError(f"{name[:100]!r} is no file of a results folder")
    content = file.read(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{name} does not have the digest of the manifest")
    path = folder / PurePosixPath(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
