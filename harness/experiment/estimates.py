"""How long a run takes and what memory it needs, from a few measured steps of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from harness.api import OneShot, Problem
from harness.evaluate.retraining import Retraining
from harness.evaluate.training import Training
from harness.experiment.memory import forget_peak, keep_freed, peak_megabytes
from harness.experiment.runner import AnyRun, Machine, prepare, prepare_training
from harness.search.loop import Search
from harness.search.problem import SupernetProblem

STEPS = 3
"""Measured, of which the first is not counted: it also prepares."""


class Estimate(NamedTuple):
    seconds: float
    megabytes: float
    """Peak memory of the process, on the CPU or, where the run has one, of the GPU."""


def estimate(run: AnyRun, machine: Machine) -> Estimate:
    """Length and memory of a whole run, as its first steps suggest. Validation and tests are not counted."""
    torch.set_num_threads(machine.threads)
    keep_freed()
    forget_peak(machine.device)
    if isinstance(run, Retraining):
        training = prepare_training(run, machine)
        seconds = _of_training(training) * run.epochs
    elif run.black_box:
        seconds = 0.02  # queries of a table
    else:
        seconds = _of_search(prepare(run, machine)) * run.epochs
    return Estimate(seconds, peak_megabytes(machine.device))


def _of_search(search: Search) -> float:
    """Seconds of an epoch, mean over those with and without architecture steps."""
    method, iterations = search.method, _iterations(search)
    method.before_epoch(search.problem(epoch=0))
    weight = _seconds(lambda: method.weight_step(next(iterations)), search.parts.device)
    architecture = _seconds(lambda: method.architecture_step(next(iterations)), search.parts.device)
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
        one_pass = _seconds(
            lambda: problem.loss(weights, batch, training=False, sampled=dry.sampled), search.parts.device
        )
    return own + one_pass * int(dry.counter.images.sum()) / len(batch[1])


class DryProblem(SupernetProblem):
    """Counts the passes through the supernet, and makes none."""

    sampled = False
    """Whether they are of chosen operations only."""

    def _logits(
        self, images: Tensor, weights: Tensor, edge_weights: Tensor | None, sampled: bool, kind: str, fp32: bool
    ) -> Tensor:
        self.counter.forward(images, weights, kind, sampled)
        self.sampled = sampled
        return images.new_zeros(len(images), self.parts.data.classes) + 0 * weights.sum()


def _of_training(training: Training) -> float:
    """The same of a network trained from scratch."""
    training.network.train()
    sizes = training.batch_sizes()
    batches = list(islice(training.feed.training(torch.Generator().manual_seed(0)), min(STEPS, len(sizes))))
    turns = iter([*zip(sizes, batches, strict=False)] * STEPS)

    def step() -> None:
        size, batch = next(turns)
        training.step(training.network, batch, size)

    return _seconds(step, training.device) * len(sizes)


def _seconds(step: Callable[[], object], device: torch.device) -> float:
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        if device.type == "cuda":  # which only queues what a step asks for
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])
