"""How long a run takes and what memory it needs, from a few measured steps of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

import torch

from harness.evaluate.retraining import Retraining
from harness.evaluate.training import Training
from harness.experiment.memory import forget_peak, keep_freed, peak_megabytes
from harness.experiment.runner import AnyRun, Machine, prepare, prepare_training
from harness.search.loop import Search

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
    search.supernet.train()
    batches = search.weight_batches.forever(torch.Generator().manual_seed(0))
    method, steps = search.method, len(search.weight_batches)
    spent = steps * _seconds(lambda: search.weight_step(next(batches)), search.device)
    beside = method.architecture_steps is None
    if beside or method.architecture_steps:
        batch = next(batches)
        training_batch = batch if beside else None
        one = _seconds(lambda: search.architecture_step(batch, training_batch), search.device)
        spent += (1 - method.warmup) * one * (method.architecture_steps or steps)
    return spent


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
