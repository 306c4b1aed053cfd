"""What searches cost and how large found cells are, ours beside published ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.experiment.store import Record
from harness.report.groups import GROUP, Group
from harness.report.metrics import DATASET_OF_PROXY
from harness.report.published import Published, PublishedValue
from harness.report.render.wording import NOTHING

COLUMNS = [
    "method",
    *GROUP,
    "n",
    "seconds",
    "device",
    "simulated_seconds",
    "published",
    "published_unit",
    "published_status",
    "published_source",
    "verdict",
]

UNITS = {"search_gpu_seconds": "GPU s", "search_gpu_days": "GPU days"}
"""By metric, as printed."""

READING = (
    "search cost: median of our searches, in seconds of wall time on the device named, for black boxes in simulated"
    " GPU seconds of the trainings that they ask the table for. Published: as printed, a budget called so."
    " comparable: simulated seconds next to a published budget, under the paper profile and on the same search dataset;"
    " not comparable: all else, since published times are of other or unnamed machines."
)


@dataclass(frozen=True)
class Cost:
    """What a search of one method in one group costs."""

    method: str
    group: Group
    n: int
    seconds: float
    """Median wall time of the searches whose time is recorded; NaN if none is."""
    device: str
    """Of several, all."""
    simulated: float
    """Median of simulated GPU seconds; NaN for methods that train a supernet."""
    published: PublishedValue | None
    comparable: bool

    @property
    def shown_seconds(self) -> float:
        """Those of the search itself: simulated ones where it asks a table."""
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
        return "comparable" if self.comparable else "not comparable"


def build(
    runs: pd.DataFrame, records: Sequence[Record], published: Published, methods: Sequence[str]
) -> tuple[Cost, ...]:
    """The cost of every method with a done search, by group and in the order of `methods`; `records` are those behind
    `runs`, in the same order."""
    provenances = [record["provenance"] for record in records]
    measured = runs.assign(
        seconds=pd.Series([found.get("seconds") for found in provenances], runs.index, float),
        device=[str(found.get("device") or "device unknown") for found in provenances],
        simulated=pd.Series([record.get("search_seconds") for record in records], runs.index, float),
        rank=runs["method"].map({method: place for place, method in enumerate(methods)}),
    )
    done = measured[measured["failure"] == ""]
    return tuple(_cost(searches, published) for _, searches in done.groupby([*GROUP, "rank"]))


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
    """Of those that are known; NaN if none is."""
    known = seconds.dropna()
    return float(known.median()) if len(known) else math.nan


def _published(published: Published, name: str, group: Group, budget: bool) -> PublishedValue | None:
    """The value to print beside ours: of a search on the same dataset, for digits on what they stand in for. In order
    of preference: a budget for simulated searches, a measurement for others; a status better than recalled; the order
    of the file."""
    dataset = DATASET_OF_PROXY.get(group.searched_on, group.searched_on)
    found = [value for metric in UNITS for value in published.values(name, group.space, dataset, metric)]
    of_dataset = [value for value in found if value.searched_on in ("", dataset)]
    return min(of_dataset, key=lambda value: (value.budget != budget, value.status == "recalled"), default=None)


def frame(costs: Iterable[Cost]) -> pd.DataFrame:
    """Columns `COLUMNS`, for programs."""
    return pd.DataFrame([_row(cost) for cost in costs], columns=COLUMNS)


def _row(cost: Cost) -> list[Any]:
    value = cost.published
    theirs = [None] * 4 if value is None else [value.mean, UNITS[value.metric], value.evidence, value.source]
    return [cost.method, *cost.group, cost.n, cost.seconds, cost.device, cost.simulated, *theirs, cost.verdict]


# Sizes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """Parameters of the networks that one method's cells were trained in."""

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
        """None: what is published is of another cell."""
        return NOTHING if self.published is None else "not comparable"


def sizes(trained: pd.DataFrame, published: Published) -> tuple[Size, ...]:
    """One per method, group, dataset and recipe of `trained` (`retrained.finals`)."""
    by = ["method", "name", "external", *GROUP, "dataset", "table"]
    means = trained.astype({"params_millions": float}).groupby(by)["params_millions"].mean()
    found = []
    rows: Iterator[Any] = means.reset_index().itertuples(index=False)
    for row in rows:
        value = None if row.external else _published_size(published, row.name, row.space, row.dataset)
        group = Group(row.space, row.profile, row.searched_on)
        found.append(Size(row.method, group, row.dataset, row.table, row.params_millions, value))
    return tuple(found)


def _published_size(published: Published, name: str, space: str, dataset: str) -> PublishedValue | None:
    """That of the network for the dataset, for digits for what they stand in for. In order of preference: the authors'
    own cells before those of re-runs and transfers; a status better than recalled; the order of the file."""
    found = published.values(name, space, DATASET_OF_PROXY.get(dataset, dataset), "params_millions")
    return min(found, key=lambda value: (value.protocol not in ("", "direct"), value.recalled), default=None)


def _seconds(value: float) -> str:
    """Three digits at least, e.g. `0.0123 s`, `10,890 s`."""
    return f"{value:,.0f} s" if value >= 100 else f"{value:.3g} s"
