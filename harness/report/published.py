"""Published results, and the choice of the one shown next to a result of ours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

COLUMNS = [
    "method",
    "registry_name",
    "family",
    "space",
    "task",
    "metric",
    "split",
    "mean",
    "std",
    "std_status",
    "ddof",
    "n",
    "protocol",
    "searched_on",
    "status",
    "budget",
    "cell",
    "fitted",
    "source",
    "note",
]

UNCERTAIN = "uncertain"
STATUSES = {
    "seen": "read in the source named",
    "decoded": "read off a curve in a figure",
    "derived": "computed from other published numbers or the benchmark's table",
    "recalled": "quoted from memory and not verified, marked †",
    UNCERTAIN: "doubtful, and never shown",
}
"""How a published number is known."""

PROTOCOLS = {
    "": "protocol not stated",
    "direct": "searched on the dataset itself",
    "transfer": "searched on another dataset",
    "best-of-n": "best of several searches",
    "rerun-by-others": "search repeated by others",
    "retrained-by-others": "cell retrained by others",
    "reference": "no search",
}
"""What a published number is of; a protocol that is not listed stands for itself."""


@dataclass(frozen=True)
class PublishedValue:
    """One published number: accuracies and errors in percent, costs in the unit named by the metric."""

    registry_name: str
    space: str
    dataset: str
    metric: str
    split: str
    """Empty if the source does not say."""
    mean: float
    rounding: float
    """Half a unit of the last printed digit of the mean."""
    std: float
    """As printed; NaN if it was not."""
    n: int | None
    protocol: str
    """One of `PROTOCOLS`."""
    searched_on: str
    status: str
    """One of `STATUSES`."""
    source: str
    std_recalled: bool
    ddof: int | None = None
    """Of the standard deviation; None if the source does not say."""
    cells: tuple[str, ...] = ()
    """For a standard deviation of zero: the architectures that the value decodes to, which are equal in it."""
    fitted: tuple[str, ...] = ()
    """Settings of ours whose defaults were fitted to this value: it cannot be reproduced with them."""
    budget: bool = False
    """Whether a cost is a time budget given to the method rather than a measured time."""

    @property
    def sample_std(self) -> float:
        """The standard deviation with ddof 1. Where ddof is not stated it is taken as 0, which gives the larger value:
        no verdict then rests on too small a spread."""
        if self.n is None or self.n < 2 or self.ddof == 1:
            return self.std
        return self.std * math.sqrt(self.n / (self.n - 1))

    @property
    def recalled(self) -> bool:
        """Whether the value or its standard deviation is quoted from memory."""
        return self.status == "recalled" or self.std_recalled

    @property
    def printed(self) -> str:
        """The mean with as many digits as in its source."""
        return f"{self.mean:.{round(-math.log10(2 * self.rounding))}f}"

    @property
    def experiment(self) -> str:
        """What the number is of, in words."""
        return PROTOCOLS.get(self.protocol, self.protocol)

    @property
    def evidence(self) -> str:
        """The status, followed by that of the standard deviation if it is worse."""
        return f"{self.status}, std recalled" if self.std_recalled else self.status


class Published:
    """The published values of registered methods."""

    def __init__(self, values: Iterable[PublishedValue]) -> None:
        self._values: dict[tuple[str, str, str, str], list[PublishedValue]] = defaultdict(list)
        for value in values:
            if value.status != UNCERTAIN:
                self._values[value.registry_name, value.space, value.dataset, value.metric].append(value)

    def values(self, registry_name: str, space: str, dataset: str, metric: str) -> list[PublishedValue]:
        """All published values except uncertain ones, in file order."""
        return list(self._values.get((registry_name, space, dataset, metric), []))

    def of_method(self, registry_name: str, space: str, metrics: Iterable[str]) -> list[PublishedValue]:
        """Values of the given metrics on all datasets, by dataset, then in the order of `metrics`."""
        datasets = dict.fromkeys(key[2] for key in self._values if key[:2] == (registry_name, space))
        pairs = [(dataset, metric) for dataset in datasets for metric in metrics]
        return [value for dataset, metric in pairs for value in self.values(registry_name, space, dataset, metric)]

    def choose(
        self, registry_name: str, space: str, dataset: str, metric: str, split: str, searched_on: str
    ) -> PublishedValue | None:
        """The value to print next to ours, or None. Uncertain values are never used.

        Values of another metric are never shown: a validation accuracy is not next to a test accuracy. Preferred are,
        in this order: the same split; a status better than recalled; the nearest protocol; the earlier row of the
        file. The nearest protocol is ours (direct: searched on the dataset itself; transfer: searched on another) with
        our search dataset, then ours with another search dataset, then the other of the two, then any (best of
        several, re-runs by others and the like).
        """
        candidates = self._values.get((registry_name, space, dataset, metric), [])
        protocol = "direct" if dataset == searched_on else "transfer"

        def preference(value: PublishedValue) -> tuple[bool, bool, int]:
            steps = [
                value.protocol == protocol and value.searched_on == searched_on,
                value.protocol == protocol,
                value.protocol in ("direct", "transfer"),
                True,
            ]
            return value.split != split, value.status == "recalled", steps.index(True)

        return min(candidates, key=preference, default=None)


def load(path: Path) -> Published:
    """Read a CSV file of published results. Raises OSError if it cannot be read, ValueError if it is malformed."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False).fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a table of published results: {error}") from error
    if list(frame.columns) != COLUMNS:
        raise ValueError(f"{path}: expected the columns {','.join(COLUMNS)}, got {','.join(frame.columns)}")
    values = []
    for number, row in enumerate(frame.to_dict("records"), start=1):
        try:
            value = _value(row)
        except ValueError as error:
            raise ValueError(f"{path}: row {number} ({row['method']}): {error}") from error
        if value.registry_name:
            values.append(value)
    return Published(values)


def _value(row: dict[Any, str]) -> PublishedValue:
    if row["status"] not in STATUSES:
        raise ValueError(f"unknown status {row['status']!r}, expected one of {', '.join(STATUSES)}")
    decimals = len(row["mean"].partition(".")[2])
    return PublishedValue(
        registry_name=row["registry_name"],
        space=row["space"],
        dataset=row["task"],
        metric=row["metric"],
        split=row["split"],
        mean=_number(row, "mean"),
        rounding=0.5 * 10.0**-decimals,
        std=_number(row, "std") if row["std"] else math.nan,
        n=int(_number(row, "n")) if row["n"] else None,
        protocol=row["protocol"],
        searched_on=row["searched_on"],
        status=row["status"],
        source=row["source"],
        std_recalled=_flag(row, "std_status", "recalled"),
        ddof=_ddof(row["ddof"]),
        cells=tuple(row["cell"].split()),
        fitted=tuple(row["fitted"].split()),
        budget=_flag(row, "budget", "yes"),
    )


def _flag(row: dict[Any, str], column: str, value: str) -> bool:
    if row[column] not in ("", value):
        raise ValueError(f"{column}={row[column]!r} is neither empty nor {value!r}")
    return row[column] == value


def _ddof(text: str) -> int | None:
    if text not in ("", "0", "1"):
        raise ValueError(f"ddof={text!r} is neither 0 nor 1")
    return int(text) if text else None


def _number(row: dict[Any, str], column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0 or (column == "n" and (number < 1 or number != int(number))):
        raise ValueError(f"{column}={row[column]!r} is not a number that {column} can be")
    return number
