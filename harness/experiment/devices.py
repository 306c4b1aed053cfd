"""Selection of the devices on which runs are executed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import torch
from torch.utils._triton import has_triton


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
