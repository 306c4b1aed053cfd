"""What a search cost on any machine: images that passed through networks, and multiply-adds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.experiment.store import Arrays

NAMES = ("forward_images", "backward_images", "multiply_adds")
"""Arrays with a row per epoch and a column per kind of pass."""


class Counts(NamedTuple):
    passes: NDArray[np.float64]
    """(T,) images that passed through the supernet in each epoch, forward and backward."""
    multiply_adds: NDArray[np.float64]
    """(T,) multiply-adds of each epoch; NaN where they are not counted."""


def counts(log: Arrays) -> Counts | None:
    """The counts in the arrays of a run; None if they lack them, as those of earlier versions do."""
    arrays = {name: log[name] for name in NAMES if name in log}
    fitting = {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "iuf"}
    if not {"forward_images", "backward_images"} <= fitting.keys() or len({len(a) for a in fitting.values()}) > 1:
        return None
    sums = {name: array.sum(axis=1, dtype=float) for name, array in fitting.items()}
    passes = sums["forward_images"] + sums["backward_images"]
    multiply_adds = sums.get("multiply_adds", np.full(len(passes), np.nan))
    return Counts(passes, multiply_adds) if (passes > 0).all() else None
