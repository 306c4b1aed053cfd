"""What is timed: a step of a supernet alone, and whole searches on random images.

As a program: `python -m tests.benchmarks.steps ours|textbook BATCH` prints how far the resident memory of one
architecture step and one weight step rises above that before them, in bytes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.protocols import CONTROLLED
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.data.datasets import Images
from harness.data.splits import SearchData
from harness.experiment.memory import tune_malloc
from harness.experiment.registry import built_in
from harness.plugins import load
from harness.search.compiled import Compiled
from harness.search.loop import Search
from tests.nasbench201.textbook import TextbookSupernet

METHOD = "gaea-darts-bilevel"


def step(network, images, weights, precision="fp32", architecture=False, sampled=False, compiled=False):
    """One forward and backward pass as the search loop makes it. `weights`: a function, called at each step."""
    forward = Compiled(network, len(images)) if compiled else None
    labels = torch.arange(len(images), device=images.device) % 10

    def run():
        mixture = weights().to(images.device).requires_grad_(architecture)
        edges = torch.ones(len(mixture), device=images.device)
        if forward:
            logits = forward(images, mixture, edges, precision == "bf16")
        else:
            with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bf16"):
                logits = network(images, mixture, edges, sampled=sampled)
        network.zero_grad()
        loss = F.cross_entropy(logits.float(), labels)
        loss.backward(inputs=[mixture] if architecture else list(network.parameters()))

    return run


def random_images(number):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (number, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return Images(pixels, torch.randint(10, (number,), generator=generator))


def search(images, textbook=False, device="cpu", method=METHOD, **protocol):
    """A search under the controlled protocol on random images of CIFAR-10's size, `images` in each half."""
    protocol = replace(CONTROLLED, **{"compiled": False, **protocol})
    space = NASBench201().without("none")
    half = random_images(images)
    data = SearchData(half, half, half, 10, (127.5,) * 3, (63.75,) * 3)
    torch.manual_seed(0)
    size = (protocol.channels, protocol.cells, 10)
    network = TextbookSupernet(space.operations, *size) if textbook else NASBench201Supernet(space, *size)
    return Search(load(built_in()[method])(space), network, data, protocol, 0, torch.device(device))


def resident_bytes(name):
    """VmRSS: now; VmHWM: at most, of this process (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def main(which, batch_size):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    tune_malloc()
    work = search(batch_size, textbook=which == "textbook", batch_size=batch_size)
    problem = work.problem(epoch=0)
    next(pairs := problem.pairs())
    _ = problem.train_batch, problem.held_out_batch  # drawn before the memory is measured
    before = resident_bytes("VmRSS")
    work.method.architecture_step(problem)
    work.method.weight_step(problem)
    sys.stdout.write(f"{resident_bytes('VmHWM') - before}\n")
    pairs.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
