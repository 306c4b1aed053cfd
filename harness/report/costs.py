"""Search costs and sizes of the retrained networks, ours next to published ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.experiment.store import MEASURED, Record, Store
from harness.report.counts import NAMES, counts
from harness.report.groups import GROUP, PROXIES, Group
from harness.report.published import Published, PublishedValue
from harness.report.render.wording import NOTHING
from harness.report.verdict import NOT_COMPARABLE

UNITS = {"search_gpu_seconds": "GPU s", "search_gpu_days": "GPU days"}
"""Printed unit of each cost metric."""

READING = (
    "search cost (median over our searches): images that passed through the supernet or the scored networks, forward"
    " and backward, and CPU seconds of searches on CPUs; simulated seconds for black-box methods, which alone"
    " are comparable with a published budget."
)
NOT_COUNTED = "not counted"
"""Where the records hold neither the images that passed nor CPU seconds."""


@dataclass(frozen=True)
class Cost:
    """Cost of a search with one method in one group."""

    method: str
    group: Group
    n: int
    passes: float
    """Median number of images that passed through the supernet, forward and backward; NaN if not counted."""
    multiply_adds: float
    """Median number of the supernet's multiply-adds; NaN if not counted."""
    cpu_seconds: float
    """Median CPU seconds; NaN if not recorded."""
    seconds: float
    """Median wall time; NaN if not recorded. It depends on what else the machine did, so it is no cost to compare."""
    load: float
    """Median of the mean number of processes that ran on the machine; NaN if not recorded."""
    device: str
    """Devices of the searches, separated by commas."""
    simulated: float
    """Median simulated GPU seconds; NaN for methods that train a supernet."""
    published: PublishedValue | None
    comparable: bool

    @property
    def order(self) -> float:
        """Sort key: simulated seconds of searches that query a table, otherwise images; NaN if not counted."""
        return self.passes if math.isnan(self.simulated) else self.simulated

    @property
    def ours(self) -> str:
        """E.g. `1.25 M images, 350 CPU s` or `11,934 s simulated`."""
        if not math.isnan(self.simulated):
            return f"{_digits(self.simulated)} s simulated"
        parts = [] if math.isnan(self.passes) else [f"{_digits(self.passes / 1e6)} M images"]
        if self.device == "cpu" and not math.isnan(self.cpu_seconds):  # beside a GPU they say little
            parts.append(f"{_digits(self.cpu_seconds)} CPU s")
        return ", ".join(parts) or NOT_COUNTED

    @property
    def theirs(self) -> str:
        """E.g. `0.4 GPU days`, `12,000 GPU s budget†`; †: quoted from memory."""
        value = self.published
        if value is None:
            return NOTHING
        amount = f"{value.mean:,.0f}" if value.mean >= 1000 else f"{value.mean:g}"
        return f"{amount} {UNITS[value.metric]}{' budget' * value.budget}{'†' * value.recalled}"

    @property
    def verdict(self) -> str:
        if self.published is None:
            return NOTHING
        return "comparable" if self.comparable else NOT_COMPARABLE


def build(
    store: Store, runs: pd.DataFrame, records: Sequence[Record], published: Published, methods: Sequence[str]
) -> tuple[Cost, ...]:
    """Costs of all methods with a finished search, by group, then in the order of `methods`.

    `records` are the records of `runs`, in the same order; `store` has their arrays.
    """
    provenances = [record["provenance"] for record in records]
    amounts = {
        name: pd.Series([provenance.get(name) for provenance in provenances], runs.index, float) for name in MEASURED
    }
    measured = runs.assign(
        **amounts,
        **_counted(store, records),
        device=[str(provenance.get("device") or "device unknown") for provenance in provenances],
        simulated=pd.Series([record.get("search_seconds") for record in records], runs.index, float),
        rank=runs["method"].map({method: position for position, method in enumerate(methods)}),
    )
    finished = measured[measured["failure"] == ""]
    return tuple(_cost(searches, published) for _, searches in finished.groupby([*GROUP, "rank"]))


