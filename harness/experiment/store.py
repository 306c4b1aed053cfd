"""Records and look-ups on disk: written once, atomically, verified when read. Needs no torch.

A results folder holds
    runs/<key>.json         one record per run: config, result and provenance
    runs/<key>.npz          its arrays per epoch (one-shot runs); the record holds their SHA-256
    lookups/<sha256>.csv    accuracies of the found cells in the table with that SHA-256
    checkpoints/<key>.pt    state of a run that has not finished, and <key>.json, its progress
    claims/<key>            which process is doing a run (harness.experiment.claims)
    damaged/                files that could not be read, set aside
Records, arrays, look-ups and checkpoints carry checksums.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.experiment.config import check, run_key
from harness.files import UNFINISHED, is_abandoned, read_array, sync_folder, write_atomically

LOOKUP_COLUMNS = ["cell", "dataset", "split", "epochs", "value", "trials"]
REPORTED_EPOCHS = 200
"""Training epochs of every accuracy that is reported; those after 12 epochs are a search signal, never a result."""

Record = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


class EarlierFormatError(LookupError):
    """A results folder was written by an earlier version of the harness."""


@dataclass(frozen=True)
class Lookups:
    """What one table says of the found cells."""

    sha256: str
    source: str
    frame: pd.DataFrame
    """Columns `LOOKUP_COLUMNS`: cell string, dataset, split, training epochs, accuracy (%), number of trials."""


class Store:
    """A results folder. OSError if it cannot be one (a file in the way, a read-only mount)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        """One line for every damaged file that was set aside."""

    FOLDERS = ("runs", "lookups", "checkpoints", "claims")

    def prepare(self) -> None:
        """Make the folders, see that they can be written, and remove what killed processes wrote half."""
        for name in self.FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder / "runs"):
            pass
        self.remove_abandoned()

    def remove_abandoned(self) -> None:
        """Remove what killed processes wrote half."""
        for name in (*self.FOLDERS, "tables", "figures", "."):
            for path in (self.folder / name).glob(f".*{UNFINISHED}"):
                if is_abandoned(path):
                    path.unlink(missing_ok=True)

    # Records -------------------------------------------------------------------------------------------------------

    def write(self, record: Record, arrays: Arrays | None = None) -> None:
        """Write a run's record, its arrays first, so that a record that is there is complete."""
        key = record["key"]
        if arrays is not None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, allow_pickle=False, **arrays)
            record = {**record, "arrays_sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
            write_atomically(self._arrays_path(key), buffer.getvalue())
        text = json.dumps({**record, "sha256": _digest(record)}, indent=1, sort_keys=True, allow_nan=False)
        write_atomically(self._record_path(key), text.encode() + b"\n")
        sync_folder(self.folder / "runs")  # the checkpoint goes next: not even a power failure may lose both

    def read(self, key: str) -> Record | None:
        """The record of a run, or None if there is none. A damaged one is set aside, named in `warnings`: None.

        OSError if it cannot be read now (no permission, a network that is down): that is no damage.
        """
        path = self._record_path(key)
        content: bytes | None = None
        try:
            content = path.read_bytes()
            return self._checked(key, content)
        except (*DAMAGE, RecursionError) as error:
            if not path.exists():  # never there, or set aside by another process
                return None
            if path.is_file() and path.read_bytes() != content:  # replaced meanwhile
                return self.read(key)
            self.set_aside(path, self._arrays_path(key), why=error)
            return None

    def _checked(self, key: str, content: bytes) -> Record:
        """The record in `content`. One of `DAMAGE` says what is wrong with it or its arrays."""
        record = json.loads(content)
        if not isinstance(record, dict) or record.pop("sha256", None) != _digest(record):
            raise ValueError("its checksum is not that of its content")
        if "asked" in record:
            convert = f"python -m harness migrate {self.folder}"
            raise EarlierFormatError(f"{self.folder} holds records of an earlier format; to convert them: {convert}")
        check(record.get("config"))
        if record["key"] != key or run_key(record["config"]) != key:
            raise ValueError("its key is not that of its content")
        if record["status"] not in ("done", "failed"):
            raise ValueError(f"unknown status {record['status']!r}")
        if not isinstance(record.get("provenance"), dict):
            raise ValueError("it has no provenance")
        expected = record.get("arrays_sha256")
        if expected and hashlib.sha256(self._arrays_path(key).read_bytes()).hexdigest() != expected:
            raise ValueError("its arrays have another checksum")
        return record

    def records(self) -> list[Record]:
        """All readable records, sorted by key."""
        keys = sorted(path.stem for path in (self.folder / "runs").glob("*.json"))
        return [record for key in keys if (record := self.read(key)) is not None]

    def arrays(self, key: str) -> Arrays:
        """The arrays of a run that `read` has verified. ValueError if the file is not one of arrays."""
        path = self._arrays_path(key)
        content = path.read_bytes()
        try:
            return _arrays(content)
        except Exception as error:  # whatever zipfile and numpy raise on bytes that are not theirs
            raise ValueError(f"{path} does not hold the arrays of a run: {error}") from error

    def _record_path(self, key: str) -> Path:
        return self.folder / "runs" / f"{key}.json"

    def _arrays_path(self, key: str) -> Path:
        return self.folder / "runs" / f"{key}.npz"

    def set_aside(self, *paths: Path, why: Exception) -> None:
        """Move damaged files away, and say so. Another process may do the same at the same time."""
        for path in paths:
            target = self.folder / "damaged" / path.name
            target.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                path.replace(target)
        self.warnings.append(f"damaged file {paths[0].name} set aside in {self.folder / 'damaged'}: {why}")

    # Checkpoints ---------------------------------------------------------------------------------------------------

    def write_checkpoint(self, key: str, content: bytes) -> None:
        """Store the state of a run, over the one before."""
        write_atomically(self.checkpoint_path(key), hashlib.sha256(content).digest() + content)

    def read_checkpoint(self, key: str) -> bytes | None:
        """The state of a run, or None if there is none. A damaged one is set aside, named in `warnings`: None."""
        path = self.checkpoint_path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError as error:
            self.set_aside(path, why=error)
            return None
        digest, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != digest:
            self.set_aside(path, why=ValueError("its checksum is not that of its content"))
            return None
        return content

    def checkpoint_path(self, key: str) -> Path:
        return self.folder / "checkpoints" / f"{key}.pt"

    def claim_path(self, key: str) -> Path:
        return self.folder / "claims" / key

    def progress_path(self, key: str) -> Path:
        return self.folder / "checkpoints" / f"{key}.json"

    def progress(self, key: str) -> dict[str, Any]:
        """Epoch, epochs, loss and seconds of a run under way; empty if it has not begun. For display only."""
        try:
            found = json.loads(self.progress_path(key).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        whole = isinstance(found, dict) and found.keys() >= {"epoch", "epochs", "loss", "seconds"}
        return found if whole and isinstance(found["epoch"], int) else {}

    def checkpoints(self) -> set[str]:
        """The keys of all runs with a checkpoint."""
        return {path.stem for path in (self.folder / "checkpoints").glob("*.pt")}

    def discard_checkpoint(self, key: str) -> None:
        self.progress_path(key).unlink(missing_ok=True)
        self.checkpoint_path(key).unlink(missing_ok=True)  # last: while it is there, `checkpoints` finds the run

    # Look-ups ------------------------------------------------------------------------------------------------------

    def write_lookups(self, lookups: Lookups) -> None:
        """Add rows to what is stored of the same table."""
        known = [found.frame for found in self.lookups() if found.sha256 == lookups.sha256]
        frame = pd.concat([*known, lookups.frame]).drop_duplicates(LOOKUP_COLUMNS[:4])
        body = frame.sort_values(LOOKUP_COLUMNS[:4]).to_csv(index=False)
        text = f"# {' '.join(lookups.source.split())}\n# sha256 of what follows: {_text_digest(body)}\n{body}"
        write_atomically(self.folder / "lookups" / f"{lookups.sha256}.csv", text.encode())

    def lookups(self) -> Iterator[Lookups]:
        """Every stored table's answers. A damaged file is set aside: it is written anew when the table is at hand."""
        for path in sorted((self.folder / "lookups").glob("*.csv")):
            try:
                source, digest, body = path.read_text().split("\n", maxsplit=2)
                if digest.rpartition(" ")[2] != _text_digest(body):
                    raise ValueError("its checksum is not that of its content")
                frame = pd.read_csv(io.StringIO(body), dtype=str)
                if not source.startswith("# ") or list(frame.columns) != LOOKUP_COLUMNS:
                    raise ValueError("not a look-up file")
                if frame.isna().any(axis=None) or frame.duplicated(LOOKUP_COLUMNS[:4]).any():
                    raise ValueError("values are missing or given twice")
                # Python's own float(): exact, whatever the version of pandas.
                frame = frame.assign(
                    epochs=frame["epochs"].map(int), value=frame["value"].map(float), trials=frame["trials"].map(int)
                )
                if not frame["value"].between(0, 100).all():
                    raise ValueError("accuracies are not between 0 and 100 %")
            except FileNotFoundError:
                continue
            except DAMAGE as error:
                self.set_aside(path, why=error)
                continue
            yield Lookups(path.stem, source[2:], frame)


DAMAGE = (ValueError, KeyError, TypeError, FileNotFoundError, IsADirectoryError)
"""What reading a damaged file raises. Any other OSError says that it cannot be read now."""
MAX_ARRAYS_BYTES = 500_000_000
"""What a run's arrays may take when they are decompressed; real ones take a thousandth."""


def _arrays(content: bytes) -> Arrays:
    """The arrays of an `.npz` file. Whatever it promises, no more memory is taken than `MAX_ARRAYS_BYTES`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > MAX_ARRAYS_BYTES:
            raise ValueError(f"more than {MAX_ARRAYS_BYTES // 10**6} MB")
        return {member.filename.removesuffix(".npy"): read_array(archive.read(member)).copy() for member in members}


def _digest(record: Record) -> str:
    return _text_digest(json.dumps(record, sort_keys=True, allow_nan=False))


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
