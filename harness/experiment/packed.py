"""Files of packed records: gzip of JSON lines, a record with its checksum each (`Store.pack`). Needs no torch."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from harness.files import sync_folder, write_atomically

FOLDER = "packed"
"""Of a results folder."""
SUFFIX = ".jsonl.gz"
LARGEST = 500_000_000
"""Bytes of a file's decompressed lines; the reference results have a twentieth of it."""


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def write(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write the file of a row. The same records give the same bytes."""
    lines = [json.dumps(record, sort_keys=True, allow_nan=False, separators=(",", ":")) for record in records]
    path.parent.mkdir(exist_ok=True)
    content = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    write_atomically(path, content)
    sync_folder(path.parent)


def read(path: Path) -> dict[str, bytes]:
    """The lines of a file by the key of their record, which are not verified. ValueError if the file is damaged,
    FileNotFoundError if it has gone."""
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


class _Keyed(msgspec.Struct):
    key: str


@lru_cache(maxsize=100)
def _read(path: Path, changed: int, size: int) -> dict[str, bytes]:  # noqa: ARG001 - of this state of the file
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"more than {LARGEST // 10**6} MB")
        return {msgspec.json.decode(line, type=_Keyed).key: line for line in content.splitlines()}
    except (EOFError, zlib.error, gzip.BadGzipFile, msgspec.MsgspecError) as error:
        raise ValueError(f"not packed records: {error}") from error
