"""Retrainings as jobs: one architecture, trained from scratch."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from harness import plugins
from harness.evaluate import distributed
from harness.evaluate.recipe import Recipe
from harness.evaluate.training import Training, feed
from harness.experiment import registry
from harness.experiment.devices import prepare
from harness.experiment.jobs.base import Job, LoopWork, Machine, check_images, dataset_source
from harness.experiment.store import Arrays
from harness.plugins import Source
from harness.search.loop import stream


@dataclass(frozen=True)
class RetrainingJob(Job):
    cell_name: str
    """How the user or the search calls the architecture; the same one under another name is the same run."""
    benchmark_word: str
    """The benchmark as the user called it: the name of its space, or `file.py:Class`."""
    images: str
    """The dataset as the user called it: its name, or `file.py:function`."""

    @property
    def name(self) -> str:
        return self.cell_name

    @property
    def recipe(self) -> Recipe:
        return Recipe(**self.config["protocol"]["values"], **self.config["numerics"])

    def sources(self) -> dict[str, Source]:
        space = registry.benchmark_of(self.benchmark_word).full_space
        found = {"benchmark": plugins.source(type(space))} if ":" in self.benchmark_word else {}
        return found | dataset_source(self.images)

    def facts(self, result: Mapping[str, Any]) -> dict[str, Any]:
        return {"cell_name": self.cell_name}

    def writes_scalars(self, machine: Machine) -> bool:
        return True

    def begin(self, machine: Machine) -> RetrainingWork:
        return RetrainingWork(self.training(machine))

    def training(self, machine: Machine) -> Training:
        """At its beginning. ValueError if it was planned for more or fewer processes."""
        group, config = distributed.current_group(), self.config
        if group.size != config["processes"]:
            raise ValueError(f"planned for {config['processes']} processes, but {group.size} would train it")
        benchmark = registry.benchmark_of(self.benchmark_word)
        if benchmark.sha256 != config["benchmark"].get("sha256"):
            raise ValueError(f"{self.benchmark_word} has changed since the run was planned: run the same command again")
        device = torch.device(machine.device)
        source = feed(self.images, machine.data, self.recipe, device, group, machine.workers)
        check_images(config["dataset"], source.sha256)
        torch.manual_seed(stream(config["seed"], "initial weights"))
        arch = benchmark.full_space.from_string(config["architecture"])
        network = benchmark.network(arch, self.recipe, source.classes, source.large)
        return Training(network, source, self.recipe, config["seed"], device, group, name=self.key)


@dataclass(frozen=True)
class RetrainingWork(LoopWork):
    loop: Training

    def epochs(self) -> Iterator[Arrays]:
        for epoch in self.loop.epochs():
            yield epoch.arrays()

    def outcome(self, arrays: Arrays) -> dict[str, Any]:
        """The best epoch is chosen on the test set itself: it is no result, and marked so."""
        accuracy = arrays["test_accuracy"]
        best = int(np.argmax(accuracy))
        return {
            "metric": "test_error",
            "split": "test",
            "test_error": _error(accuracy[-1]),
            "test_top5_error": _error(arrays["test_top5_accuracy"][-1]),
            "best_epoch": {"epoch": best + 1, "test_error": _error(accuracy[best]), "test_peeking": True},
            **self.loop.sizes(),
        }


def _error(accuracy: float) -> float:
    return round(100 - float(accuracy), 6)


# Groups of processes -------------------------------------------------------------------------------------------------


def follow(jobs: Sequence[RetrainingJob], machine: Machine) -> None:
    """Take part in every training that the group's leader executes, until it has none left (`release`)."""
    prepare(machine.threads)
    known = {job.key: job for job in jobs}
    while (called := distributed.current_group().broadcast(None)) is not None:
        name, state = called
        training = known[name].training(machine)
        training.load_state_dict(torch.load(io.BytesIO(state), weights_only=True, map_location="cpu"))
        for _ in training.epochs():
            pass


def release() -> None:
    """Let the processes that follow this one go."""
    distributed.current_group().broadcast(None)
