"""A problem to try methods and primitives on: a supernet, fixed batches, no files."""

from dataclasses import replace
from itertools import repeat

import pytest
import torch

from harness import plugins
from harness.api import OneShot
from harness.benchmarks import BENCHMARKS, DARTS
from harness.benchmarks.darts.benchmark import DARTSBenchmark
from harness.data.streams import Streams
from harness.experiment import registry
from harness.search.problem import Parts, SupernetProblem

ONE_SHOT = [name for name, entry in registry.built_in().items() if issubclass(plugins.load(entry), OneShot)]
"""The methods that share weights."""


def budget(profile, space, dataset, method, overrides):
    """The protocol of a weight-sharing method."""
    return BENCHMARKS[space].default_protocol(profile, dataset, method).with_overrides(overrides)


def build_supernet(space, protocol, classes, options=None):
    return BENCHMARKS[space.name].supernet(space, protocol, classes, options or {})


class FixedBatch:
    """The `Stream` of one batch."""

    def __init__(self, batch):
        self.batch, self.size = batch, len(batch[1])

    def __len__(self):
        return 1

    def one_pass(self, generator):
        return iter([self.batch])

    def infinite(self, generator):
        return repeat(self.batch)

    def in_order(self):
        return iter([self.batch])


class FixedData:
    holds_out, classes = True, 10

    def __init__(self, train, held_out):
        self.batches = train, held_out

    def streams(self, *_):
        train, held_out = map(FixedBatch, self.batches)
        return Streams(train, held_out, held_out)


def random_batch(seed, images=6, side=8):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(images, 3, side, side, generator=generator, dtype=torch.float64)
    return pixels, torch.randint(10, (images,), generator=generator)


def problem_of(method, supernet=None, train=None, held_out=None, dtype=torch.float64, epoch=0, **changes):
    """A problem within its first iteration, in double precision; `changes` of the quick protocol."""
    space = method.space
    small = {"channels": 4, "cells": 1 if space.name == "nasbench201" else 3, "epochs": 2}
    known = space.name if space.name in BENCHMARKS else "nasbench201"
    protocol = replace(budget("quick", known, "digits", "darts", small).protocol, **changes)
    if supernet is None:
        torch.manual_seed(0)
        supernet = build_supernet(space, protocol, 10, method.supernet)
    batches = [
        tuple(x.to(dtype) if x.is_floating_point() else x for x in b)
        for b in (train or random_batch(1), held_out or random_batch(2))
    ]
    parts = Parts(method.to(dtype), supernet.to(dtype), FixedData(*batches), protocol, 0, torch.device("cpu"))
    supernet.train()
    problem = SupernetProblem(parts, epoch)
    problem.iterating = problem.pairs()  # kept, or the iteration would end
    next(problem.iterating)
    return problem


class FewOperations(DARTSBenchmark):
    """The DARTS space with two of its operations."""

    full_space = DARTS(("skip_connect", "dil_conv_3x3"))


OF_EVERY_KIND = ("darts", "pc-darts", "gdas")
"""Methods that are tested on every space every time: of mixtures, of a part of the channels, of samples."""
ALL_OPERATIONS = ("darts", "gaea-darts-bilevel", "pc-darts", "gdas", "random-search-ws")
"""Methods that are searched on the whole of the largest space: all ways in which a supernet is used."""


def every_time(cases, chosen):
    """Parameters of a test: those that are `chosen` run every time, the others with the faults."""
    return [pytest.param(*case, marks=[] if chosen(*case) else pytest.mark.faults) for case in cases]


def small(name, space):
    """Benchmark and number of images on which a method is searched within seconds: the code of a method does not know
    how many operations a space has."""
    return (FewOperations(), 12) if space == "darts" and name not in ALL_OPERATIONS else (BENCHMARKS[space], 40)
