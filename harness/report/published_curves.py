"""Published per-epoch curves, decoded from the figures of papers and drawn behind ours as thin grey lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.report.published import STATUSES, UNCERTAIN

COLUMNS = [
    "space",
    "registry_name",
    "label",
    "quantity",
    "dataset",
    "split",
    "operations",
    "cell_type",
    "protocol",
    "run",
    "status",
    "source",
    "values",
]

QUANTITIES = ("entropy", "accuracy", "regret")


@dataclass(frozen=True)
class PublishedCurve:
    """One search of a paper, or the mean of several: a value after each epoch, from the first one on."""

    space: str
    registry_name: str
    label: str
    """The method as the paper calls it."""
    quantity: str
    """entropy: of the operation weights, nats, mean over the edges of `cell_type`; accuracy: of the cell, %; regret:
    of the cell, percentage points."""
    dataset: str
    """Dataset of the accuracy or regret; empty for an entropy."""
    split: str
    operations: int
    cell_type: str
    protocol: str
    run: int
    """0: a mean over searches, whose number the label has."""
    status: str
    source: str
    values: NDArray[np.float64]
    """(T,) values after each epoch."""


def load(path: Path) -> list[PublishedCurve]:
    """Read a CSV file of published curves, without uncertain ones.

    Raises OSError if it cannot be read, ValueError if it is malformed.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
    except (ValueError, csv.Error) as error:  # empty, or not UTF-8
        raise ValueError(f"{path}: not a table of published curves: {error}") from error
    if header != COLUMNS:
        raise ValueError(f"{path}: expected the columns {','.join(COLUMNS)}, got {','.join(header)}")
    curves = []
    for number, row in enumerate(rows, start=1):
        try:
            curves.append(_curve(row))
        except ValueError as error:
            raise ValueError(f"{path}: row {number}: {error}") from error
    return [curve for curve in curves if curve.status != UNCERTAIN]


def _curve(row: Sequence[str]) -> PublishedCurve:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} values for {len(COLUMNS)} columns")
    texts = dict(zip(COLUMNS, row, strict=True))
    if texts["quantity"] not in QUANTITIES:
        raise ValueError(f"unknown quantity {texts['quantity']!r}, expected one of {', '.join(QUANTITIES)}")
    if texts["status"] not in STATUSES:
        raise ValueError(f"unknown status {texts['status']!r}, expected one of {', '.join(STATUSES)}")
    values = np.array([float(value) for value in texts.pop("values").split()])
    if not len(values) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("expected finite values, none negative, one per epoch")
    operations, run = int(texts.pop("operations")), int(texts.pop("run"))
    return PublishedCurve(**texts, operations=operations, run=run, values=values)
