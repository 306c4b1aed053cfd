"""Runs that may stand in one table: the same space, profile and search dataset. Their names and their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from harness.benchmarks import BENCHMARKS, Benchmark

GROUP = ["space", "profile", "searched_on"]

PROFILE_ORDER = ("paper", "controlled", "quick")
SELECTION_ORDER = ("last", "best-valid")
DATASET_ORDER = tuple(dict.fromkeys(name for known in BENCHMARKS.values() for name in known.dataset_order))
SPLIT_ORDER = tuple(dict.fromkeys(name for known in BENCHMARKS.values() for name in known.split_order))
PROXIES = {proxy: name for known in BENCHMARKS.values() for proxy, name in known.proxies.items()}
"""Datasets that stand in for another one, whose published values are shown next to theirs, named as such."""

SELECTIONS = {
    "last": "cell of the last epoch",
    "best-valid": "cell of the epoch with the best supernet validation accuracy",
}


class Group(NamedTuple):
    space: str
    profile: str
    searched_on: str

    @property
    def benchmark(self) -> Benchmark | None:
        """None: a user's own."""
        return BENCHMARKS.get(self.space)

    @property
    def title(self) -> str:
        return f"{self.space}, {self.profile} profile, searched on {self.searched_on}"

    @property
    def label(self) -> str:
        """What every number of a proxy must carry; else nothing."""
        if self.searched_on in PROXIES:
            return f" ({self.searched_on} proxy)"
        return " (quick proxy)" if self.profile == "quick" else ""

    @property
    def labelled_title(self) -> str:
        """The title with the label."""
        return self.title + self.label

    @property
    def sentence(self) -> str:
        """What the numbers of this group are."""
        if self.benchmark is None:
            trained = "then evaluated as the space does, or trained from scratch"
        else:
            trained = "then trained from scratch" if self.benchmark.recipes() else ""
        if self.searched_on in PROXIES:
            name = self.searched_on
            return f"{name} proxy: cells found on 8x8 {name}, {trained or 'looked up on the real datasets'}"
        if self.profile == "quick":
            then = trained or "looked up on the real datasets"
            return f"quick proxy: cells found by a small search on {self.searched_on}, {then}"
        protocol = {
            "controlled": "every method under the same full-size protocol, save what its name has in brackets",
            "paper": "each method under its own published protocol",
        }.get(self.profile, f"profile {self.profile}")
        return f"{protocol}: cells found on {self.searched_on}, {trained or 'looked up on each dataset'}"

    @property
    def file_name(self) -> str:
        return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(self))


def in_order(values: Iterable[str], order: Sequence[str]) -> list[str]:
    """Each value once: those that `order` names in its order, then the others alphabetically."""
    rank = {value: place for place, value in enumerate(order)}
    return sorted(set(values), key=lambda value: (rank.get(value, len(rank)), value))
