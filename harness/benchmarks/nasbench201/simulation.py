"""Search on the table: a black-box method pays, in simulated time, for the training of every cell that it asks for.

Dong and Yang, "NAS-Bench-201" (ICLR 2020), Section 5: a query returns the x-valid accuracy on CIFAR-10 after 12 epochs
of training and costs the seconds of that training; a search ends when its budget is spent. A cell that is asked for
again is paid for again. The query that would exceed the budget does not count.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.benchmarks import Arch
from harness.benchmarks.nasbench201.space import all_cells
from harness.benchmarks.nasbench201.table.table import Metric, Table, cell_numbers

DATASET = "cifar10"
QUERY_EPOCHS = 12


@dataclass(frozen=True)
class Signal:
    """What a query returns and costs."""

    epochs: int
    """Training epochs of the accuracies: 12, or 200 where the table has no others."""
    answers: dict[Arch, tuple[float, float]]
    """Accuracy (%) and price (seconds) of every cell."""


@dataclass(frozen=True)
class Improvement:
    """A query that beat all before it."""

    query: int
    """Counts from 1."""
    seconds: float
    """Simulated time at its end."""
    cell: Arch
    accuracy: float
    """Of the signal, %."""


@dataclass(frozen=True)
class Simulated:
    """A search on the table."""

    cell: Arch
    """The method's own choice, or else the best asked, of several the first."""
    improvements: list[Improvement]
    queries: int
    seconds: float
    """Simulated time spent, at most the budget."""


def signal_epochs(table: Table) -> int:
    """12 if the table has those accuracies; otherwise 200, a substitute that records must name."""
    return QUERY_EPOCHS if Metric(DATASET, "x-valid", QUERY_EPOCHS) in table.available else 200


@lru_cache(maxsize=2)
def signal(table: Table) -> Signal:
    """The signal that a table offers; the price is always that of 12 epochs. NotInTableError if it lacks some cell."""
    cells = list(all_cells())
    numbers = cell_numbers(cells)
    epochs = signal_epochs(table)
    accuracies, _ = table.accuracy(numbers, DATASET, "x-valid", epochs)
    seconds = table.train_seconds(numbers, DATASET, QUERY_EPOCHS)
    return Signal(epochs, dict(zip(cells, zip(accuracies.tolist(), seconds.tolist(), strict=True), strict=True)))


def simulate(search: Generator[Arch, float, Arch | None], answers: Signal, budget_seconds: float) -> Simulated:
    """Answer a method's queries until the budget is spent or it makes its choice.

    ValueError if it asks for what is no cell of the full space, or neither asks nor chooses.
    """
    spent, queries, best = 0.0, 0, -np.inf
    improvements: list[Improvement] = []
    choice: Arch | None = None
    try:
        arch = next(search)
        while True:
            if arch not in answers.answers:
                raise ValueError(f"the method asked for {str(arch)[:200]}, which is no cell of the table")
            accuracy, price = answers.answers[arch]
            if spent + price > budget_seconds:
                break
            spent += price
            queries += 1
            if accuracy > best:
                best = accuracy
                improvements.append(Improvement(queries, spent, arch, accuracy))
            arch = search.send(accuracy)
    except StopIteration as stop:
        choice = stop.value
    if choice is None and not improvements:
        raise ValueError(f"a budget of {budget_seconds:g} s pays for no query, and the method made no choice")
    return Simulated(choice or improvements[-1].cell, improvements, queries, spent)
