"""How long an epoch of a search takes, from a few measured steps of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from harness.api import OneShot, Problem
from harness.search.loop import Search
from harness.search.problem import SupernetProblem

STEPS = 3
"""Measured, of which the first is not counted: it also prepares."""


def epoch_seconds(search: Search) -> float:
    """Mean over epochs with and without architecture steps; validation is not counted."""
    method, iterations = search.method, _iterations(search)
    method.before_epoch(search.problem(epoch=0))
    weight = measured_seconds(lambda: method.weight_step(next(iterations)), search.parts.device)
    architecture = measured_seconds(lambda: method.architecture_step(next(iterations)), search.parts.device)
    steps = len(search.parts.streams.weights)
    return steps * (weight + (1 - method.warmup) * architecture) + _after(search)


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
        return images.new_zeros(len(images), self.parts.data.classes) + 0 * weights.sum()


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
