"""Selection of the devices on which runs are executed."""

from __future__ import annotations

from collections.abc import Sequence

import torch


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
