"""The memory of this process."""

from __future__ import annotations

import ctypes
import resource
import sys

import torch

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's options (malloc.h)."""
LARGEST_THRESHOLD = 32 << 20
"""The most that glibc takes on a 64-bit system (mallopt(3), DEFAULT_MMAP_THRESHOLD_MAX)."""


def keep_freed() -> None:
    """Let the C library keep freed memory for the next tensors, where it is glibc; elsewhere nothing changes.

    A step of a search frees as much as it takes. By default glibc returns a part of that to the system, and the next
    step pays for every page anew: some 40,000 page faults in a pair of steps at C=16, N=5, batch 64, a tenth of its
    time. The peak does not change, since the next step would take the memory again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # another system, another C library
        return
    mallopt(TRIM_THRESHOLD, ctypes.c_int(2**31 - 1))
    mallopt(MMAP_THRESHOLD, ctypes.c_int(LARGEST_THRESHOLD))


def peak_megabytes(device: str) -> float:
    """The most that this process has held since it began, in MiB: on a GPU there, else resident memory."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, Linux KiB
