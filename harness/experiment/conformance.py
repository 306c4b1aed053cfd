"""What every method must satisfy, runnable on anyone's class.

`problems` takes a moment and is asked of every outside method before it runs; `examine` also searches for real.
Each answers with lines that say what is wrong and how to fix it; an empty list means that nothing is.
"""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from harness.api import BlackBox, OneShot, Problem, TrainingFree
from harness.benchmarks.base import Arch, Benchmark, SearchSpace
from harness.data import Dataset, SearchData
from harness.experiment import exchange, registry
from harness.protocol import NetworkSize, Protocol, Simulation
from harness.search.loop import Epoch, Search
from harness.search.queries import Simulated, nothing, simulate
from harness.search.scoring import EPOCH, Scorer, Scoring

TOLERANCE = 1e-4
QUERIES = 50
"""So many queries of a black box are answered before it runs, to see that it asks for cells."""


def problems(
    cls: type[Any],
    space: SearchSpace,
    settings: dict[str, Any] | None = None,
    optimizer: exchange.Exchange | None = None,
) -> list[str]:
    """Whether a class meets the contract on a space, perhaps with another optimizer, seen without any training."""
    name = cls.__name__
    if not issubclass(cls, OneShot | BlackBox | TrainingFree):
        return [f"{name} must derive from OneShot, BlackBox or TrainingFree of harness.api"]
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        return [f"{name} must define {', '.join(missing)}"]
    if found := _facts_problems(cls):
        return found
    if issubclass(cls, OneShot) and (found := first_contract_problems(cls)):
        return found
    try:
        reason = registry.unsupported(cls, space)
        registry.supernet_options(cls)
    except ValueError as error:
        return [str(error)]
    if reason:
        return [f"{name} does not run on space {space.name}: {reason}"]
    try:
        inspect.signature(cls).bind(space)
    except TypeError as error:
        return [f"{name}(space) must be possible, every setting needs a default: {error}"]
    try:
        method = cls(space, **(settings or {}))
    except Exception as error:  # whatever an outside constructor raises
        return [f"{name}(space) raised {type(error).__name__}: {error}"]
    if not isinstance(getattr(method, "space", None), SearchSpace):
        return [f"{name}.__init__ must call super().__init__(space)"]
    if optimizer is not None:
        found = exchange.problems(method, partial(cls, space, **(settings or {})), optimizer)
        if found:
            return found
        if isinstance(method, OneShot) and not problems(cls, space, settings):  # the method is not to blame
            lines = (f"after a step, {line}" for line in _one_shot_problems(method))
            return exchange.blamed(optimizer[0].__name__, lines)
    if isinstance(method, TrainingFree):
        return _training_free_problems(method)
    return _black_box_problems(method) if isinstance(method, BlackBox) else _one_shot_problems(method)


def _facts_problems(cls: type[Any]) -> list[str]:
    """What a record could not say of a method."""
    name, version = cls.__name__, cls.version
    found = [
        f"{name}.{what} must be a string, not {getattr(cls, what)!r}"
        for what in ("paper", "family")
        if not isinstance(getattr(cls, what), str)
    ]
    if type(version) is not int or version < 1:
        found.append(f"{name}.version must be a whole number, 1 or larger, not {version!r}")
    return found


def _black_box_problems(method: BlackBox) -> list[str]:
    name, rng = type(method).__name__, np.random.default_rng(0)
    try:
        search = method.search(rng)
        if not isinstance(search, Generator):
            return [f"{name}.search(rng) must be a generator: yield a cell, receive its accuracy"]
        cell = next(search)
        for _ in range(QUERIES):
            found = _cell_problems(f"{name}.search() must yield cells of the space", method.space, cell)
            if found:
                return found
            cell = search.send(float(rng.uniform(10, 90)))
    except StopIteration as stop:
        if stop.value is not None:
            return _cell_problems(f"{name}.search() must return a cell of the space, or None", method.space, stop.value)
    except Exception as error:  # whatever an outside method raises
        return [f"{name} raised {type(error).__name__} in its search: {error}"]
    return []


def _training_free_problems(method: TrainingFree) -> list[str]:
    name, cells = type(method).__name__, getattr(method, "cells", None)
    if not isinstance(cells, int) or cells < 1:
        return [f"{name} must score at least one architecture: cells={cells}"]
    torch.manual_seed(0)
    classes = method.classes or 2
    network = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, classes))
    try:
        value = method.score(network, torch.randn(8, 3, 4, 4), torch.arange(8) % classes)
    except Exception as error:  # whatever an outside method raises
        return [f"{name} raised {type(error).__name__} in its score: {error}"]
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError):  # the last is of a tensor with several entries
        return [f"{name}.score(network, images, labels) must return a number, not {type(value).__name__}"]
    return []


