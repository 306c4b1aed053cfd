"""The devices on which runs are executed, and how this process uses them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch
from torch.utils._triton import has_triton

from harness.experiment.memory import tune_malloc


def usable(requested: Sequence[str] | None) -> list[str]:
    """The requested devices after a check; by default all GPUs, or the CPU if there are none.

    ValueError, one line, if a device cannot be used.
    """
    names = list(requested or [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"])
    for name in names:
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from error
    return names


def cannot_compile(device: str) -> str | None:
    """Why programs cannot be compiled for a device; None if they can."""
    if device.startswith("cuda"):
        return None if has_triton() else "Triton is not installed"
    compilers = ("c++", "g++", "clang++")
    return None if any(map(shutil.which, compilers)) else f"there is no C++ compiler ({', '.join(compilers)})"


def prepare(threads: int) -> None:
    """Set up this process for a run.

    On GPUs convolutions are computed in fp32. By default torch rounds their operands to 10 bits (TF32), so that a
    search in single precision would differ between processors for another reason than the order of its sums.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # of matrix products it is False already
    tune_malloc()
