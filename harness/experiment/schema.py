"""What a record must hold, declared once: whatever reads records relies on these types and limits, on nothing else.

Fields with a default may be absent; unknown fields are allowed. Limits are far beyond what a run can have; they keep a
damaged number or text from spoiling the tables and figures of all other runs.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from harness.experiment.config import SCHEMA

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=100_000)]
Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[int, Meta(ge=1, le=2**31)]
Amount = Annotated[float, Meta(ge=0, le=1e12)]
"""Seconds or MiB."""
Percent = Annotated[float, Meta(ge=0, le=100)]
Values = dict[Name, Any]
"""Of settings and fields; see `_check_numbers`."""
LARGEST = 2**53


def _check_numbers(*values: Values) -> None:
    """ValueError if an integer is larger than any setting, so that it need not even be a float."""
    for each in values:
        for name, value in each.items():
            if isinstance(value, int) and abs(value) > LARGEST:
                raise ValueError(f"{name} is larger than {LARGEST}")


# Configs (harness.experiment.config) ---------------------------------------------------------------------------------


class BuiltIn(Struct, tag_field="origin", tag="built-in"):
    name: Name
    version: Positive


class External(Struct, tag_field="origin", tag="external"):
    name: Name
    version: Positive
    sha256: Sha256


class Split(Struct):
    name: Name
    may_have_seen_test: bool
    substitute: bool


class Dataset(Struct):
    name: Name
    origin: Name
    sha256: Sha256 | None = None
    part: Name | None = None
    split: Split | None = None

    def __post_init__(self) -> None:
        if self.origin == "external" and self.sha256 is None:
            raise ValueError("an external dataset needs a sha256")


class Table(Struct):
    name: Name | None
    sha256: Sha256
    epochs: Count
    substitute: bool
    verified: bool
    trials: Count = 1


class Optimizer(Struct):
    name: Name
    sha256: Sha256
    settings: Values = {}

    def __post_init__(self) -> None:
        _check_numbers(self.settings)


class Overrides(Struct):
    settings: Values
    protocol: Values
    numerics: Values

    def __post_init__(self) -> None:
        _check_numbers(self.settings, self.protocol, self.numerics)


class Protocol(Struct):
    id: Name
    version: Positive
    values: Values

    def __post_init__(self) -> None:
        _check_numbers(self.values)


class RecipeValues(Struct):
    cells: Positive
    channels: Positive
    epochs: Positive


class Recipe(Struct):
    id: Name
    version: Positive
    values: RecipeValues


class Config(Struct, tag_field="kind"):
    schema: int
    benchmark: BuiltIn | External
    numerics: Values
    dataset: Dataset
    seed: Count
    overrides: Overrides


class Search(Config):
    profile: Name
    method: BuiltIn | External
    settings: Values
    optimizer: Optimizer | None
    protocol: Protocol

    def __post_init__(self) -> None:
        _check_numbers(self.settings)


class OneShot(Search, tag="one-shot"):
    pass


class BlackBox(Search, tag="black-box"):
    table: Table | None


class TrainingFree(Search, tag="training-free"):
    pass


class Retraining(Config, tag="retraining"):
    protocol: Recipe
    architecture: Text
    processes: Positive


# Records -------------------------------------------------------------------------------------------------------------


class SourceFile(Struct):
    file: Name
    name: Name
    """Of the class or function."""
    sha256: Sha256


class Session(Struct):
    """As `harness.experiment.sessions.Session`; null: not known."""

    epoch: Positive
    commit: Name | None = None
    dirty: bool | None = None
    distribution: Name | None = None
    device: Annotated[str, Meta(max_length=200)] | None = None
    threads: Positive | None = None
    machine: Name | None = None
    cpu_capability: Name | None = None
    versions: dict[Name, Name] = {}


class Provenance(Struct):
    commit: Name | None = None
    dirty: bool | None = None
    """Whether the code differed from its commit or distribution; None: not known."""
    distribution: Name | None = None
    """Outside of a checkout."""
    device: Annotated[str, Meta(max_length=200)] | None = None
    """Empty: the executing machine's first, which was killed before it said which that is."""
    threads: Positive | None = None
    started: Name | None = None
    seconds: Amount | None = None
    """Wall time."""
    cpu_seconds: Amount | None = None
    """Of the process of the run, all its threads."""
    load: Amount | None = None
    """Of the machine: mean number of running processes, ours among them."""
    peak_memory_mb: Amount | None = None
    versions: dict[Name, Name] = {}
    warnings: list[Text] = []
    sources: dict[Name, SourceFile] = {}
    """Of external code, by what it is: method, optimizer, benchmark, dataset."""
    sessions: list[Session] = []
    """The processes that computed its epochs, where they differ; then what is above is of the last one."""


