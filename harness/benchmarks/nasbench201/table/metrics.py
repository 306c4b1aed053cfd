"""The accuracies and costs that the benchmark defines for a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.nasbench201.space import CELLS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HINT = "python -m harness table makes tables from other files"
EPOCHS = (12, 200)

# The test images of CIFAR-100 and ImageNet16-120 are split in halves; those of CIFAR-10 are not. CIFAR-10's x-valid and
# test accuracies come from different networks, so neither can be computed from the other.
SPLITS = {
    "cifar10": {
        "x-valid": "the held-out half of the training images",
        "test": "all test images, trained on all training images",
    },
    "cifar100": {"x-valid": "one half of the test images", "x-test": "the other half", "ori-test": "both halves"},
    "imagenet16-120": {"x-valid": "one half of the test images", "x-test": "the other half", "ori-test": "both halves"},
}
MEASURES = ("train_seconds", "evaluation_seconds", "latency_seconds", "params", "flops_millions")


class TableError(ValueError):
    """A table is unusable: its file is missing, corrupt or of another kind, or its numbers cannot be right."""


class NotInTableError(LookupError, ValueError):
    """The table or the benchmark does not have the number."""


class Metric(NamedTuple):
    """Identifies an accuracy. Numbers of different metrics must never be mixed."""

    dataset: str
    split: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.dataset} {self.split} at {self.epochs} epochs"


class Cost(NamedTuple):
    """Identifies a cost (one of `MEASURES`) of the network for a dataset."""

    measure: str
    dataset: str

    def __str__(self) -> str:
        return f"{self.measure} of {self.dataset}"


METRICS = tuple(Metric(dataset, split, epochs) for dataset in SPLITS for split in SPLITS[dataset] for epochs in EPOCHS)
MEASURED = tuple(metric for metric in METRICS if metric.split != "ori-test")
"""The metrics that a table stores; ori-test is computed as the mean of x-valid and x-test."""
COSTS = tuple(Cost(measure, dataset) for measure in MEASURES for dataset in SPLITS)


@dataclass(frozen=True, eq=False)
class Accuracies:
    """One metric of all cells, in percent."""

    values: Floats
    """(15625, T), NaN if missing: one column per trial, or T = 1 and the mean over `trials`."""
    trials: Ints | None = None
    """(15625,) number of trials in each mean, 0: unknown; None: the columns are the trials."""

    @classmethod
    def of_trials(cls, trials: Mapping[int, Sequence[float]]) -> Accuracies:
        """From index of a cell -> its trials; cells may be missing or have fewer trials than others."""
        values = np.full((CELLS, max(map(len, trials.values()))), np.nan)
        for number, accuracies in trials.items():
            values[number, : len(accuracies)] = accuracies
        return cls(values)

    @cached_property
    def mean(self) -> Floats:
        """(15625,) mean over the available trials, NaN if there is none."""
        available = ~np.isnan(self.values)
        total = np.where(available, self.values, 0.0).sum(axis=1)
        mean = np.full(len(total), np.nan)
        np.divide(total, available.sum(axis=1), out=mean, where=available.any(axis=1))
        return mean

    @cached_property
    def counts(self) -> Ints:
        """(15625,) number of trials in `mean`, 0 if it is unknown or there is no value."""
        available = ~np.isnan(self.values)
        counts = available.sum(axis=1) if self.trials is None else np.where(available[:, 0], self.trials, 0)
        return counts.astype(np.int64)


def mean_of_halves(first: Accuracies, second: Accuracies) -> Accuracies:
    """The accuracy on the union of two equal halves; per trial if both have the same number of trial columns."""
    if first.trials is None and second.trials is None and first.values.shape == second.values.shape:
        return Accuracies((first.values + second.values) / 2)
    mean = (first.mean + second.mean) / 2
    return Accuracies(mean[:, np.newaxis], np.minimum(first.counts, second.counts))


def explain_missing(metric: Metric, available: tuple[Metric, ...]) -> str:
    """One line that says why a table with the `available` metrics does not have a metric."""
    if metric.dataset not in SPLITS:
        return f"NAS-Bench-201 has no dataset {metric.dataset!r}; it has {', '.join(SPLITS)}"
    splits = SPLITS[metric.dataset]
    if metric.split not in splits:
        choices = " or ".join(f"{name} ({meaning})" for name, meaning in splits.items())
        return f"{metric.dataset} has no split {metric.split!r}; ask for {choices}"
    listed = [f"{split} at {epochs} epochs" for dataset, split, epochs in available if dataset == metric.dataset]
    return f"this table has no {metric}; of {metric.dataset} it has {', '.join(listed) or 'nothing'}; {HINT}"
