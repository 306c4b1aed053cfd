"""The metrics by which architectures are evaluated, and whether higher or lower is better."""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    name: str
    """Name in table captions."""
    short: str
    """Suffix of the split where a table can hold several metrics; empty for accuracies, the usual case."""
    lower: bool
    """Whether lower is better."""
    of: str
    """`tests` or `validations`."""


METRICS = {
    "test_accuracy": Metric("test accuracy", "", False, "tests"),
    "valid_accuracy": Metric("validation accuracy", "", False, "validations"),
    "test_error": Metric("test error of cells retrained from scratch", "error", True, "tests"),
}