def _counted(store: Store, records: Sequence[Record]) -> dict[str, list[float]]:
    """Images and multiply-adds of each run; NaN where its arrays do not count them, or where it has none."""
    passes, multiply_adds = [], []
    for record in records:
        try:
            found = counts(store.arrays(record["key"], NAMES)) if "arrays_sha256" in record else None
        except ValueError:  # no arrays; the figures say so
            found = None
        passes.append(float(found.passes.sum()) if found else math.nan)
        multiply_adds.append(float(found.multiply_adds.sum()) if found else math.nan)
    return {"passes": passes, "multiply_adds": multiply_adds}


def _cost(searches: pd.DataFrame, published: Published) -> Cost:
    first = searches.iloc[0]
    group = Group(*map(str, first[GROUP]))
    simulated = _median(searches["simulated"])
    budget = not math.isnan(simulated)
    value = None if first["external"] else _published(published, first["published_as"], group, budget)
    comparable = value is not None and value.budget and budget and not first["deviations"]
    return Cost(
        method=str(first["method"]),
        group=group,
        n=len(searches),
        passes=_median(searches["passes"]),
        multiply_adds=_median(searches["multiply_adds"]),
        cpu_seconds=_median(searches["cpu_seconds"]),
        seconds=_median(searches["seconds"]),
        load=_median(searches["load"]),
        device=", ".join(sorted(set(searches["device"]))),
        simulated=simulated,
        published=value,
        comparable=comparable and value is not None and value.searched_on == group.searched_on,
    )


def _median(values: pd.Series) -> float:
    """Median of the recorded values; NaN if there are none."""
    known = values.dropna()
    return float(known.median()) if len(known) else math.nan


def _published(published: Published, names: Sequence[str], group: Group, budget: bool) -> PublishedValue | None:
    """The published cost to print next to ours: of a search on the same dataset, or on the one that a proxy stands in
    for. Preferred are, in this order: the first of its names; a budget for simulated searches, a measurement for
    others; a status better than recalled; the earlier row of the file."""
    dataset = PROXIES.get(group.searched_on, group.searched_on)
    values = [
        value for name in names for metric in UNITS for value in published.values(name, group.space, dataset, metric)
    ]
    candidates = [value for value in values if value.searched_on in ("", dataset)]

    def preference(value: PublishedValue) -> tuple[int, bool, bool]:
        return names.index(value.registry_name), value.budget != budget, value.status == "recalled"

    return min(candidates, key=preference, default=None)


# Sizes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """Number of parameters of the networks in which one method's cells were retrained."""

    method: str
    group: Group
    dataset: str
    recipe: str
    millions: float
    """Mean over the searches; NaN if not recorded."""
    published: PublishedValue | None

    @property
    def ours(self) -> str:
        """E.g. `0.052 M`."""
        return NOTHING if math.isnan(self.millions) else f"{self.millions:.3f} M"

    @property
    def theirs(self) -> str:
        """E.g. `3.3 M`; †: quoted from memory."""
        return NOTHING if self.published is None else f"{self.published.printed} M{'†' * self.published.recalled}"

    @property
    def verdict(self) -> str:
        """Never comparable: the published size is of another cell."""
        return NOTHING if self.published is None else NOT_COMPARABLE


def sizes(trained: pd.DataFrame, published: Published) -> tuple[Size, ...]:
    """Mean sizes per method, group, dataset and recipe of `trained` (`retrained.finals`)."""
    by = ["method", "name", "external", *GROUP, "dataset", "table"]
    means = trained.astype({"params_millions": float}).groupby(by)["params_millions"].mean()
    result = []
    rows: Iterator[Any] = means.reset_index().itertuples(index=False)
    for row in rows:
        value = None if row.external else _published_size(published, row.name, row.space, row.dataset)
        group = Group(row.space, row.profile, row.searched_on)
        result.append(Size(row.method, group, row.dataset, row.table, row.params_millions, value))
    return tuple(result)


def _published_size(published: Published, name: str, space: str, dataset: str) -> PublishedValue | None:
    """The published size (millions) of the network for a dataset, or for the one that a proxy stands in for. Preferred
    are, in this order: the authors' cells to those of re-runs and transfers; a status better than recalled; the earlier
    row of the file."""
    values = published.values(name, space, PROXIES.get(dataset, dataset), "params_millions")
    return min(values, key=lambda value: (value.protocol not in ("", "direct"), value.recalled), default=None)


def _digits(value: float) -> str:
    """At least three digits, e.g. `0.0123`, `10,890`."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