FIRST_CONTRACT = {
    "anneal": "anneal(epoch, epochs) is before_epoch(problem) now",
    "unrolled": "`unrolled` is gone: override architecture_step(problem)",
    "architecture_mode": "`architecture_mode` is gone: override architecture_step(problem)",
    "architecture_steps": "`architecture_steps` is gone: override architecture_step(problem) or after_epoch(problem)",
    "straight_through": "`straight_through` is gone: pass sampled=True to problem.loss in architecture_step(problem)",
    "sampled": "`sampled` is gone: derive from harness.search.bases.SampledWeights",
    "partial_channels": "partial_channels = n is supernet = {'partial_channels': n} now",
}
"""What a method could define once, and what has taken its place."""


def first_contract_problems(cls: type[OneShot]) -> list[str]:
    """One line for a method that was written for the first version of the contract."""
    found = [instead for name, instead in FIRST_CONTRACT.items() if hasattr(cls, name)]
    if "evaluate" in inspect.signature(cls.derive).parameters:
        found.append("derive(evaluate) is derive(problem) now: evaluate(arch) is problem.accuracy(arch, batch)")
    if not found:
        return []
    return [f"{cls.__name__} was written for the first version of harness/api.py: {'; '.join(found)}"]


class Untrained:
    """A problem before any training, on which no more can be asked than the accuracy of an architecture."""

    class NeedsTraining(Exception):  # noqa: N818 - no error of the method's
        """What else a method asks for."""

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.epoch, self.epochs, self.iteration, self.iterations = space, 0, 1, 0, 1

    def accuracy(self, *_: Any, **__: Any) -> float:
        return 50.0

    def batch(self, *_: Any, **__: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        raise Untrained.NeedsTraining(name)


def _one_shot_problems(method: OneShot) -> list[str]:
    name, space = type(method).__name__, method.space
    mixed = (space.shape[0], space.shape[1] + bool(method.supernet.get("auxiliary_skip")))
    learns = type(method).architecture_step is OneShot.architecture_step
    if learns and not any(True for _ in method.parameters()):
        return [f"{name} has no parameters to learn; override architecture_step if that is meant"]
    try:
        with torch.no_grad():
            found = [
                f"{name}.{what} must have shape {shape}, it has {tuple(value.shape)}"
                for what, value, shape in (
                    ("distribution()", method.distribution(), space.shape),
                    ("weights_for_training()", method.weights_for_training(), mixed),
                    ("edge_weights()", method.edge_weights(), space.shape[:1]),
                    ("evaluation_weights()", method.evaluation_weights(), mixed),
                )
                if value is not None and tuple(value.shape) != shape
            ]
            found = found or simplex_problems(name, method.distribution().cpu().detach().numpy(), space)
            return found or _derived_problems(method)
    except Exception as error:  # whatever an outside method raises
        return [f"{name} raised {type(error).__name__} before any training: {error}"]


def _derived_problems(method: OneShot) -> list[str]:
    try:
        cell = method.derive(cast(Problem, Untrained(method.space)))
    except Untrained.NeedsTraining:  # seen when it searches
        return []
    return _cell_problems(f"{type(method).__name__}.derive() must return a cell of the space", method.space, cell)


def simplex_problems(name: str, theta: NDArray[np.floating], space: SearchSpace) -> list[str]:
    """What is wrong with the distribution (R, K) of the method called `name`."""
    if not np.isfinite(theta).all():
        return [f"{name}.distribution() is not finite"]
    if (theta < -TOLERANCE).any() or (abs(theta.sum(axis=1) - 1) > TOLERANCE).any():
        return [f"{name}.distribution() must have rows on the simplex: no entry below 0, every row's sum 1"]
    if space.mask is not None and (abs(theta[~space.mask]) > TOLERANCE).any():
        return [f"{name}.distribution() must be zero where a choice has no option (self.mask, harness.search.simplex)"]
    return []


def _cell_problems(rule: str, space: SearchSpace, cell: Any) -> list[str]:
    try:
        space.one_hot(cell)
    except Exception as error:  # anything that is not a cell
        return [f"{rule}: {type(error).__name__}: {error}"]
    return []


def few(data: SearchData, images: int) -> SearchData:
    """The first images of each kind."""
    first = torch.arange(images)
    validation = data.validation[first] if data.validation else None
    return replace(data, train=data.train[first], held_out=data.held_out[first], validation=validation)


def examine_black_box(
    cls: type[BlackBox], benchmark: Benchmark, optimizer: exchange.Exchange | None = None
) -> list[str]:
    """Search with queries for real: determinism, and an architecture at the end."""
    space, oracle, default = benchmark.full_space, benchmark.oracle(None), benchmark.default_simulation("quick")
    found = problems(cls, space, optimizer=optimizer)
    if found or default is None:
        return found
    budget_seconds = cast(Simulation, default.protocol).budget_seconds

    def searched(seed: int) -> Simulated:
        query, trials = oracle.query if oracle else nothing, np.random.default_rng(seed)
        return simulate(
            cls(space).search(np.random.default_rng(seed)), lambda arch: query(arch, trials), budget_seconds
        )

    try:
        same = searched(1) == searched(1)
    except Exception as error:  # whatever a user's method or benchmark raises
        return [f"{cls.__name__} on {benchmark.name} raised {type(error).__name__}: {error}"]
    if not same:
        found.append(f"two searches of {cls.__name__} with one seed differ: draw from the given rng only")
    return found


SCORED = EPOCH + 1
"""Architectures that `examine_training_free` scores: more than one epoch of them."""


def examine_training_free(
    cls: type[TrainingFree], benchmark: Benchmark, dataset: Dataset, optimizer: exchange.Exchange | None = None
) -> list[str]:
    """Score a few small networks for real: determinism, exact resume after every epoch, as many scores as asked for."""
    found = problems(cls, benchmark.full_space, {"cells": SCORED}, optimizer)
    if found:
        return found

    def make(arch: Arch, classes: int, affine: bool) -> nn.Module:
        return benchmark.untrained(arch, NetworkSize(channels=2, cells=1), classes, affine)

    def start() -> Scoring:
        method = cls(benchmark.full_space, cells=SCORED)
        return Scoring(method, Scorer(method, make, dataset, 0, "cpu"), 0)

    try:
        whole, resumed = start(), start()
        for _ in whole.epochs():
            pass
        while next(resumed.epochs(), None):
            state = resumed.state_dict()
            resumed = start()
            resumed.load_state_dict(state)
    except Exception as error:  # whatever a user's method or benchmark raises
        return [f"{cls.__name__} on {benchmark.name} raised {type(error).__name__}: {error}"]
    if whole.values != resumed.values:
        found.append(f"{cls.__name__} scores a network differently each time: draw from torch's global generator only")
    if len(whole.values) != SCORED:
        found.append(f"{cls.__name__}(space, cells={SCORED}) must set self.cells: super().__init__(space, cells)")
    return found


def examine(
    cls: type[OneShot],
    benchmark: Benchmark,
    data: SearchData,
    protocol: Protocol,
    settings: dict[str, Any] | None = None,
    optimizer: exchange.Exchange | None = None,
) -> list[str]:
    """Search for real, as short as `protocol` says (two epochs or more): simplex at every epoch, determinism, exact
    resume from `state_dict()` after every epoch."""
    space = benchmark.space(protocol.zero_operation)
    found = problems(cls, space, settings, optimizer)
    if found:
        return found

    def start() -> Search:
        torch.manual_seed(1)
        method = cls(space, **(settings or {}))
        if optimizer:
            exchange.exchange(method, optimizer)
        torch.manual_seed(2)
        supernet = benchmark.supernet(space, protocol, data.classes, method.supernet)
        return Search(method, supernet, data, protocol, seed=0, device=torch.device("cpu"))

    whole = list(start().epochs())
    for log in whole:
        found += simplex_problems(f"after epoch {log.epoch + 1}: {cls.__name__}", log.theta, space)
    if optimizer:
        found = exchange.blamed(optimizer[0].__name__, found)
    if not _same(whole, list(_interrupted(start))):  # else two searches are the same too
        if not _same(whole, list(start().epochs())):
            found.append(
                f"two searches of {cls.__name__} with one seed differ: draw from torch's global generator only"
            )
        found.append(
            f"{cls.__name__} resumed from state_dict() differs from an uninterrupted search: "
            "keep what changes in parameters, buffers or torch.optim optimizers held as attributes"
        )
    return found


def _interrupted(start: Callable[[], Search]) -> Iterator[Epoch]:
    """The epochs of a search that is stopped after every one of them, and continued from its state."""
    search = start()
    while (epoch := next(search.epochs(), None)) is not None:
        yield epoch
        checkpoint = io.BytesIO()
        torch.save(search.state_dict(), checkpoint)
        checkpoint.seek(0)
        search = start()
        search.load_state_dict(torch.load(checkpoint, weights_only=True))


def _same(first: list[Epoch], second: list[Epoch]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a.theta, b.theta)
        and np.array_equal(a.edge_weights, b.edge_weights)
        and np.array_equal(a.valid_accuracy, b.valid_accuracy, equal_nan=True)
        and (a.loss, a.train_accuracy, a.cell) == (b.loss, b.train_accuracy, b.cell)
        and np.array_equal([a.forward_images, a.backward_images], [b.forward_images, b.backward_images])
        and np.array_equal(a.multiply_adds, b.multiply_adds, equal_nan=True)
        for a, b in zip(first, second, strict=True)
    )
