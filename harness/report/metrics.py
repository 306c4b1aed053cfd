"""What is measured of a found cell, and which way it is better."""

from __future__ import annotations

from typing import NamedTuple

DATASET_OF_PROXY = {"digits": "cifar10"}
"""Digits are a proxy for CIFAR-10: its published values are shown next to them, named as such."""


class Metric(NamedTuple):
    name: str
    """As tables have it."""
    short: str
    """Beside the split, where a table may hold several metrics; empty for accuracies, which are most."""
    lower: bool
    """Whether less is better."""
    of: str
    """`tests` or `validations`."""


METRICS = {
    "test_accuracy": Metric("test accuracy", "", False, "tests"),
    "valid_accuracy": Metric("validation accuracy", "", False, "validations"),
    "test_error": Metric("test error of the cell, trained from scratch", "error", True, "tests"),
}
