"""Speed of the NAS-Bench-201 supernet, as ratios to the textbook supernet and to its convolutions alone.

Run alone, on an idle machine: pytest tests/benchmarks/test_supernets.py -s
Each round runs every candidate once, so that what else the machine does falls on all of them.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from harness.spaces import NASBench201
from harness.supernets.nasbench201 import EDGES_FROM, KERNEL_SIZES, NASBench201Supernet
from tests.supernets.textbook import TextbookSupernet

SPACE = NASBench201()
ROUNDS = 7
CPU = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
NATIVE_BF16 = "avx512_bf16" in CPU or "amx_bf16" in CPU


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def step(network, images, weights, precision="fp32", architecture=False, sampled=False):
    """One forward and backward pass as the search loop makes it. `weights`: a function, called at each step."""
    labels = torch.arange(len(images)) % 10

    def run():
        mixture = weights().requires_grad_(architecture)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = network(images, mixture, torch.ones(6), sampled=sampled)
        network.zero_grad()
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward(inputs=[mixture] if architecture else list(network.parameters()))

    return run


def floor(channels, cells, images, precision="fp32"):
    """Forward and backward of all convolutions, one per node and kernel size in a cell, and nothing else."""
    work = []
    for inputs, outputs, kernel_size, stride, size in convolutions(channels, cells, images.shape[2]):
        layer = torch.nn.Conv2d(inputs, outputs, kernel_size, stride, kernel_size // 2, bias=False)
        x, g = (torch.randn(len(images), c, s, s) for c, s in ((inputs, size), (outputs, size // stride)))
        layer, x, g = (t.to(memory_format=torch.channels_last) for t in (layer, x, g))
        work.append((layer, x.requires_grad_(), g))

    def run():
        for layer, x, g in work:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                y = layer(x)
            y.backward(g.to(y.dtype))

    return run


def convolutions(channels, cells, size):
    """(input channels, output channels, kernel size, stride, input size) of every convolution."""
    yield 3, channels, 3, 1, size
    for stage in range(3):
        c, s = channels << stage, size >> stage
        if stage:
            yield from ((c // 2, c, 3, 2, 2 * s), (c, c, 3, 1, s), (c // 2, c, 1, 1, s))
        for edges in EDGES_FROM * cells:
            yield from ((c, len(edges) * c, kernel_size, 1, s) for kernel_size in KERNEL_SIZES.values())


def uniform():
    return torch.full(SPACE.shape, 1 / SPACE.shape[1])


def sampler():
    generator = torch.Generator().manual_seed(0)
    return lambda: F.one_hot(torch.randint(SPACE.shape[1], (6,), generator=generator), SPACE.shape[1]).float()


def medians(benchmark, candidates, rounds=ROUNDS):
    """Median seconds of each candidate, interleaved."""
    seconds = {name: [] for name in candidates}

    def one_round():
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)

    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=2)
    result = {name: statistics.median(times[2:]) for name, times in seconds.items()}
    benchmark.extra_info.update(result)
    report(*(f"{name}: {1000 * value:.2f} ms" for name, value in result.items()))
    return result


def report(*lines):
    sys.stdout.write("".join(f"\n  {line}" for line in lines))


def networks(channels, cells):
    return NASBench201Supernet(SPACE, channels, cells, 10), TextbookSupernet(SPACE.operations, channels, cells)


@pytest.mark.parametrize("precision, least", [("fp32", 2.3), ("bf16", 3.0)])
@pytest.mark.parametrize("architecture", [False, True], ids=["weights", "architecture"])
def test_softmax_mixture(benchmark, precision, least, architecture):
    if precision == "bf16" and not NATIVE_BF16:
        pytest.skip("this processor does not compute in bf16")
    images = torch.randn(64, 3, 32, 32)
    ours, textbook = networks(16, 5)
    time_of = medians(
        benchmark,
        {
            "ours": step(ours, images, uniform, precision, architecture),
            "textbook": step(textbook, images, uniform, precision, architecture),
            "floor": floor(16, 5, images, precision),
        },
    )
    speedup, above_floor = time_of["textbook"] / time_of["ours"], time_of["ours"] / time_of["floor"]
    report(f"{speedup:.2f} times the textbook's speed, {above_floor:.2f} times the floor's time")
    if not architecture:
        assert speedup > least
        assert precision == "bf16" or above_floor < 1.9


def test_sampled_operations(benchmark):
    images = torch.randn(64, 3, 32, 32)
    ours, textbook = networks(16, 5)
    time_of = medians(
        benchmark,
        {
            "sampled": step(ours, images, sampler(), sampled=True),
            "mixture": step(ours, images, uniform),
            "textbook, sampled": step(textbook, images, sampler(), sampled=True),
        },
        rounds=20,
    )
    report(f"{time_of['sampled'] / time_of['mixture']:.2f} times the mixture's time")
    report(f"{time_of['sampled'] / time_of['textbook, sampled']:.2f} times the sampled textbook's time")
    assert time_of["sampled"] < 0.4 * time_of["mixture"]
    assert time_of["sampled"] < 0.8 * time_of["textbook, sampled"]


def test_quick_profile(benchmark):
    """Where the number of calls counts, not arithmetic."""
    torch.set_num_threads(1)
    images = torch.randn(16, 3, 8, 8)
    ours, textbook = networks(4, 1)
    candidates = {"ours": step(ours, images, uniform), "textbook": step(textbook, images, uniform)}
    time_of = medians(benchmark, candidates, rounds=200)
    report(f"{time_of['textbook'] / time_of['ours']:.2f} times the textbook's speed")
    assert time_of["textbook"] > 1.5 * time_of["ours"]
