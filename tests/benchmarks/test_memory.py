"""Memory of a step, as ratios to the textbook supernets."""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest
import torch

from harness.benchmarks import DARTS, NASBench201
from harness.benchmarks.darts.supernet import DARTSSupernet
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.search.compiled import Compiled
from tests.benchmarks.timing import ROOT
from tests.darts.textbook import TextbookDARTS
from tests.nasbench201.textbook import TextbookSupernet
from tests.search.memory import bytes_kept

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own accesses while it traces
BATCH = 64


def kept(network, shape, batch, architecture, compiled=False):
    """Bytes between forward and backward of one batch."""
    weights = torch.full(shape, 1 / shape[1], requires_grad=architecture)
    images = torch.randn(batch, 3, 32, 32)
    edges = torch.ones(shape[0])
    if compiled:
        return bytes_kept(lambda: Compiled(network, batch)(images, weights, edges, bf16=False))
    return bytes_kept(lambda: network(images, weights, edges))


def nasbench201():
    space = NASBench201()
    yield NASBench201Supernet(space, 16, 5, 10), space.shape
    yield TextbookSupernet(space.operations, 16, 5), space.shape


def darts(partial):
    space = DARTS()
    yield DARTSSupernet(space, 16, 8, 10, partial_channels=partial), space.shape
    yield TextbookDARTS(16, 8, partial=partial), space.shape


@pytest.mark.parametrize(
    "what, networks, batch, limit",
    [
        ("NAS-Bench-201 (C=16, N=5)", nasbench201, BATCH, {"at_most": 0.45}),
        ("DARTS (C=16, 8 cells)", lambda: darts(1), 16, {}),
        ("PC-DARTS (C=16, 8 cells)", lambda: darts(4), 16, {}),
    ],
    ids=["nasbench201", "darts", "pc-darts"],
)
@pytest.mark.parametrize("architecture", [False, True], ids=["weights", "architecture"])
def test_kept_for_backward(record, what, networks, batch, limit, architecture):
    (ours, shape), (textbook, _) = networks()
    theirs = kept(textbook, shape, batch, architecture)
    for mode in ("compiled", "eager"):
        bytes_of_ours = kept(ours, shape, batch, architecture, compiled=mode == "compiled")
        how = (
            f"counted: every storage that autograd saves, parameters included, each once; batch {batch}, "
            f"32x32, fp32; ours {bytes_of_ours / 1e6:.0f} MB, textbook {theirs / 1e6:.0f} MB"
        )
        of = f"step of the {'architecture' if architecture else 'weights'}, {mode}"
        limits = limit if mode == "compiled" else {}
        record(
            "memory",
            f"{what}, {of}: bytes kept for backward, times the textbook's",
            bytes_of_ours / theirs,
            "x",
            how,
            **limits,
        )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a process's own peak memory")
def test_peak_of_a_search_step(record, rounds):
    turns = rounds(3)
    peaks = {"ours": [], "textbook": []}
    for _ in range(turns):
        for name, found in peaks.items():
            words = [sys.executable, "-m", "tests.benchmarks.steps", name, str(BATCH)]
            found.append(int(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout))
    ours, theirs = (statistics.median(peaks[name]) for name in ("ours", "textbook"))
    how = (
        f"median of {turns}, each in a process of its own with 1 thread: peak resident memory of one architecture step "
        "and one weight step, less the resident memory before them (Python, torch, network, images); controlled "
        f"protocol, C=16, N=5, batch {BATCH}; ours {ours / 1e6:.0f} MB, textbook {theirs / 1e6:.0f} MB"
    )
    what = "NAS-Bench-201, whole search step: peak resident memory, times the textbook's"
    record("memory", what, ours / theirs, "x", how, at_most=0.6)
