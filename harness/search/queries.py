"""Simulated black-box search: every query costs the time in which the architecture was trained and evaluated.

A search ends when its budget is spent. Repeated queries of an architecture cost again; the query that would exceed the
budget does not count (Dong and Yang, "NAS-Bench-201", ICLR 2020, Section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from harness.benchmarks.base import Arch, Signal


@dataclass(frozen=True)
class Improvement:
    """A query whose accuracy is higher than that of all queries before it."""

    query: int
    """Counted from 1."""
    seconds: float
    """Simulated time at its end."""
    cell: Arch
    accuracy: float
    """Accuracy in the search signal, %."""


@dataclass(frozen=True)
class Simulated:
    """Result of a simulated search."""

    cell: Arch
    """The architecture that the method returns; otherwise the best queried one, the first on ties."""
    improvements: list[Improvement]
    queries: int
    seconds: float
    """Simulated time spent, at most the budget."""


def nothing(arch: Arch, rng: np.random.Generator | None = None) -> Signal:  # noqa: ARG001 - a query has it
    """The query of a benchmark that has nothing to query."""
    raise ValueError(f"the method queried {str(arch)[:200]}, but the benchmark has nothing to query")


def simulate(
    search: Generator[Arch, float, Arch | None], query: Callable[[Arch], Signal], budget_seconds: float
) -> Simulated:
    """Run a black-box search, which yields architectures to query, until its budget is spent or it returns.

    ValueError if `query` refuses an architecture, or the search returns none without having queried one within the
    budget.
    """
    spent, queries, best = 0.0, 0, -np.inf
    improvements: list[Improvement] = []
    choice: Arch | None = None
    try:
        arch = next(search)
        while True:
            accuracy, price = query(arch)
            if not (0 <= accuracy <= 100 and 0 < price < np.inf):
                raise ValueError(f"a query must cost seconds and return an accuracy in %, got {accuracy} and {price} s")
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
        raise ValueError(f"a budget of {budget_seconds:g} s is too small for a query, and the method returned no cell")
    return Simulated(choice or improvements[-1].cell, improvements, queries, spent)
