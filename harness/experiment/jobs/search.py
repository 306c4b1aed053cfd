"""Searches as jobs: by weight sharing, epoch by epoch, by queries, and by training-free scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from harness import plugins
from harness.api import BlackBox, OneShot, TrainingFree
from harness.benchmarks.base import Arch, Benchmark, SearchSpace, Signal
from harness.data import SearchData, load, search_data, search_split
from harness.data.folders import FolderShares, class_folders, folder_shares
from harness.experiment import exchange, registry
from harness.experiment.config import Config
from harness.experiment.conformance import simplex_problems
from harness.experiment.devices import cannot_compile
from harness.experiment.jobs.base import Job, LoopWork, Machine, check_images, dataset_source
from harness.experiment.store import Arrays
from harness.plugins import Entry, Source
from harness.protocol import FolderProtocol, NetworkSize, Protocol, TrialSimulation, as_protocol, as_simulation
from harness.search.cost import KINDS
from harness.search.estimate import epoch_seconds
from harness.search.loop import COSTS, Epoch, Search, stacked, stream
from harness.search.queries import nothing, simulate
from harness.search.scoring import EPOCH, Scorer, Scoring


@dataclass(frozen=True)
class SearchJob(Job):
    """One search."""

    entry: Entry
    benchmark_word: str
    """The benchmark as the user called it: the name of its space, or `file.py:Class`."""
    family: str
    paper: str
    """Of the method."""

    @property
    def name(self) -> str:
        return str(self.config["method"]["name"])

    @cached_property
    def benchmark(self) -> Benchmark:
        """ValueError if the source of a user's own is not the planned one."""
        benchmark = registry.benchmark_of(self.benchmark_word)
        if benchmark.sha256 != self.config["benchmark"].get("sha256"):
            raise ValueError(f"{self.benchmark_word} has changed since the run was planned: run the same command again")
        return benchmark

    @property
    def space(self) -> SearchSpace:
        """With or without the zero operation."""
        return self.benchmark.space(self.config["protocol"]["values"].get("zero_operation", True))

    def sources(self) -> dict[str, Source]:
        found = {"method": plugins.source(plugins.load(self.entry))} if self.entry.external else {}
        if self.benchmark.sha256:
            found["benchmark"] = plugins.source(type(self.benchmark.full_space))
        return found

    def facts(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Of a user's own benchmark, which a report cannot load, also the names and the picture that figures show."""
        facts = {"family": self.family, "paper": self.paper}
        external = self.config["benchmark"]["origin"] == "external"
        return {**facts, "space": self._described(result["cells"])} if external and "cells" in result else facts

    def _described(self, cells: Mapping[str, str | None]) -> dict[str, Any]:
        space = self.space
        texts = [text for text in (cells["last"], cells["best_valid"]) if text is not None]
        return {
            "groups": {name: list(rows.indices(len(space.options))[:2]) for name, rows in space.groups.items()},
            "rows": list(space.row_names),
            "options": [list(names) for names in space.options],
            "graphs": {text: [asdict(graph) for graph in space.graph(space.from_string(text))] for text in texts},
        }

    def new_method(self) -> Any:
        """A new instance. ValueError if the source of an external class is not the planned one."""
        return _planned(self.entry, self.config["method"])(self.space, **self.config["settings"])


def _planned(entry: Entry, config: Mapping[str, Any]) -> type[Any]:
    """The class of an entry. ValueError if its source is not the one that the run was planned with."""
    cls = plugins.load(entry)
    if "sha256" in config and plugins.source_digest(cls) != config["sha256"]:
        raise ValueError(f"{entry.target} has changed since the run was planned: run the same command again")
    return cls


# Weight sharing ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OneShotJob(SearchJob):
    """A search by weight sharing."""

    images: str
    """The dataset as the user called it: its name, or `file.py:function`."""
    optimizer: Entry | None = None
    """A `torch.optim` optimizer in the place of the method's own."""

    def sources(self) -> dict[str, Source]:
        found = super().sources()
        if self.optimizer:
            found["optimizer"] = plugins.source(plugins.load(self.optimizer))
        return found | dataset_source(self.images)

    @property
    def protocol(self) -> Protocol:
        return as_protocol({**self.config["protocol"]["values"], **self.config["numerics"]})

    def writes_scalars(self, machine: Machine) -> bool:
        return machine.tensorboard

    def scalars(self, log: Arrays) -> dict[str, float]:
        """The entropy is that of each group of choices; a cost is the sum over its kinds."""
        entropies = {f"entropy/{name}": log["entropy"][:, [k]] for k, name in enumerate(self.space.groups)}
        costs = {f"cost/{name}": log[name].sum(axis=1) for name in COSTS if name in log}
        others = {name: values for name, values in log.items() if name not in ("entropy", *COSTS)}
        return super().scalars({**others, **entropies, **costs})

    def begin(self, machine: Machine) -> OneShotWork:
        return OneShotWork(self.search(machine), self.space, self.config["optimizer"])

    def search(self, machine: Machine) -> Search:
        """At its beginning."""
        protocol, seed = self.protocol, self.config["seed"]
        if protocol.compiled and (reason := cannot_compile(machine.device)):
            raise ValueError(f"the search is to be compiled, but {reason}")
        torch.manual_seed(stream(seed, "method"))
        method: OneShot = self.new_method()
        if self.optimizer:
            config = self.config["optimizer"]
            optimizer: Callable[..., Any] = _planned(self.optimizer, config)
            method.exchange_optimizers(partial(optimizer, **config.get("settings", {})))
        data = self._data(machine, method.bilevel)
        torch.manual_seed(stream(seed, "initial weights"))
        supernet = self.benchmark.supernet(self.space, protocol, data.classes, method.supernet)
        return Search(method, supernet, data, protocol, seed, torch.device(machine.device))

    def _data(self, machine: Machine, bilevel: bool) -> SearchData | FolderShares:
        """ValueError if the images are not those that the run was planned with."""
        protocol, dataset = self.protocol, self.config["dataset"]
        if isinstance(protocol, FolderProtocol):
            shares = (protocol.weights_share, protocol.architecture_share)
            folders = class_folders(machine.data / dataset["name"])
            check_images(dataset, folders.sha256)
            of_folders = folder_shares(folders, bilevel, *shares, protocol.image_size, machine.workers)
            _check_split(dataset, of_folders.sha256)
            return of_folders
        images = load(self.images, machine.data)
        check_images(dataset, images.sha256)
        split = search_split(images, bilevel)
        _check_split(dataset, split.sha256)
        return search_data(images, bilevel, split)


def _check_split(planned: Mapping[str, Any], sha256: str) -> None:
    if sha256 != planned["split"]["sha256"]:
        raise ValueError(f"the split of {planned['name']} is not the planned one, {planned['split']['name']}")


@dataclass(frozen=True)
class OneShotWork(LoopWork):
    loop: Search
    space: SearchSpace
    optimizer: Mapping[str, Any] | None
    """What a config says of the one in the place of the method's own."""

    def epochs(self) -> Iterator[Arrays]:
        for epoch in self.loop.epochs():
            yield stacked([epoch], [self._checked(epoch)])

    def _checked(self, epoch: Epoch) -> str:
        """The architecture of an epoch, as a string. ValueError or FloatingPointError for what no record may hold."""
        if self.optimizer:
            method = f"after epoch {epoch.epoch + 1}, {type(self.loop.method).__name__}"
            if wrong := simplex_problems(method, epoch.theta, self.space):
                raise ValueError(exchange.blamed(self.optimizer["name"], wrong)[0])
        if not (np.isfinite(epoch.theta).all() and np.isfinite(epoch.edge_weights).all()):
            raise FloatingPointError(f"the method's distribution is not finite after epoch {epoch.epoch + 1}")
        text = self.space.to_string(epoch.cell)
        self.space.from_string(text)  # what a method derives itself may be no architecture at all
        return text

    def outcome(self, arrays: Arrays) -> dict[str, Any]:
        """The last epoch's architecture, and that of the best supernet validation accuracy (the first on ties)."""
        accuracy, cells = arrays["valid_accuracy"], arrays["cells"]
        best = None if np.isnan(accuracy).all() else int(np.nanargmax(accuracy))
        return {
            "cells": {
                "last": str(cells[-1]),
                "best_valid": None if best is None else str(cells[best]),
                "best_valid_epoch": None if best is None else best + 1,
            }
        }

    def epoch_seconds(self) -> float:
        return epoch_seconds(self.loop)


# Queries -------------------------------------------------------------------------------------------------------------

Query = Callable[[Arch, np.random.Generator | None], Signal]
QUERYING_SECONDS = 0.02
"""Of a search by queries of a table."""


@dataclass(frozen=True)
class QueryJob(SearchJob):
    """A search by queries."""

    is_brief: ClassVar[bool] = True

    def begin(self, machine: Machine) -> QueryWork:
        queried = self.config["table"]
        query: Query = _query(self.benchmark_word, machine.table, queried["sha256"]) if queried else nothing
        simulation = as_simulation(self.config["protocol"]["values"])
        averages = isinstance(simulation, TrialSimulation) and simulation.mean_of_trials
        return QueryWork(self.new_method(), self.config["seed"], query, simulation.budget_seconds, averages)


@lru_cache(maxsize=1)
def _query(benchmark_word: str, table: Path | None, sha256: str) -> Query:
    oracle = registry.benchmark_of(benchmark_word).oracle(table)
    if oracle is None or oracle.config["sha256"] != sha256:
        raise ValueError("the table is not the one that the run was planned with")
    return oracle.query


@dataclass(frozen=True)
class QueryWork:
    method: BlackBox
    seed: int
    query: Query
    budget_seconds: float
    mean_of_trials: bool
    next_epoch = 0

    def epochs(self) -> Iterator[Arrays]:
        """None: the search is over before a checkpoint would be written."""
        return iter(())

    def outcome(self, arrays: Arrays) -> dict[str, Any]:
        """The architecture that was chosen, and the improvements on the way."""
        rng = np.random.default_rng(stream(self.seed, "method"))
        trials = None if self.mean_of_trials else np.random.default_rng(stream(self.seed, "queries"))
        searched = simulate(self.method.search(rng), lambda arch: self.query(arch, trials), self.budget_seconds)
        to_string = self.method.space.to_string
        return {
            "cells": {"last": to_string(searched.cell), "best_valid": None, "best_valid_epoch": None},
            "queries": searched.queries,
            "search_seconds": searched.seconds,
            "improvements": [
                [step.query, step.seconds, to_string(step.cell), step.accuracy] for step in searched.improvements
            ],
        }

    def epoch_seconds(self) -> float:
        return QUERYING_SECONDS

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is no state."""


# Training-free scores ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrainingFreeJob(SearchJob):
    """A search by the score of untrained networks."""

    images: str
    """The dataset as the user called it: its name, or `file.py:function`."""

    @property
    def epochs(self) -> int:
        return -(-int(self.config["settings"]["cells"]) // EPOCH)

    def sources(self) -> dict[str, Source]:
        return super().sources() | dataset_source(self.images)

    def begin(self, machine: Machine) -> TrainingFreeWork:
        images = load(self.images, machine.data)
        check_images(self.config["dataset"], images.sha256)
        method: TrainingFree = self.new_method()
        size, seed = NetworkSize(**self.config["protocol"]["values"]), self.config["seed"]

        def make(arch: Arch, classes: int, affine: bool) -> nn.Module:
            return self.benchmark.untrained(arch, size, classes, affine)

        return TrainingFreeWork(Scoring(method, Scorer(method, make, images, seed, machine.device), seed))


@dataclass(frozen=True)
class TrainingFreeWork(LoopWork):
    loop: Scoring

    def epochs(self) -> Iterator[Arrays]:
        """After each, the architectures scored in it ("scored", "scores"; of the last epoch fewer, then empty and NaN)
        and the best one so far ("cells"). Images count as passes of chosen operations only."""
        to_string = self.loop.scorer.method.space.to_string
        for epoch in self.loop.epochs():
            unfilled = EPOCH - len(epoch.values)
            images = np.zeros((2, 1, len(KINDS)), dtype=np.int64)
            images[:, 0, KINDS.index("sampled")] = epoch.images
            yield {
                "scored": np.array([[*map(to_string, epoch.architectures), *[""] * unfilled]]),
                "scores": np.array([[*epoch.values, *[np.nan] * unfilled]]),
                "cells": np.array([to_string(epoch.best)]),
                "forward_images": images[0],
                "backward_images": images[1],
                "seconds": np.array([epoch.seconds]),
            }

    def outcome(self, arrays: Arrays) -> dict[str, Any]:
        """The architecture with the highest score, the first on ties."""
        arch, value = self.loop.best
        return {
            "cells": {
                "last": self.loop.scorer.method.space.to_string(arch),
                "best_valid": None,
                "best_valid_epoch": None,
            },
            "scored": len(self.loop.values),
            "score": value if np.isfinite(value) else None,
        }


def search_job(
    config: Config, entry: Entry, benchmark_word: str, family: str, paper: str, images: str, optimizer: Entry | None
) -> SearchJob:
    """The search that a config describes; the arguments are the fields of the jobs."""
    words = (config, entry, benchmark_word, family, paper)
    if config["kind"] == "black-box":
        return QueryJob(*words)
    if config["kind"] == "training-free":
        return TrainingFreeJob(*words, images)
    return OneShotJob(*words, images, optimizer)
