"""Speed of the NAS-Bench-201 supernet, as ratios to the textbook supernet and to its convolutions alone.

Alone, on an idle machine: pytest tests/benchmarks/test_supernets.py -n 0
Each round runs every candidate once, so that what else the machine does falls on all of them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.supernet import EDGES_FROM, KERNEL_SIZES, NASBench201Supernet
from tests.benchmarks.steps import step
from tests.benchmarks.timing import medians, taken
from tests.nasbench201.textbook import TextbookSupernet

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own accesses while it traces
SPACE = NASBench201()
ROUNDS = 7
CPU = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
NATIVE_BF16 = "avx512_bf16" in CPU or "amx_bf16" in CPU


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


def networks(channels, cells):
    return NASBench201Supernet(SPACE, channels, cells, 10), TextbookSupernet(SPACE.operations, channels, cells)


AMX = "amx_bf16" in CPU
GOALS = {
    "fp32": ({"at_least": 3.2, "least": 2.3}, {"at_most": 1.4, "least": 1.65}),
    "bf16": ({"at_least": 6.0, "least": 4.5}, {"at_most": 1.3, "least": 1.7 if AMX else 1.5}),
}
"""Of the compiled weight step: speed as a multiple of the textbook's; time as a multiple of the floor."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", [False, True], ids=["weights", "architecture"])
def test_softmax_mixture(record, rounds, threads, precision, architecture):
    """Long searches run compiled, short ones eager."""
    if precision == "bf16" and not NATIVE_BF16:
        pytest.skip("this processor does not compute in bf16")
    images = torch.randn(64, 3, 32, 32)
    ours, textbook = networks(16, 5)
    turns = rounds(ROUNDS)
    time_of = medians(
        {
            "compiled": step(ours, images, uniform, precision, architecture, compiled=True),
            "eager": step(ours, images, uniform, precision, architecture),
            "textbook": step(textbook, images, uniform, precision, architecture),
            "floor": floor(16, 5, images, precision),
        },
        turns,
        warmup=2,
    )
    seconds = ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in time_of.items())
    how = f"{taken(turns, threads)}; C=16, N=5, batch 64, 32x32; {seconds}"
    for mode in ("compiled", "eager"):
        what = f"{precision}, {mode}, gradients of the {'architecture' if architecture else 'weights'}"
        faster, above_floor = GOALS[precision] if mode == "compiled" and not architecture else ({}, {})
        speed = time_of["textbook"] / time_of[mode]
        record("supernet", f"{what}: speed, times the textbook's", speed, "x", how, **faster)
        record(
            "supernet",
            f"{what}: time, times that of its convolutions alone",
            time_of[mode] / time_of["floor"],
            "x",
            f"{how}; the convolutions alone: forward and backward with all gradients",
            **above_floor,
        )
    record.assert_least()


KINDS = {
    "convolutions forward, and poolings as such": ("aten::mkldnn_convolution",),
    "convolutions backward": ("aten::convolution_backward",),
    "batch norms": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "sums, products, copies, ReLU": (
        *("aten::add", "aten::add_", "aten::mul", "aten::sum", "aten::copy_", "aten::cat", "aten::clone"),
        *("aten::clamp_min", "aten::threshold_backward"),
    ),
}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_a_step_consists_of(record, rounds, threads, precision):
    """By torch's profiler, which makes the step a little longer."""
    images = torch.randn(64, 3, 32, 32)
    run = step(NASBench201Supernet(SPACE, 16, 5, 10), images, uniform, precision)
    turns = rounds(5)
    run()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(turns):
            run()
    spent = {event.key: event.self_cpu_time_total for event in found.key_averages()}
    shares = {kind: sum(spent.get(name, 0) for name in names) / sum(spent.values()) for kind, names in KINDS.items()}
    shares["Python, autograd, calls, everything else"] = 1 - sum(shares.values())
    how = f"{taken(turns, threads)}; C=16, N=5, batch 64, 32x32, gradients of the weights"
    for kind, share in shares.items():
        record("supernet", f"{precision}, share of a step: {kind}", 100 * share, "%", how)


def test_sampled_operations(record, rounds, threads):
    images = torch.randn(64, 3, 32, 32)
    ours, textbook = networks(16, 5)
    turns = rounds(20)
    time_of = medians(
        {
            "sampled": step(ours, images, sampler(), sampled=True),
            "mixture": step(ours, images, uniform),
            "textbook, sampled": step(textbook, images, sampler(), sampled=True),
        },
        turns,
        warmup=2,
    )
    how = f"{taken(turns, threads)}; C=16, N=5, batch 64, 32x32, fp32; the same random cells in both"
    record("sampled", "time, times the mixture's", time_of["sampled"] / time_of["mixture"], "x", how, at_most=0.4)
    times = time_of["sampled"] / time_of["textbook, sampled"]
    record("sampled", "time, times the sampled textbook's", times, "x", how, at_most=0.8)


@pytest.mark.usefixtures("threads")
def test_quick_profile(record, rounds):
    """Where the number of calls counts, not arithmetic."""
    torch.set_num_threads(1)
    images = torch.randn(16, 3, 8, 8)
    ours, textbook = networks(4, 1)
    turns = rounds(200)
    time_of = medians(
        {"ours": step(ours, images, uniform), "textbook": step(textbook, images, uniform)}, turns, warmup=2
    )
    speedup = time_of["textbook"] / time_of["ours"]
    how = f"{taken(turns, 1)}; C=4, N=1, batch 16, 8x8"
    record("supernet", "the size of the quick profile: speed, times the textbook's", speedup, "x", how)
