"""The claims of results/README.md, computed from the reference results: each is a comparison that
`python -m harness compare` makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

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


class Claim(NamedTuple):
    text: str
    group: Group
    first: str
    second: str
    expected: int
    """1: the first is ahead, -1: it is behind."""
    datasets: tuple[str, ...]


EVERY = ("cifar10", "cifar100", "imagenet16-120")
CLAIMS = [
    Claim("local search is ahead of evolution", BLACK_BOXES, "local-search", "regularized-evolution", 1, EVERY),
    Claim("random search is ahead of BOHB", BLACK_BOXES, "random-search", "bohb", 1, ("cifar10",)),
    Claim("GAEA DARTS (ERM) is ahead of DARTS", DIGITS, "gaea-darts-erm", "darts", 1, ("cifar10",)),
    Claim("GAEA DARTS (bilevel) is ahead of DARTS", DIGITS, "gaea-darts-bilevel", "darts", 1, ("cifar10",)),
    Claim("because of its geometry: (ERM) against `darts-erm`", DIGITS, "gaea-darts-erm", "darts-erm", 1, ("cifar10",)),
    Claim(
        "... (bilevel) against `gd-simplex` with an equal first step",
        *(DIGITS, "gaea-darts-bilevel", "gd-simplex [lr=0.025]", 1, ("cifar10",)),
    ),
    Claim("GAEA DARTS (ERM) is ahead of DARTS", SMALL, "gaea-darts-erm", "darts", 1, EVERY),
    Claim("GAEA DARTS (bilevel) is behind DARTS", SMALL, "gaea-darts-bilevel", "darts", -1, EVERY),
    Claim("(ERM) against `darts-erm`: the update matters", SMALL, "gaea-darts-erm", "darts-erm", 1, ("cifar10",)),
    Claim("GAEA DARTS (ERM) is ahead of DARTS", RETRAINED, "gaea-darts-erm", "darts", 1, ("digits",)),
    Claim("GAEA PC-DARTS is ahead of PC-DARTS", RETRAINED, "gaea-pc-darts", "pc-darts", 1, ("digits",)),
    Claim("GAEA DARTS (ERM) is ahead of a random cell", RETRAINED, "gaea-darts-erm", "random-cell", 1, ("digits",)),
]
TITLES = {
    BLACK_BOXES: "Black boxes, {} searches each",
    DIGITS: "Digits proxy, {} searches each",
    SMALL: "CIFAR-10 images, small, {} searches each",
    RETRAINED: "DARTS space, digits proxy, {} searches each",
}


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
    found = comparison.compare(report(), [rows[first], *(rows[name] for name in others)], None, paired=paired)
    return {
        (short(each.second), each.dataset): each
        for each in found.comparisons
        if each.group == group and each.split.partition(",")[0] in ("test", "x-test")
    }


# The table -----------------------------------------------------------------------------------------------------------


def claims() -> str:
    lines = ["| claim | estimate | interval | p | verdict |", "|---|---|---|---|---|"]
    for group, found in groupby(CLAIMS, key=lambda claim: claim.group):
        members = list(found)
        n = {each for claim in members for each in evidence(claim, claim.datasets[0]).n}
        lines.append(f"| **{TITLES[group].format(' to '.join(f'{each:,}' for each in sorted(n)))}** | | | | |")
        lines += [row(claim, dataset) for claim in members for dataset in claim.datasets]
    return "\n".join(lines)


def evidence(claim: Claim, dataset: str) -> Comparison:
    return compared(claim.group, claim.first, (claim.second,))[claim.second, dataset]


def row(claim: Claim, dataset: str) -> str:
    found = evidence(claim, dataset)
    where = f" on {NAMES[dataset]}" * (len(claim.datasets) > 1)
    text = f"{claim.text}{where}" if dataset == claim.datasets[0] else f"...{where}"
    verdict = "shown" if found.significant and found.mean * claim.expected > 0 else "not shown"
    if verdict == "shown" and found.noise and abs(found.mean) < found.noise.points:
        verdict += f"; below the training noise of {found.noise.points:.2f}"
    return f"| {text} | {found.mean:+.2f} | {interval(found)} | {p(found.corrected)} | {verdict} |"


def interval(found: Comparison) -> str:
    return "–" if found.interval is None else "[{:.2f}, {:.2f}]".format(*found.interval)


def p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}" if value < 1 else "1"
