"""Allocator settings and peak memory of this process."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt (malloc.h)."""
LARGEST_THRESHOLD = 32 << 20
"""Largest value that glibc accepts on a 64-bit system (mallopt(3), DEFAULT_MMAP_THRESHOLD_MAX)."""


def tune_malloc() -> None:
    """Let glibc keep freed memory for the next tensors; does nothing with other C libraries.

    A search step frees as much memory as it allocates. By default glibc returns a part of it to the system, and the
    next step pays for every page again: some 40,000 page faults in a pair of steps at C=16, N=5, batch 64, a tenth of
    its time. The peak does not change, since the next step would allocate the memory again.
    """
    if mallopt := _libc_function("mallopt"):
        mallopt(TRIM_THRESHOLD, ctypes.c_int(2**31 - 1))
        mallopt(MMAP_THRESHOLD, ctypes.c_int(LARGEST_THRESHOLD))


def reset_peak_memory(device: str) -> None:
    """Return freed memory to the system and reset the peak that `peak_megabytes` reports, where the system can."""
    if trim := _libc_function("malloc_trim"):
        trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak of resident memory, proc(5)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_megabytes(device: str) -> float:
    """Peak memory of this process since `reset_peak_memory`, MiB: allocated on a GPU, else resident."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others KiB


def _libc_function(name: str) -> Any:
    """A function of the C library, or None if the system or the library lacks it."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, TypeError, AttributeError):
        return None
