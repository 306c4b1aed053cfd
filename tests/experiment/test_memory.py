"""The memory of a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import torch
from harness.experiment.memory import tune_malloc

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    tune_malloc()

def step():  # 20 tensors of 6 MiB, more than the C library keeps by itself
    return [torch.zeros(3 << 19).add_(1) for _ in range(20)]

for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    ended = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(ended.stdout)


PEAKS = """
import torch
from harness.experiment.memory import reset_peak_memory, tune_malloc, peak_megabytes

tune_malloc()
torch.zeros(50 << 20).add_(1)  # 200 MiB
whole = peak_megabytes("cpu")
reset_peak_memory("cpu")
print(whole - peak_megabytes("cpu"))
"""


@pytest.mark.faults
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="this system does not forget a peak")
def test_the_peak_of_a_run_is_not_that_of_the_one_before():
    ended = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    assert float(ended.stdout) > 150


@pytest.mark.faults
def test_freed_memory_is_kept_for_the_next_step():
    otherwise = page_faults("as it is")
    if otherwise < 20_000:
        pytest.skip(f"this C library keeps freed memory by itself ({otherwise} page faults)")
    assert page_faults("keep") < otherwise / 20
