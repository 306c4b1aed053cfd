"""The devices that runs are executed on."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def usable(asked: Sequence[str] | None) -> list[str]:
    """The devices that were asked for; if none was, all GPUs, else the CPU.

    ValueError, in one line, for one that cannot be used.
    """
    names = list(asked or [f"cuda:{number}" for number in range(torch.cuda.device_count())] or ["cpu"])
    for name in names:
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {name} cannot be used: {str(error).splitlines()[0]}") from error
    return names
