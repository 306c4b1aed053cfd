"""The memory of this process."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

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
    if mallopt := _of_glibc("mallopt"):
        mallopt(TRIM_THRESHOLD, ctypes.c_int(2**31 - 1))
        mallopt(MMAP_THRESHOLD, ctypes.c_int(LARGEST_THRESHOLD))


def forget_peak(device: str) -> None:
    """Have `peak_megabytes` begin anew, after what was freed is returned to the system; where the system can do so."""
    if trim := _of_glibc("malloc_trim"):
        trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak of resident memory, proc(5)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_megabytes(device: str) -> float:
    """The most that this process has held since `forget_peak`, in MiB: on a GPU there, else resident memory."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device) / 2**20
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # macOS counts bytes, others KiB


def _of_glibc(name: str) -> Any:
    """A function of the C library; None on another system or with another library."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, TypeError, AttributeError):
        return None
