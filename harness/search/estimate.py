"""How long an epoch of a search takes: measured passes, times their number in a search without passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

from harness.api import Problem
from harness.search.dry import dry_run
from harness.search.loop import Search
from harness.search.problem import SupernetProblem

STEPS = 3
"""Measured, of which the first is not counted: it also prepares."""
IDLE = 40
"""A step that passes no image in so many iterations is taken to be one that never does."""


def epoch_seconds(search: Search) -> float:
    """Mean over all epochs. Uses up the search."""
    method, steps = search.method, len(search.parts.streams.train)
    method.before_epoch(search.problem(epoch=0))
    weight = _seconds_per_iteration(search, method.weight_step)
    architecture = _seconds_per_iteration(search, method.architecture_step)
    one_pass, one_sampled_pass = (_seconds_per_image(search, sampled) for sampled in (False, True))
    dry = dry_run(search)
    elsewhere = dry.images * one_pass + dry.sampled_images * one_sampled_pass + dry.seconds
    active = sum(map(search.has_architecture_steps, range(dry.epochs))) / dry.epochs
    return steps * (weight + active * architecture) + elsewhere / dry.epochs


def _seconds_per_iteration(search: Search, step: Callable[[Problem], object]) -> float:
    """Of one of the two steps: the least time that it takes where it passes images, times how often it does."""
    times: list[float] = []
    iterations, last = 0, 0
    for problem in _iterations(search):
        passed, start = problem.counter.images.sum(), time.perf_counter()
        step(problem)
        _wait(search.parts.device)
        iterations += 1
        if problem.counter.images.sum() > passed:
            times.append(time.perf_counter() - start)
            last = iterations
        if len(times) == STEPS or iterations - last == IDLE:
            break
    return min(times[1:]) * len(times) / iterations if times[1:] else 0.0


def _iterations(search: Search) -> Iterator[SupernetProblem]:
    """In turn, as many as are asked for."""
    while True:
        problem = search.problem(epoch=0)
        for _ in problem.pairs():
            yield problem


@torch.no_grad()
def _seconds_per_image(search: Search, sampled: bool) -> float:
    """Of a pass in evaluation mode, of all operations or of those of one architecture."""
    problem, space, weights = search.problem(epoch=0), search.method.space, search.method.weights_for_training()
    if sampled:
        weights = torch.as_tensor(space.one_hot(space.discretize(torch.rand(space.shape)))).to(weights)
    batch = problem.batch("held_out")
    seconds = measured_seconds(
        lambda: problem.loss(weights, batch, training=False, sampled=sampled), search.parts.device
    )
    return seconds / len(batch[1])


def measured_seconds(step: Callable[[], object], device: torch.device) -> float:
    """Of a step: the least of those measured."""
    times = []
    for _ in range(STEPS):
        start = time.perf_counter()
        step()
        _wait(device)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _wait(device: torch.device) -> None:
    """For a GPU, which only queues what a step asks for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
