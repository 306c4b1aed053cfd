"""How long an epoch of a search takes and what it costs, from a few steps of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from harness.api import OneShot, Part, Problem
from harness.search.cost import KINDS, Counter
from harness.search.loop import Search
from harness.search.problem import SupernetProblem

SAMPLES = 500
"""Steps of a method that samples operations, whose multiply-adds are averaged."""
STEPS = 3
"""Measured, of which the first is not counted: it also prepares."""


def epoch_seconds(search: Search) -> float:
    """Mean over epochs with and without architecture steps; validation is not counted."""
    method, iterations = search.method, _iterations(search)
    method.before_epoch(search.problem(epoch=0))
    weight = measured_seconds(lambda: method.weight_step(next(iterations)), search.parts.device)
    architecture = measured_seconds(lambda: method.architecture_step(next(iterations)), search.parts.device)
    steps = len(search.parts.streams.train)
    return steps * (weight + (1 - method.warmup) * architecture) + _after(search)


def epoch_multiply_adds(search: Search) -> float:
    """Mean over epochs with and without architecture steps, from one of each kind of step, or where it samples from
    many, which compute nothing; with the validation and what the method does after an epoch, of which nothing is
    computed either. NaN if the supernet does not count them."""
    method, problem = search.method, search.problem(epoch=0)
    method.before_epoch(problem)
    next(problem.pairs())
    weight = _step_multiply_adds(search, problem, method.weight_step)
    architecture = _step_multiply_adds(search, problem, method.architecture_step)
    steps = search.parts.streams.train.size / len(problem.train_batch[1])
    dry = DryProblem(search.parts, epoch=0)
    method.after_epoch(dry)
    cell, mixture = method.derive(dry), method.evaluation_weights()
    if search.parts.data.holds_out:
        dry.accuracy(cell if mixture is None else mixture)
    return float(steps * (weight + (1 - method.warmup) * architecture) + dry.counter.multiply_adds().sum())


def _step_multiply_adds(search: Search, problem: SupernetProblem, step: Callable[[Problem], object]) -> float:
    """Of a step on the problem; where it samples, the mean over `SAMPLES` more, as operations differ in their cost."""
    problem.counter = Counter(search.supernet)
    step(problem)
    if not problem.counter.images[:, KINDS.index("sampled")].any():
        return float(problem.counter.multiply_adds().sum())
    dry = DryProblem(search.parts, epoch=0)
    next(dry.pairs())
    for _ in range(SAMPLES):
        step(dry)
    return float(dry.counter.multiply_adds().sum()) / SAMPLES


def _iterations(search: Search) -> Iterator[Problem]:
    """In turn, as many as are asked for."""
    while True:
        problem = search.problem(epoch=0)
        for _ in problem.pairs():
            yield problem


def _after(search: Search) -> float:
    """Seconds of what a method does after an epoch: its own work, and a measured pass for every image that it passes
    through the supernet."""
    method = search.method
    if type(method).after_epoch is OneShot.after_epoch:
        return 0.0
    problem, dry = search.problem(epoch=0), DryProblem(search.parts, epoch=0)
    start = time.perf_counter()
    method.after_epoch(dry)
    own = time.perf_counter() - start
    with torch.no_grad():
        weights, batch = method.weights_for_training(), problem.batch("held_out")
        one_pass = measured_seconds(
            lambda: problem.loss(weights, batch, training=False, sampled=dry.sampled), search.parts.device
        )
    return own + one_pass * int(dry.counter.images.sum()) / len(batch[1])


class DryProblem(SupernetProblem):
    """Counts the passes through the supernet, and makes none."""

    sampled = False
    """Whether they are of chosen operations only."""

    def _logits(
        self,
        images: Tensor,
        weights: Tensor,
        edge_weights: Tensor | None,
        sampled: bool,
        kind: str,
        fp32: bool,
        twice: bool = False,
    ) -> Tensor:
        self.counter.forward(images, weights, kind, sampled)
        self.sampled = sampled
        nothing = 0 * weights.sum() + 0 * self.w[0].sum()  # into which gradients can flow
        return images.new_zeros(len(images), self.parts.data.classes) + nothing

    def update(self, gradients: Sequence[Tensor], *, frozen: Iterable[Part] = ()) -> None:
        """Nothing moves."""


def measured_seconds(step: Callable[[], object], device: torch.device) -> float:
    """Of a step: the least of those measured."""
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        if device.type == "cuda":  # which only queues what a step asks for
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])
