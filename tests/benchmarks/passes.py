"""A process that makes one pass of a supernet per line that it reads, and prints the seconds of each.

    python passes.py before|now nasbench201|darts CHANNELS CELLS fp32|bf16 weights|architecture eager|compiled

It runs in a checkout, the folder that it is started in, whose modules it imports. `before` is one of commit 0d323e2.
"""

from __future__ import annotations

import sys
import time

BATCH = 64


def prepared(age, name, channels, cells, precision, what, mode):
    """The pass, made twice so that nothing is left to prepare."""
    import torch

    from tests.benchmarks.steps import step

    torch.set_num_threads(2)
    torch.manual_seed(0)
    tune_malloc, space, supernet = (before if age == "before" else now)(name)
    tune_malloc()
    images = torch.randn(BATCH, 3, 32, 32)
    options = {"compiled": True} if mode == "compiled" else {}
    mixture = torch.full(space.shape, 1 / space.shape[1])
    network = supernet(space, int(channels), int(cells), 10)
    run = step(network, images, mixture.clone, precision, what == "architecture", **options)
    run()
    run()
    return run


def before(name):
    from harness.memory import keep_freed
    from harness.spaces import DARTS, NASBench201

    if name == "darts":
        from harness.supernets.darts import DARTSSupernet

        return keep_freed, DARTS(), DARTSSupernet
    from harness.supernets.nasbench201 import NASBench201Supernet

    return keep_freed, NASBench201().without("none"), NASBench201Supernet


def now(name):
    from harness.benchmarks import DARTS, NASBench201
    from harness.experiment.memory import tune_malloc

    if name == "darts":
        from harness.benchmarks.darts.supernet import DARTSSupernet

        return tune_malloc, DARTS(), DARTSSupernet
    from harness.benchmarks.nasbench201.supernet import NASBench201Supernet

    return tune_malloc, NASBench201().without("none"), NASBench201Supernet


if __name__ == "__main__":
    sys.path[0] = ""  # the checkout instead of the folder of this file
    run = prepared(*sys.argv[1:])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        sys.stdout.write(f"{time.perf_counter() - start}\n")
        sys.stdout.flush()
