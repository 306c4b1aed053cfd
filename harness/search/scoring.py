"""The search loop of every training-free method: random architectures are scored, the best-scored one is the result.

Architectures are drawn with repetition, as in the searches of Mellor et al., "Neural Architecture Search without
Training" (ICML 2021), Algorithm 1. All networks of a search see the same batch and draw their initial weights from the
same stream, so an architecture that is drawn again has the same score and is not computed again. Which architectures
are drawn depends on the seed alone: methods under one seed score the same ones.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.api import TrainingFree
from harness.benchmarks.base import Arch
from harness.data import Batches, Dataset
from harness.search.problem import stream

EPOCH = 10
"""Architectures that are scored between two checkpoints."""
MEASURED = 4
"""Architectures that an estimate scores; the first is not counted, it also prepares."""

Make = Callable[[Arch, int, bool], nn.Module]
"""From an architecture, the number of classes, and whether the batch norms of its cells are affine to its network."""


class Score(NamedTuple):
    value: float
    """Minus infinity where the score is not a number, as of a network that no signal passes."""
    images: NDArray[np.int64]
    """(2,) images that passed through the network, forward and backward."""


class Scorer:
    """Scores one architecture after another, each by itself: its score depends on nothing that was scored before."""

    def __init__(self, method: TrainingFree, make: Make, dataset: Dataset, seed: int, device: str) -> None:
        self.method, self.make, self.seed, self.device = method, make, seed, device
        self.classes = method.classes or dataset.classes
        padding = dataset.train.pixels.shape[-1] // 8
        crop_and_flip = (padding, True) if method.augmented else (0, False)
        batches = Batches(dataset.train, method.batch_size, dataset.mean, dataset.std, *crop_and_flip)
        generator = torch.Generator().manual_seed(stream(seed, "scored images"))
        images, labels = next(batches.one_pass(generator))
        self.images, self.labels = images.to(device), (labels % self.classes).to(device)

    def __call__(self, arch: Arch) -> Score:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream(self.seed, "initial weights"))
            network = self.make(arch, self.classes, self.method.affine).to(self.device)
            images = counted(network)
            value = float(self.method.score(network, self.images, self.labels))
        return Score(value if math.isfinite(value) else -math.inf, images)


def counted(network: nn.Module) -> NDArray[np.int64]:
    """(2,) images that pass through a network from now on, forward and backward; copies of the network count too."""
    images = np.zeros(2, dtype=np.int64)

    def backward(gradient: Tensor) -> None:
        images[1] += len(gradient)

    def forward(_: nn.Module, __: Any, logits: Tensor) -> None:
        images[0] += len(logits)
        if logits.requires_grad:
            logits.register_hook(backward)

    network.register_forward_hook(forward)
    return images


@dataclass(frozen=True)
class Epoch:
    """What is logged after `EPOCH` architectures, or those that are left."""

    architectures: list[Arch]
    values: list[float]
    best: Arch
    """The best-scored one so far, the first on ties."""
    images: NDArray[np.int64]
    """(2,) images that passed through the networks, forward and backward."""
    seconds: float


class Scoring:
    """One search, which can be stopped after any epoch and continued from its `state_dict`."""

    def __init__(self, method: TrainingFree, scorer: Scorer, seed: int) -> None:
        rng = np.random.default_rng(stream(seed, "scored architectures"))
        self.architectures = [method.space.random(rng) for _ in range(method.cells)]
        self.scorer = scorer
        self.values: list[float] = []

    @property
    def next_epoch(self) -> int:
        return -(-len(self.values) // EPOCH)

    def epochs(self) -> Iterator[Epoch]:
        """Score the architectures that are left; stop asking at any time."""
        while len(self.values) < len(self.architectures):
            yield self._epoch()

    def _epoch(self) -> Epoch:
        begin, first = time.perf_counter(), len(self.values)
        architectures = self.architectures[first : first + EPOCH]
        known = dict(zip(self.architectures, self.values, strict=False))
        images = np.zeros(2, dtype=np.int64)
        for arch in architectures:
            if arch not in known:
                known[arch], passed = self.scorer(arch)
                images += passed
        values = [known[arch] for arch in architectures]
        self.values += values
        return Epoch(architectures, values, self.best[0], images, time.perf_counter() - begin)

    @property
    def best(self) -> tuple[Arch, float]:
        """The best-scored architecture so far, and its score."""
        number = int(np.argmax(self.values))
        return self.architectures[number], self.values[number]

    def epoch_seconds(self) -> float:
        """From a few architectures, which differ in cost."""
        seconds = []
        for number in range(MEASURED):
            begin = time.perf_counter()
            self.scorer(self.architectures[number % len(self.architectures)])
            seconds.append(time.perf_counter() - begin)
        return EPOCH * float(np.mean(seconds[1:]))

    def state_dict(self) -> dict[str, Any]:
        return {"values": list(self.values)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values = list(state["values"])
