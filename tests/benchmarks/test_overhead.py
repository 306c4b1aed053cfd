"""What a search at full size does besides forward, backward and optimizer steps.

A search of some steps runs through the same loop as every search; clocks around its parts, set from the outside, say
where its time went. What happens per step and per epoch is then counted as often as in an epoch on CIFAR-10's halves.
"""

from __future__ import annotations

import io
import math
import time
from collections import defaultdict
from pathlib import Path

import pytest
from rich.console import Console

from harness.data.streams import Streams
from harness.experiment import checkpoint as checkpoints
from harness.experiment.plan import plan
from harness.experiment.progress import Display, Shown
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.search.loop import EVALUATION_BATCH, stacked
from tests.benchmarks.steps import METHOD, search
from tests.benchmarks.timing import medians, taken

IMAGES = 25_000
"""In each half of CIFAR-10's training images."""
PAIRS = 7
"""Pairs of steps that are run, the first of which is not counted."""
VALIDATED = 2
"""Batches of the validation that are run."""


class Clocks:
    """Seconds of each call and of each step of an iteration, by name."""

    def __init__(self):
        self.seconds = defaultdict(list)

    def call(self, name, function):
        def timed(*arguments, **options):
            start = time.perf_counter()
            result = function(*arguments, **options)
            self.seconds[name].append(time.perf_counter() - start)
            return result

        return timed

    def iterate(self, name, iterator, limit=None):
        """The iterator's first `limit` items."""
        taken = 0
        while taken != limit:
            start = time.perf_counter()
            item = next(iterator, None)
            self.seconds[name].append(time.perf_counter() - start)
            if item is None:
                return
            taken += 1
            yield item


class Timed:
    """Batches as the search loop takes them, with a clock, and only the first of each pass."""

    def __init__(self, batches, clocks, name, limit):
        self.batches, self.clocks, self.name, self.limit = batches, clocks, name, limit

    def __getattr__(self, name):
        return getattr(self.batches, name)

    def __len__(self):
        return self.limit

    def one_pass(self, generator):
        return self.clocks.iterate(self.name, self.batches.one_pass(generator), self.limit)

    def infinite(self, generator):
        return self.clocks.iterate(self.name, self.batches.infinite(generator))

    def in_order(self):
        return self.clocks.iterate(self.name, self.batches.in_order(), self.limit)


def timed_epoch(work):
    """Seconds of the parts of an epoch of some steps: name -> one number per call; and of all of it."""
    clocks = Clocks()
    train, held_out, validation = work.parts.streams
    work.parts.streams = Streams(
        Timed(train, clocks, "weight batch", PAIRS),
        Timed(held_out, clocks, "architecture batch", PAIRS),
        Timed(validation, clocks, "validation batch", VALIDATED),
    )
    for name, method in (("weight", "weight_step"), ("architecture", "architecture_step"), ("derive", "derive")):
        setattr(work.method, method, clocks.call(name, getattr(work.method, method)))
    for name in ("_valid_accuracy", "_log", "_steps"):
        setattr(work, name, clocks.call(name, getattr(work, name)))
    start = time.perf_counter()
    log = next(work.epochs())
    clocks.seconds["epoch"].append(time.perf_counter() - start)
    return clocks.seconds, log


def mean(times):
    """Of all calls but the first, which pays for what later ones find ready."""
    return sum(times[1:]) / len(times[1:])


def extrapolated(seconds, steps, validated):
    """(seconds of forward, backward and optimizer steps in a whole epoch, name -> seconds of the rest)."""
    counted = (mean(seconds["weight"]) + mean(seconds["architecture"])) * steps
    batches = "weight batch", "architecture batch"
    making = sum(mean(seconds[name]) * steps + seconds[name][0] - mean(seconds[name]) for name in batches)
    inside = sum(sum(seconds[name]) for name in ("weight", "architecture", *batches))
    validation = seconds["_valid_accuracy"][0] - sum(seconds["validation batch"])
    making += sum(seconds["validation batch"]) * validated / VALIDATED
    rest = seconds["epoch"][0] - sum(sum(seconds[name]) for name in ("_steps", "derive", "_valid_accuracy", "_log"))
    return counted + validation * validated / VALIDATED, {
        "batches: shuffling, augmentation, normalisation": making,
        "the loop itself": (seconds["_steps"][0] - inside) * steps / PAIRS + rest,
        "deriving the cell and the log of the epoch": seconds["derive"][0] + seconds["_log"][0],
    }


