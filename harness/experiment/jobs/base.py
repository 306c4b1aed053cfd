"""A job and its work: all that scheduler, runner, checkpoints and estimates know of what they execute."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from harness import plugins
from harness.experiment.config import Config, dataset_name, run_key
from harness.experiment.store import Arrays
from harness.plugins import Source


@dataclass(frozen=True)
class Machine:
    """Where and how jobs are executed. Recorded with a run, but no part of its key."""

    results: Path
    data: Path
    table: Path | None
    """What black boxes query; None: the benchmark's own table."""
    device: str
    """Empty: the first that the executing machine has, to be found there."""
    threads: int
    commit: str | None
    dirty: bool | None
    """None: not known."""
    parent: int | None = None
    """Process id of the runner; a worker ends with its runner. None: on another machine."""
    distribution: str | None = None
    """Where it is no checkout (`harness.experiment.provenance.Code`)."""
    time_limit: float | None = None
    """Seconds that one run may take in this call."""
    workers: int = 0
    """Processes that decode images of class folders, per stream; 0: the run's own process."""
    tensorboard: bool = False
    """Whether the epochs of searches are written for TensorBoard; those of retrainings always are."""


class Work(Protocol):
    """A job under way, which can be stopped after any epoch and continued from its `state_dict`."""

    @property
    def next_epoch(self) -> int:
        """How many epochs are done."""

    def epochs(self) -> Iterator[Arrays]:
        """Do the epochs that are left. Yields what is logged after each: arrays (1, ...), "seconds" among them, and
        "loss" where there is one. None at all for work that is not done in epochs."""

    def outcome(self, arrays: Arrays) -> dict[str, Any]:
        """What the record says of the result; `arrays` (T, ...) are the logs of all epochs."""

    def epoch_seconds(self) -> float:
        """How long an epoch takes, from a few measured steps."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class LoopWork:
    """Work whose state is that of a loop: a search, a scoring or a training."""

    loop: Any

    @property
    def next_epoch(self) -> int:
        return int(self.loop.next_epoch)

    def epoch_seconds(self) -> float:
        return float(self.loop.epoch_seconds())

    def state_dict(self) -> dict[str, Any]:
        return dict(self.loop.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.loop.load_state_dict(state)


@dataclass(frozen=True)
class Job(ABC):
    """A unit of work. Its key is made of `config` (`harness.experiment.config`)."""

    config: Config

    is_brief: ClassVar[bool] = False
    """Whether it takes milliseconds and no GPU, so that a process does several at a time."""

    def __getstate__(self) -> dict[str, Any]:
        """Without what is cached: a user's own space exists in this process only."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def key(self) -> str:
        return run_key(self.config)

    @property
    def label(self) -> str:
        return f"{self.name} on {dataset_name(self.config)}, seed {self.config['seed']}"

    @property
    @abstractmethod
    def name(self) -> str:
        """Of what is searched with or retrained."""

    @property
    def epochs(self) -> int:
        """Steps of progress."""
        return int(self.config["protocol"]["values"].get("epochs", 1))

    def sources(self) -> dict[str, Source]:
        """Files of external code, by what it is: method, optimizer, benchmark, dataset. ValueError if one is gone."""
        return {}

    @abstractmethod
    def facts(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """What a report needs of the job besides config and result."""

    def writes_scalars(self, machine: Machine) -> bool:
        """Whether its epochs are written for TensorBoard."""
        return False

    def scalars(self, log: Arrays) -> dict[str, float]:
        """The numbers in the log of an epoch, by name; without accuracies that were not measured."""
        numbers = {name: values for name, values in log.items() if values.size == 1 and values.dtype.kind in "fiu"}
        return {name: float(values.item()) for name, values in numbers.items() if np.isfinite(values).all()}

    @abstractmethod
    def begin(self, machine: Machine) -> Work:
        """The work at its beginning. ValueError or OSError, in one line, if its inputs are not the planned ones."""


def dataset_source(word: str) -> dict[str, Source]:
    """The file of the function that returns a user's own images; empty for a dataset with a name."""
    return {"dataset": plugins.source(plugins.load_function(word))} if ":" in word else {}


def check_images(planned: Mapping[str, Any], sha256: str) -> None:
    """ValueError if the images are not those that a job was planned with."""
    if sha256 != planned["sha256"]:
        raise ValueError(f"the images of {planned['name']} are not those that the run was planned with")
