"""Numbering of the 15,625 cells, as in `space.index`: the order of every array in a table."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from harness.benchmarks import Arch, NASBench201
from harness.benchmarks.nasbench201.space import CELLS, OPERATIONS, all_cells
from harness.benchmarks.nasbench201.table.metrics import Floats, Ints


def cell_numbers(cells: Iterable[str | Arch]) -> Ints:
    """(n,) indices of cells given as strings or tuples of operation names. ValueError if one is not a cell."""
    numbers = _all_numbers()
    try:
        return np.array([numbers[cell] for cell in cells], dtype=np.int64)
    except KeyError as error:
        raise ValueError(f"not a NAS-Bench-201 cell: {str(error)[:200]}") from None


@cache
def cell_strings() -> tuple[str, ...]:
    """The strings of all cells, in the order of their indices."""
    space = NASBench201()
    return tuple(space.to_string(arch) for arch in all_cells())


@cache
def _all_numbers() -> dict[str | Arch, int]:
    numbers: dict[str | Arch, int] = {string: number for number, string in enumerate(cell_strings())}
    numbers.update((arch, number) for number, arch in enumerate(all_cells()))
    return numbers


def checked_numbers(cells: ArrayLike) -> Ints:
    """Validate an array of cell indices, of any shape. ValueError if one is not the index of a cell."""
    numbers = np.asarray(cells)
    if numbers.size == 0:
        return np.zeros(numbers.shape, dtype=np.int64)
    if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= CELLS:
        raise ValueError(f"cells are whole numbers from 0 to {CELLS - 1} (see cell_numbers)")
    return numbers.astype(np.int64, copy=False)


def network_params(classes: int) -> Floats:
    """(15625,) numbers of parameters. Computed, because 294 of the recorded sizes are wrong by one convolution.

    Networks have five cells at each of 16, 32 and 64 channels; every convolution has a batch norm with scale and shift.
    """
    operations = np.array(np.unravel_index(np.arange(CELLS), (len(OPERATIONS),) * 6))  # (6, 15625)
    pointwise = (operations == OPERATIONS.index("nor_conv_1x1")).sum(axis=0)
    spatial = (operations == OPERATIONS.index("nor_conv_3x3")).sum(axis=0)
    stem_and_reductions = 72_656
    classifier = 65 * classes
    per_pointwise = 5 * sum(c * c + 2 * c for c in (16, 32, 64))
    per_spatial = 5 * sum(9 * c * c + 2 * c for c in (16, 32, 64))
    params = stem_and_reductions + classifier + per_pointwise * pointwise + per_spatial * spatial
    return np.asarray(params, dtype=np.float64)