@pytest.fixture
def saving(tmp_path, rounds, threads):
    """saving(work, log): seconds of a checkpoint, and of reading all progress files once for the display."""

    def measure(work, log):
        store = Store(tmp_path)
        store.prepare()
        entries = {METHOD: built_in()[METHOD]}
        run = plan(entries, "nasbench201", "controlled", ["digits"], [0], [], Path("data"), None)[0]
        logs = [stacked([log], [work.method.space.to_string(log.cell)])] * run.epochs
        console = Console(file=io.StringIO(), force_terminal=True)
        sessions = [{"epoch": 1, "threads": threads}]
        display = Display(console, store, [Shown(run.key, run.name, 0, run.epochs)])
        return medians(
            {
                "checkpoint": lambda: checkpoints.save(store, run.key, sessions, work, logs),
                "display": display._refresh,
            },
            rounds(15),
        )

    return measure


def test_share_of_an_epoch(record, rounds, threads, saving):
    work = search(IMAGES)
    seconds, log = timed_epoch(work)
    batch = work.protocol.batch_size
    steps, validated = math.ceil(IMAGES / batch), math.ceil(IMAGES / EVALUATION_BATCH)
    counted, parts = extrapolated(seconds, steps, validated)
    saved = saving(work, log)
    parts["checkpoint and progress file"] = saved["checkpoint"]
    whole = counted + sum(parts.values())
    parts["progress display"] = saved["display"] / Display.INTERVAL_SECONDS * whole
    whole += parts["progress display"]
    how = (
        f"one search of {PAIRS} pairs of steps, the first not counted, {threads} thread{'s' * (threads != 1)}; "
        f"C=16, N=5, batch {batch}, random 32x32 images; as often as in an epoch of {IMAGES:,} + {IMAGES:,} images"
    )
    notes = {
        "checkpoint and progress file": f"{taken(rounds(15), threads)}; once per epoch, as large as after the last",
        "progress display": f"{taken(rounds(15), threads)}; twice a second, on a terminal, as if by the same core",
    }
    for name, value in parts.items():
        record("overhead", f"part: {name}", 100 * value / whole, "%", notes.get(name, how))
    detail = (
        f"{how}; {whole:.0f} s, of which {counted:.0f} s in weight and architecture steps (forward, loss, accuracy, "
        "backward, clipping, optimizer) and in the validation's forward passes"
    )
    record("overhead", "all of it: share of an epoch", 100 * sum(parts.values()) / whole, "%", detail, at_most=3)


PASSES = ("loss", "gradients", "set_gradient", "update", "accuracy", "curvature")
"""What a method asks for of its problem: forward and backward passes and steps of optimizers."""


@pytest.mark.parametrize("name", ["darts", "sdarts-adv", "lambda-darts", "oles", "idarts", "drnas"])
def test_arithmetic_of_a_method(record, threads, name):
    """Besides its passes, in the steps of an epoch."""
    work = search(64 * PAIRS, method=name)
    problem, clocks = work.problem(epoch=1), Clocks()
    work.method.before_epoch(problem)
    for asked in PASSES:
        setattr(problem, asked, clocks.call("passes", getattr(problem, asked)))
    for number, _ in enumerate(problem.pairs()):
        if number == 1:  # the first one pays for what the others find ready
            clocks.seconds["passes"].clear()
            start = time.perf_counter()
        work.method.architecture_step(problem)
        work.method.weight_step(problem)
    whole = time.perf_counter() - start
    share = 100 * (1 - sum(clocks.seconds["passes"]) / whole)
    how = f"{PAIRS - 1} pairs of steps, {threads} threads; C=16, N=5, batch 64, random 32x32 images; {whole:.0f} s"
    record("overhead", f"{name}: arithmetic and batches, share of the steps", share, "%", how, at_most=3)
