"""How far apart trainings of cells that compute the same come out."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.nasbench201.space import CELLS, all_cells, isomorphism_class
from harness.benchmarks.nasbench201.table import Table


def isomorphic_noise(table: Table, dataset: str, split: str) -> float:
    """Pooled standard deviation (points) of the accuracy after 200 epochs among cells that compute the same.

    The benchmark trained the members of each of its 6,466 isomorphism classes as if they were different cells: how far
    apart they came out is noise that no method answers for, and the default half-width of the region of practical
    equivalence. NotInTableError if the table lacks the accuracies.
    """
    accuracy = table.accuracy(np.arange(CELLS), dataset, split)[0]
    classes = _isomorphism_classes()
    members = np.bincount(classes)
    means = np.bincount(classes, weights=accuracy) / members
    return sqrt(np.square(accuracy - means[classes]).sum() / (members - 1).sum())


@cache
def _isomorphism_classes() -> NDArray[np.intp]:
    """(15625,) number of each cell's class, in the order of `nasbench201.index`."""
    return np.unique([isomorphism_class(cell) for cell in all_cells()], return_inverse=True)[1]
