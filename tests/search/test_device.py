"""Every method's steps on a device that is not the CPU: torch's `meta` device, whose tensors have no values.

What a step leaves on the CPU would end in an error on a GPU, and what it reads back makes the GPU wait.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.data.datasets import Images
from harness.data.splits import SearchData
from harness.experiment.registry import built_in
from harness.search.loop import Search
from tests.methods.test_contract import FEW
from tests.problems import ONE_SHOT, budget, build_supernet, every_time, small

BATCH = 4
aten = torch.ops.aten
WITHOUT_META = {aten._sample_dirichlet.default, aten._dirichlet_grad.default}
"""Operations that torch has on GPUs, and not on this device."""


def first_choice(shape):
    """The values that are read back: of weights (..., K) all of the weight on the first operation, else ones."""
    values = torch.ones(shape)
    if len(shape) > 1:
        values[..., 1:] = 0
    return values


def among(arguments):
    """The tensors among the arguments of an operation, also those within lists."""
    for argument in arguments:
        if isinstance(argument, torch.Tensor):
            yield argument
        elif isinstance(argument, list | tuple):
            yield from among(argument)


class Device(TorchDispatchMode):
    """Lets no operation mix its tensors with those of the CPU, and counts the values that are read back."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        tensors = list(among((*arguments, *options.values())))
        on_device = [x for x in tensors if x.is_meta]
        if not on_device:
            return function(*arguments, **options)
        if function is aten._local_scalar_dense.default:
            self.reads += 1
            return torch.ones((), dtype=arguments[0].dtype).item()
        if function is aten._to_copy.default and options.get("device", torch.device("meta")).type == "cpu":
            self.reads += 1
            return first_choice(arguments[0].shape).to(options.get("dtype") or arguments[0].dtype)
        if function in WITHOUT_META:
            return torch.empty_like(on_device[0])
        if function not in (aten.copy_.default, aten._to_copy.default):
            # As on a GPU, single values may come from the CPU.
            assert all(x.is_meta or x.dim() == 0 for x in tensors), f"{function} has tensors on two devices"
        return function(*arguments, **options)


def search_on_device(name, space_name):
    """A search in its first iteration."""
    space = small(name, space_name)[0].full_space
    method = plugins.load(built_in()[name])(space, **FEW.get(name, {}))
    sizes = {"channels": 4, "cells": 1 if space_name == "nasbench201" else 3, "batch_size": BATCH}
    protocol = budget("quick", space_name, "digits", name, sizes).protocol
    pixels = torch.zeros(2 * BATCH, 3, 8, 8, dtype=torch.uint8)
    half = Images(pixels, torch.zeros(2 * BATCH, dtype=torch.int64))
    data = SearchData(half, half, half, 10, (127.5,) * 3, (63.75,) * 3)
    network = build_supernet(space, protocol, 10, method.supernet)
    return Search(method, network, data, protocol, 0, torch.device("meta"))


SAMPLED_PASSES = {"random-search-ws": 1, "setn": 1, "enas": 1, "gdas": 2, "gaea-gdas": 2}
"""Passes in a pair of steps that run one operation per edge. Which ones is read back twice: to check that they are one
per edge, and to run them."""


def is_quick(name, space):
    """Every method on one space; on the other one with mixtures and one with samples."""
    return space == "nasbench201" or name in ("darts", "gdas")


@pytest.mark.parametrize(
    "name, space", every_time([(name, space) for name in ONE_SHOT for space in ("nasbench201", "darts")], is_quick)
)
def test_steps_stay_on_their_device(name, space):
    if reason := plugins.load(built_in()[name]).unsupported(BENCHMARKS[space].full_space):
        pytest.skip(reason)
    search = search_on_device(name, space)
    problem = search.problem(epoch=0)
    iterations = problem.pairs()
    with Device() as device:
        search.method.before_epoch(problem)
        next(iterations)
        search.method.architecture_step(problem)
        search.method.weight_step(problem)
    assert device.reads == SAMPLED_PASSES.get(name, 0) * 2
