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
    "last": "final cell",
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
        space = (self.benchmark.title if self.benchmark else "") or self.space
        return f"{space}, {self.profile} profile, searched on {self.searched_on}"

    @property
    def proxy(self) -> str:
        """Name of the proxy that the searches of this group are; empty for full experiments."""
        if self.searched_on in PROXIES:
            return f"{self.searched_on} proxy"
        return "quick proxy" if self.profile == "quick" else ""

    @property
    def label(self) -> str:
        """Suffix that marks every number of a proxy; otherwise empty."""
        return f" ({self.proxy})" if self.proxy else ""

    @property
    def labelled_title(self) -> str:
        """The title with the label."""
        return self.title + self.label

    @property
    def protocol(self) -> str:
        """Protocol of the searches, or the kind of proxy."""
        protocols = {
            "controlled": "all methods under one full-size protocol, except for the overrides in brackets",
            "paper": "each method under its own published protocol",
        }
        return self.proxy or protocols.get(self.profile, f"{self.profile} profile")

    @property
    def search(self) -> str:
        """Size and dataset of the searches."""
        if self.searched_on in PROXIES:
            return f"small searches on 8x8 {self.searched_on}"
        return f"{'small searches' if self.proxy else 'searches'} on {self.searched_on}"

    @property
    def evaluation(self) -> str:
        """Where the accuracies of the final cells come from."""
        if self.benchmark is None:
            return "cells evaluated by the space or retrained from scratch"
        if self.benchmark.recipes():
            return "cells retrained from scratch"
        own = f" or retrained on {self.searched_on}" if self.searched_on.startswith("external:") else ""
        return f"cells looked up on each dataset{own}"

    @property
    def sentence(self) -> str:
        """Description of the numbers of this group."""
        return f"{self.protocol}: {self.search}, {self.evaluation}"

    @property
    def file_name(self) -> str:
        return re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(self))


def in_order(values: Iterable[str], order: Sequence[str]) -> list[str]:
    """Each value once: those that `order` names in its order, then the others alphabetically."""
    rank = {value: index for index, value in enumerate(order)}
    return sorted(set(values), key=lambda value: (rank.get(value, len(rank)), value))
