"""Errors of bf16 passes: ours and the textbook's, with the same weights, images and mixture.

An error is the norm of the difference from a pass in fp32 of the same supernet, over the norm of that; the median over
batches of random images.
"""

from __future__ import annotations

from statistics import median

import pytest
import torch
import torch.nn.functional as F

from harness.benchmarks import DARTS, NASBench201
from harness.benchmarks.darts.supernet import DARTSSupernet
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.search.compiled import Compiled
from tests.darts.textbook import TextbookDARTS, official_names, part_of
from tests.nasbench201.textbook import TextbookSupernet, share_weights

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own accesses while it traces
BATCH, ROUNDS = 64, 3
LEAST = 1.1
"""Our error over the textbook's: at most 1 is the goal; medians of three batches scatter by some percent."""


def nasbench201():
    space = NASBench201().without("none")
    ours = NASBench201Supernet(space, 16, 5, 10)
    textbook = TextbookSupernet(space.operations, 16, 5, track=True)
    share_weights(ours, textbook, space, cells=5)
    return space, ours, textbook


@torch.no_grad()
def darts():
    ours, textbook = DARTSSupernet(DARTS(), 16, 8, 10), TextbookDARTS(16, 8)
    to, of = ours.state_dict(), textbook.state_dict()
    for official, (name, part) in official_names(ours).items():
        if official in of and name in to:
            part_of(to[name], part).copy_(of[official])
    return DARTS(), ours, textbook


def passed(network, space, images, bf16, of_w, compiled):
    """Logits (B, classes) and the gradient of all kernels, or that of the mixture, as one vector."""
    mixture = torch.full(space.shape, 1 / space.shape[1], requires_grad=not of_w)
    edges = torch.ones(len(mixture))
    kernels = [w for w in network.parameters() if w.dim() == 4]
    for w in network.parameters():
        w.requires_grad_(of_w)
    if compiled:
        logits = Compiled(network, len(images))(images, mixture, edges, bf16)
    else:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(images, mixture, edges)
    loss = F.cross_entropy(logits.float(), torch.arange(len(images)) % 10)
    gradients = torch.autograd.grad(loss, kernels if of_w else [mixture])
    return logits.detach().float(), torch.cat([gradient.flatten().float() for gradient in gradients])


def errors(network, space, batches, of_w, compiled=False):
    """Median relative errors (%) of logits and gradients."""
    found = []
    for images in batches:
        exact = passed(network, space, images, False, of_w, compiled=False)
        rounded = passed(network, space, images, True, of_w, compiled)
        found.append([100 * float((a - b).norm() / b.norm()) for a, b in zip(rounded, exact, strict=True)])
    return [median(column) for column in zip(*found, strict=True)]


@pytest.mark.parametrize("of_w", [True, False], ids=["weights", "architecture"])
@pytest.mark.parametrize("build, modes", [(nasbench201, ("eager", "compiled")), (darts, ("eager",))])
def test_bf16(record, rounds, build, modes, of_w):
    """The DARTS space is compiled on GPUs only."""
    torch.manual_seed(0)
    space, ours, textbook = build()
    batches = [torch.randn(BATCH, 3, 32, 32) for _ in range(rounds(ROUNDS))]
    theirs = errors(textbook, space, batches, of_w)
    for mode in modes:
        found = errors(ours, space, batches, of_w, compiled=mode == "compiled")
        for what, error, reference in zip(("logits", "gradients"), found, theirs, strict=True):
            of = "the kernels" if of_w else "the mixture"
            what = what if what == "logits" else f"gradients of {of}"
            how = f"{len(batches)} batches of {BATCH}, C=16; ours {error:.2f} %, textbook {reference:.2f} %"
            what = f"{space.name}, {mode}, {what}: error of bf16, times the textbook's"
            record("precision", what, error / reference, "x", how, at_most=1.0, least=LEAST)
    record.assert_least()
