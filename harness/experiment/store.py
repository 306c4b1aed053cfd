"""Records and scores on disk: written once, atomically, verified when read. Needs no torch.

    runs/<key>.json         one record per run: config, result and provenance
    runs/<key>.npz          its arrays per epoch (not of black boxes); the record holds their SHA-256
    packed/<row>.jsonl.gz   records of many black-box searches, one a line (`Store.pack`)
    sources/<sha256>.py     an external method, optimizer, space or dataset that runs used
    scores/<benchmark>-<sha256>.csv   what the table or function with that SHA-256 says of architectures
    checkpoints/<key>.pt    state of a run that has not finished, and <key>.json, its progress
    training-free/*.csv     scores of untrained architectures (harness.experiment.training_free)
    tunings/<id>.json       which runs are the trials of a tuning (harness.experiment.tuning)
    claims/<key>            which process is doing a run (harness.experiment.claims)
    damaged/                files that could not be read, set aside
Records, arrays, scores and checkpoints carry checksums.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
import textwrap
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from harness.benchmarks.base import SCORE_COLUMNS
from harness.experiment import packed, schema
from harness.experiment.claims import waited_for
from harness.experiment.config import row_key, run_key
from harness.files import (
    UNFINISHED,
    EarlierFormatError,
    is_abandoned,
    read_array,
    sync_folder,
    write_atomically,
    zip_arrays,
)
from harness.plugins import Source

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
MEASURED = ("seconds", "cpu_seconds", "load")
"""Arrays and fields of provenance that are measured: they differ whenever a run is repeated."""


@dataclass(frozen=True)
class Scores:
    """What one table or function says of architectures."""

    benchmark: str
    """As `config.benchmark_name` has it."""
    sha256: str
    """Of the table, or of the function's source file."""
    source: str
    """In words."""
    frame: pd.DataFrame
    """Columns `SCORE_COLUMNS`."""
    has_best: bool = False
    """Whether the best architectures of every dataset and split are among them."""

    @property
    def file_name(self) -> str:
        """Names that differ in other characters only have different digests."""
        plain = _plain(self.benchmark)
        if plain != self.benchmark:
            plain = f"{plain[:60]}-{_text_digest(self.benchmark)[:8]}"
        return f"{plain}-{self.sha256}.csv"


