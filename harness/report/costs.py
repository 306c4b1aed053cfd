"""Search costs and sizes of the retrained networks, ours next to published ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.experiment.store import Record
from harness.report.groups import GROUP, PROXIES, Group
from harness.report.published import Published, PublishedValue
from harness.report.render.wording import NOTHING
from harness.report.verdict import NOT_COMPARABLE

UNITS = {"search_gpu_seconds": "GPU s", "search_gpu_days": "GPU days"}
"""Printed unit of each cost metric."""

READING = "search cost: median over our searches; only simulated seconds are comparable, with a published budget."


@dataclass(frozen=True)
class Cost:
    """Cost of a search with one method in one group."""

    method: str
    group: Group
    n: int
    seconds: float
    """Median wall time of the searches with a recorded time; NaN if there is none."""
    device: str
    """Devices on which the time was measured, separated by commas."""
    simulated: float
    """Median simulated GPU seconds; NaN for methods that train a supernet."""
    published: PublishedValue | None
    comparable: bool

    @property
    def shown_seconds(self) -> float:
        """Simulated seconds for searches that query a table, otherwise wall time."""
        return self.seconds if math.isnan(self.simulated) else self.simulated

    @property
    def ours(self) -> str:
        """E.g. `112 s, cpu` or `11,934 s simulated`."""
        if math.isnan(self.shown_seconds):
            return NOTHING
        where = f", {self.device}" if math.isnan(self.simulated) else " simulated"
        return f"{_seconds(self.shown_seconds)}{where}"

    @property
    def theirs(self) -> str:
        """E.g. `0.4 GPU days`, `12,000 GPU s budget†`; †: recalled."""
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
    runs: pd.DataFrame, records: Sequence[Record], published: Published, methods: Sequence[str]
) -> tuple[Cost, ...]:
    """Costs of all methods with a finished search, by group, then in the order of `methods`.

    `records` are the records of `runs`, in the same order.
    """
    provenances = [record["provenance"] for record in records]
    measured = runs.assign(
        seconds=pd.Series([provenance.get("seconds") for provenance in provenances], runs.index, float),
        device=[str(provenance.get("device") or "device unknown") for provenance in provenances],
        simulated=pd.Series([record.get("search_seconds") for record in records], runs.index, float),
        rank=runs["method"].map({method: position for position, method in enumerate(methods)}),
    )
    finished = measured[measured["failure"] == ""]
    return tuple(_cost(searches, published) for _, searches in finished.groupby([*GROUP, "rank"]))


def _cost(searches: pd.DataFrame, published: Published) -> Cost:
    first = searches.iloc[0]
    group = Group(*map(str, first[GROUP]))
    simulated = _median(searches["simulated"])
    budget = not math.isnan(simulated)
    value = None if first["external"] else _published(published, first["name"], group, budget)
    comparable = value is not None and value.budget and budget and not first["deviations"]
    return Cost(
        method=str(first["method"]),
        group=group,
        n=len(searches),
        seconds=_median(searches["seconds"]),
        device=", ".join(sorted(set(searches["device"]))),
        simulated=simulated,
        published=value,
        comparable=comparable and value is not None and value.searched_on == group.searched_on,
    )


def _median(seconds: pd.Series) -> float:
    """Median of the recorded values; NaN if there are none."""
    known = seconds.dropna()
    return float(known.median()) if len(known) else math.nan


def _published(published: Published, name: str, group: Group, budget: bool) -> PublishedValue | None:
    """The published cost to print next to ours: of a search on the same dataset, or on the one that a proxy stands in
    for. Preferred are, in this order: a budget for simulated searches, a measurement for others; a status better than
    recalled; the earlier row of the file."""
    dataset = PROXIES.get(group.searched_on, group.searched_on)
    values = [value for metric in UNITS for value in published.values(name, group.space, dataset, metric)]
    candidates = [value for value in values if value.searched_on in ("", dataset)]
    return min(candidates, key=lambda value: (value.budget != budget, value.status == "recalled"), default=None)


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
        """E.g. `3.3 M`; †: recalled."""
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


def _seconds(value: float) -> str:
    """Seconds with at least three digits, e.g. `0.0123 s`, `10,890 s`."""
    return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"