class Cells(Struct):
    last: Text
    best_valid: Text | None = None
    best_valid_epoch: Positive | None = None


class Graph(Struct):
    """As `harness.benchmarks.base.Graph`."""

    title: Text
    nodes: list[Name]
    edges: list[tuple[Count, Count, Text]]

    def __post_init__(self) -> None:
        if not all(source < target < len(self.nodes) for source, target, _ in self.edges):
            raise ValueError("an edge of a graph does not join two of its nodes, in their order")


class Space(Struct):
    """What figures need to know of a user's own space."""

    groups: dict[Name, tuple[Count, Count]]
    rows: Annotated[list[Name], Meta(min_length=1)]
    options: list[Annotated[list[Name], Meta(min_length=1)]]
    graphs: dict[Text, list[Graph]]

    def __post_init__(self) -> None:
        ends = self.groups.values()
        if len(self.options) != len(self.rows) or not all(start < stop <= len(self.rows) for start, stop in ends):
            raise ValueError("rows, options and groups of the space do not fit together")


class Record(Struct, tag_field="status"):
    schema: int
    key: Sha256
    provenance: Provenance


class FailedSearch(Record, tag="failed"):
    failure: str | None
    config: OneShot | BlackBox | TrainingFree
    family: Name
    paper: Text


class FailedRetraining(Record, tag="failed"):
    failure: str | None
    config: Retraining
    cell_name: Name


class DoneSearch(Record):
    family: Name
    paper: Text
    cells: Cells


class DoneOneShot(DoneSearch, tag="done"):
    config: OneShot
    arrays_sha256: Sha256 | UnsetType = UNSET
    space: Space | UnsetType = UNSET


class DoneBlackBox(DoneSearch, tag="done"):
    config: BlackBox
    queries: Count
    search_seconds: Amount
    improvements: list[tuple[Count, Amount, Text, float]]
    space: Space | UnsetType = UNSET


class DoneTrainingFree(DoneSearch, tag="done"):
    config: TrainingFree
    scored: Positive
    """Random architectures, those that were drawn again among them."""
    score: float | None
    """Of the best one; null: none had a finite one."""
    arrays_sha256: Sha256 | UnsetType = UNSET
    space: Space | UnsetType = UNSET


class BestEpoch(Struct):
    epoch: Positive
    test_error: Percent


class DoneRetraining(Record, tag="done"):
    config: Retraining
    cell_name: Name
    test_error: Percent
    best_epoch: BestEpoch
    arrays_sha256: Sha256 | UnsetType = UNSET
    parameters: Count | None = None


RECORDS: dict[str, Any] = {
    "one-shot": DoneOneShot | FailedSearch,
    "black-box": DoneBlackBox | FailedSearch,
    "training-free": DoneTrainingFree | FailedSearch,
    "retraining": DoneRetraining | FailedRetraining,
}
"""By kind."""


def decoded(content: bytes) -> Any:
    """The value in the bytes of a JSON file. ValueError if there is none, or one that UTF-8 cannot hold."""
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


class _Config(Struct):
    config: msgspec.Raw


def config_text(content: bytes) -> bytes:
    """The text of the config in the bytes of a record. ValueError if there is none."""
    try:
        return bytes(msgspec.json.decode(content, type=_Config).config)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error


def check_sessions(sessions: Any) -> None:
    """ValueError if these are no sessions of a run."""
    msgspec.convert(sessions, Annotated[list[Session], Meta(min_length=1)])


def check(record: dict[str, Any]) -> None:
    """ValueError, in one line, if a record does not hold what its kind must."""
    config = record.get("config")
    if not isinstance(config, dict) or not record.get("schema") == config.get("schema") == SCHEMA:
        raise ValueError(f"record and config are not of schema {SCHEMA}")
    kind = config.get("kind")
    if not isinstance(kind, str) or kind not in RECORDS:
        raise ValueError("its config has no known kind")
    try:
        msgspec.convert(record, RECORDS[kind])
    except msgspec.ValidationError as error:
        raise ValueError(f"not a record: {error}") from error