class Store:
    """A results folder. OSError if it cannot be used as one (a file in its place, a read-only mount)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.warnings: list[str] = []
        """One line for every corrupt file that was quarantined."""

    FOLDERS = ("runs", "scores", "checkpoints", "claims")

    def check(self) -> None:
        """ValueError, in one line, if there is no such results folder."""
        if not self.folder.is_dir():
            raise ValueError(f"no results folder {self.folder}: there is no such folder")
        if not any((self.folder / name).is_dir() for name in ("runs", packed.FOLDER)):
            raise ValueError(f"no results folder {self.folder}: it has no folder runs")

    def prepare(self) -> None:
        """Create the folders, check that they are writable, and remove partial files left by killed processes.

        EarlierFormatError if the folder holds results of an earlier format.
        """
        self._check_format()
        for name in self.FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder / "runs"):
            pass
        self.remove_abandoned()

    def _check_format(self) -> None:
        if any((self.folder / "lookups").glob("*.csv")):
            raise self._earlier("look-ups")
        if first := next((self.folder / "runs").glob("*.json"), None):
            self.read(first.stem)

    def remove_abandoned(self) -> None:
        """Remove partial files left by killed processes."""
        for name in (*self.FOLDERS, packed.FOLDER, "sources", "training-free", "tunings", "tables", "figures", "."):
            for path in (self.folder / name).glob(f".*{UNFINISHED}"):
                if is_abandoned(path):
                    path.unlink(missing_ok=True)

    # Records -------------------------------------------------------------------------------------------------------

    def write(self, record: Record, arrays: Arrays | None = None) -> None:
        """Write a run's arrays and then its record, so that a record that exists is complete.

        ValueError or TypeError if `read` would not accept the record, or the arrays are none; then nothing is written.
        """
        key, zipped = record["key"], b""
        if arrays is not None:
            zipped = zip_arrays(arrays, compressed=True)
            record = {**record, "arrays_sha256": hashlib.sha256(zipped).hexdigest()}
        text = json.dumps(_with_digest(record), indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
        self._parsed(key, text)
        if arrays is not None:
            write_atomically(self._arrays_path(key), zipped)
        write_atomically(self._record_path(key), text)
        sync_folder(self.folder / "runs")  # the checkpoint is deleted next: a power failure must not lose both

    def adopt(self, other: Store, record: Record) -> None:
        """Copy a record that another folder holds, packed or not, and its arrays, byte for byte."""
        key, path = record["key"], other._record_path(record["key"])
        if "arrays_sha256" in record:
            write_atomically(self._arrays_path(key), other._arrays_path(key).read_bytes())
        write_atomically(self._record_path(key), path.read_bytes() if path.exists() else other._packed()[key])
        sync_folder(self.folder / "runs")

    def read(self, key: str) -> Record | None:
        """The record of a run, or None if there is none or a corrupt one, which is quarantined (see `warnings`).

        OSError if it cannot be read at the moment (permission, network), which does not mean that it is corrupt.
        """
        path = self._record_path(key)
        content: bytes | None = None
        try:
            content = path.read_bytes()
            return self._checked(key, content)
        except (*DAMAGE, RecursionError) as error:
            if not path.exists():  # packed, never written, or quarantined by another process
                line = self._packed().get(key)
                return None if line is None else self._of_line(key, line)
            if path.is_file() and path.read_bytes() != content:  # replaced in the meantime
                return self.read(key)
            self.quarantine(path, self._arrays_path(key), why=error)
            return None

    def _checked(self, key: str, content: bytes) -> Record:
        """Parse and verify a record and its arrays. One of `DAMAGE` if either is corrupt."""
        record = self._parsed(key, content)
        expected = record.get("arrays_sha256")
        if expected and hashlib.sha256(self._arrays_path(key).read_bytes()).hexdigest() != expected:
            raise ValueError("the checksum of its arrays does not match")
        return record

    def _parsed(self, key: str, content: bytes) -> Record:
        """Parse and verify a record. ValueError if it is corrupt."""
        record = schema.decoded(content)
        if not isinstance(record, dict) or record.pop("sha256", None) != _digest(record):
            raise ValueError("its checksum does not match its content")
        if "asked" in record:
            raise self._earlier("records")
        schema.check(record)
        # Where the text is canonical, as in packed records, no other has to be made for its digest.
        canonical = hashlib.sha256(schema.config_text(content)).hexdigest() == key
        if record["key"] != key or not (canonical or run_key(record["config"]) == key):
            raise ValueError("its key does not match its file name or config")
        return record

    def records(self) -> list[Record]:
        """All readable records, sorted by key."""
        single = {path.stem for path in (self.folder / "runs").glob("*.json")}
        lines = self._packed()
        read = [
            self.read(key) if key in single else self._of_line(key, lines[key]) for key in sorted(single | lines.keys())
        ]
        return [record for record in read if record is not None]

    def pack(self) -> int:
        """Move the records of finished black-box searches into one file per row; returns how many were moved.

        Thousands of small files take several times the space. A later call adds to the files. Every line is a record
        with its checksum, read like one in a file of its own.
        """
        with waited_for(self.claim_path("pack")):  # one process at a time: none overwrites what another adds
            return self._pack()

    def _pack(self) -> int:
        single = {path.stem for path in (self.folder / "runs").glob("*.json")}
        rows: dict[str, list[Record]] = defaultdict(list)
        for record in self.records():
            if record["config"]["kind"] == "black-box" and record["status"] == "done":
                rows[f"{_plain(record['config']['method']['name'])}-{row_key(record)[:8]}"].append(record)
        moved = 0
        for name, records in rows.items():
            new = [record["key"] for record in records if record["key"] in single]
            if not new:
                continue
            in_order = sorted(records, key=lambda record: (record["config"]["seed"], record["key"]))
            path = self.folder / packed.FOLDER / f"{name}{packed.SUFFIX}"
            if path.exists() and not packed.read(path).keys() <= {record["key"] for record in records}:
                content = path.read_bytes()  # it has lines that cannot be read
                kept = self.folder / "damaged" / f"{hashlib.sha256(content).hexdigest()[:12]}-{path.name}"
                kept.parent.mkdir(exist_ok=True)
                write_atomically(kept, content)
            packed.write(path, [_with_digest(record) for record in in_order])
            for key in new:
                self._record_path(key).unlink(missing_ok=True)
            moved += len(new)
        return moved

    def _packed(self) -> dict[str, bytes]:
        """The lines of packed records by key."""
        lines: dict[str, bytes] = {}
        for path in packed.files(self.folder / packed.FOLDER):
            try:
                lines |= packed.read(path)
            except FileNotFoundError:
                continue
            except ValueError as error:
                self.quarantine(path, why=error)
        return lines

    def _of_line(self, key: str, line: bytes) -> Record | None:
        try:
            return self._checked(key, line)
        except (*DAMAGE, RecursionError) as error:
            reason = textwrap.shorten(str(error), 300, placeholder="...")
            self.warnings.append(f"corrupt record {key} in {self.folder / packed.FOLDER} ignored: {reason}")
            return None

    def arrays(self, key: str, names: Collection[str] = ()) -> Arrays:
        """The arrays of a run whose record `read` has verified, by default all of them, or those of the names that it
        has. ValueError if the file cannot be read as arrays."""
        path = self._arrays_path(key)
        content = path.read_bytes()
        try:
            return _arrays(content, names)
        except Exception as error:  # zipfile and numpy raise almost anything on other bytes
            raise ValueError(f"{path} does not hold the arrays of a run: {error}") from error

    def _record_path(self, key: str) -> Path:
        return self.folder / "runs" / f"{key}.json"

    def _arrays_path(self, key: str) -> Path:
        return self.folder / "runs" / f"{key}.npz"

    def quarantine(self, *paths: Path, why: Exception) -> None:
        """Move corrupt files to `damaged/` and add a warning. Another process may do so at the same time."""
        for path in paths:
            target = self.folder / "damaged" / path.name
            target.parent.mkdir(exist_ok=True)
            with suppress(FileNotFoundError):
                path.replace(target)
        reason = textwrap.shorten(str(why), 300, placeholder="...")
        self.warnings.append(f"corrupt file {paths[0].name} quarantined in {self.folder / 'damaged'}: {reason}")

    # Sources -------------------------------------------------------------------------------------------------------

    def write_source(self, source: Source) -> None:
        """Keep the file of an external class or function; records name it by its SHA-256."""
        path = self.source_path(source.sha256)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, source.content)

    def source_path(self, sha256: str) -> Path:
        return self.folder / "sources" / f"{sha256}.py"

    # Checkpoints ---------------------------------------------------------------------------------------------------

    def write_checkpoint(self, key: str, content: bytes) -> None:
        """Replace the checkpoint of a run."""
        write_atomically(self.checkpoint_path(key), hashlib.sha256(content).digest() + content)

    def read_checkpoint(self, key: str) -> bytes | None:
        """The state of a run, or None if there is none or a corrupt one, which is quarantined (see `warnings`)."""
        path = self.checkpoint_path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError as error:
            self.quarantine(path, why=error)
            return None
        digest, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != digest:
            self.quarantine(path, why=ValueError("its checksum does not match its content"))
            return None
        return content

    def checkpoint_path(self, key: str) -> Path:
        return self.folder / "checkpoints" / f"{key}.pt"

    def claim_path(self, key: str) -> Path:
        return self.folder / "claims" / key

    def progress_path(self, key: str) -> Path:
        return self.folder / "checkpoints" / f"{key}.json"

    def progress(self, key: str) -> dict[str, Any]:
        """Epoch and loss of an active run; empty if it has not begun. For display only."""
        try:
            progress = json.loads(self.progress_path(key).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        complete = isinstance(progress, dict) and progress.keys() >= {"epoch", "loss"}
        return progress if complete and isinstance(progress["epoch"], int) else {}

    def checkpoints(self) -> set[str]:
        """The keys of all runs with a checkpoint."""
        return {path.stem for path in (self.folder / "checkpoints").glob("*.pt")}

    def discard_checkpoint(self, key: str) -> None:
        self.progress_path(key).unlink(missing_ok=True)
        self.checkpoint_path(key).unlink(missing_ok=True)  # last: as long as it exists, `checkpoints` lists the run

    def _earlier(self, what: str) -> EarlierFormatError:
        convert = f"python -m harness migrate {self.folder}"
        return EarlierFormatError(f"{self.folder} holds {what} of an earlier format; to convert them: {convert}")

    # Scores --------------------------------------------------------------------------------------------------------

    def write_scores(self, scores: Scores) -> None:
        """Add rows to what is stored of the same benchmark and table."""
        import pandas as pd

        path = self.folder / "scores" / scores.file_name
        known = [stored.frame for stored in self._stored_scores() if stored.file_name == scores.file_name]
        frame = pd.concat([*known, scores.frame]).drop_duplicates(SCORED)
        body = frame.sort_values(SCORED).to_csv(index=False)
        header = {
            "benchmark": scores.benchmark,
            "sha256": scores.sha256,
            "source": " ".join(scores.source.split()),
            "has_best": scores.has_best,
            "content": _text_digest(body),
        }
        text = f"# {json.dumps(header)}\n{body}"
        write_atomically(path, text.encode())

    def scores(self) -> Iterator[Scores]:
        """What is stored of every table. A damaged file is set aside: it is written again when the table is at hand."""
        if any((self.folder / "lookups").glob("*.csv")):
            raise self._earlier("look-ups")
        yield from self._stored_scores()

    def _stored_scores(self) -> Iterator[Scores]:
        for path in sorted((self.folder / "scores").glob("*.csv")):
            try:
                scores = _scores(path.read_text())
                if scores.file_name != path.name:
                    raise ValueError("its name is not that of its content")
            except FileNotFoundError:
                continue
            except DAMAGE as error:
                self.quarantine(path, why=error)
                continue
            yield scores


def _scores(text: str) -> Scores:
    """The content of a file of scores. ValueError, KeyError or TypeError if it is damaged."""
    import pandas as pd

    header, _, body = text.partition("\n")
    facts = json.loads(header.removeprefix("# "))
    if not isinstance(facts, dict) or facts.pop("content") != _text_digest(body):
        raise ValueError("its checksum is not that of its content")
    texts = [facts["benchmark"], facts["sha256"], facts["source"]]
    if not all(isinstance(text, str) for text in texts) or not re.fullmatch("[0-9a-f]{64}", facts["sha256"]):
        raise ValueError("it does not say of which table it is")
    frame = pd.read_csv(io.StringIO(body), dtype=str, keep_default_na=False)
    if list(frame.columns) != SCORE_COLUMNS or not isinstance(facts["has_best"], bool):
        raise ValueError("not a file of scores")
    if frame.isna().any(axis=None) or (frame == "").any(axis=None) or frame.duplicated(SCORED).any():
        raise ValueError("values are missing or given twice")
    # Python's own float(): exact, whatever the version of pandas.
    frame = frame.assign(value=frame["value"].map(float), trials=frame["trials"].map(int))
    if not frame["value"].between(0, 100).all():
        raise ValueError("scores are not between 0 and 100 %")
    return Scores(**facts, frame=frame)


SCORED = SCORE_COLUMNS[:4]
"""What a value is of: architecture, dataset, split and metric."""

DAMAGE = (ValueError, KeyError, TypeError, FileNotFoundError, IsADirectoryError)
"""What reading a corrupt file raises. Any other OSError means that the file cannot be read at the moment."""
LARGEST = 500_000_000
"""Bytes of a run's decompressed arrays; real ones have a thousandth of it."""


def _arrays(content: bytes, names: Collection[str]) -> Arrays:
    """Arrays of an `.npz` file; allocates at most `LARGEST`, whatever its headers say."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > LARGEST:
            raise ValueError(f"more than {LARGEST // 10**6} MB")
        chosen = {member.filename.removesuffix(".npy"): member for member in members}
        chosen = {name: member for name, member in chosen.items() if not names or name in names}
        return {name: read_array(archive.read(member)).copy() for name, member in chosen.items()}


def _plain(name: str) -> str:
    """As part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)


def _with_digest(record: Record) -> Record:
    return {**record, "sha256": _digest(record)}


def _digest(record: Record) -> str:
    return _text_digest(_CANONICAL.encode(record))


_CANONICAL = json.JSONEncoder(sort_keys=True, allow_nan=False)
"""Made once for all records."""


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
