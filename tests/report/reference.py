"""The reference results for the tables of results/README.md: their rows by short name, and comparisons among them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pandas as pd

from harness.experiment.merge import ForeignStore
from harness.experiment.registry import built_in
from harness.installation import PUBLISHED
from harness.report import Report, comparison, gather
from harness.report.groups import Group
from harness.report.sentences import Comparison

ROOT = Path(__file__).parents[2]
NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120", "digits": "digits"}

BLACK_BOXES = Group("nasbench201", "paper", "cifar10")
DIGITS = Group("nasbench201", "quick", "digits")
SMALL = Group("nasbench201", "controlled", "cifar10")
RETRAINED = Group("darts", "quick", "digits")
SHARED = ("cells=1", "channels=8", "epochs=25", "images=10000 of 50000@6ddc6052", "mean of 2 trials", "protocol v2")
"""Details that all rows of a group have, or of that group's black boxes."""


@cache
def reference() -> ForeignStore:
    return ForeignStore(ROOT / "results" / "reference")


@cache
def report() -> Report:
    return gather(reference(), list(built_in()), PUBLISHED)


def runs(group: Group) -> pd.DataFrame:
    """The runs of a group, with those of controls that see no data."""
    placed = report().placed
    return placed[(placed[["space", "profile", "searched_on"]] == list(group)).all(axis=1)]


@cache
def labels(group: Group) -> Mapping[str, str]:
    """The rows of a group in the order of the leaderboard: short name -> label."""
    found = set(runs(group)["method"])
    return {short(label): label for label in report().methods if label in found}


def short(label: str) -> str:
    """Without the version, and without what all rows of a group share."""
    name, _, details = label.rstrip("]").partition(" [")
    rest = [each for each in details.split(", ") if each and each not in SHARED]
    return name.partition(" v")[0] + (f" [{', '.join(rest)}]" if rest else "")


@cache
def compared(
    group: Group, first: str, others: tuple[str, ...], paired: bool = False
) -> Mapping[tuple[str, str], Comparison]:
    """The first method against others of its group on the test split, by short name and dataset."""
    rows = labels(group)
    found = comparison.compare(report(), [rows[first], *(rows[name] for name in others)], paired=paired)
    return {
        (short(each.second), each.dataset): each
        for each in found.comparisons
        if each.group == group and each.split.partition(",")[0] in ("test", "x-test")
    }


# As text -------------------------------------------------------------------------------------------------------------


def interval(found: Comparison) -> str:
    return "–" if found.interval is None else "[{:.2f}, {:.2f}]".format(*found.interval)


def p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}" if value < 1 else "1"
