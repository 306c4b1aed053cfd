"""The claims of results/README.md, computed from the reference results: each is a comparison that
`python -m harness compare` makes.
"""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from harness.report.groups import Group
from harness.report.sentences import Comparison
from tests.report.reference import BLACK_BOXES, DIGITS, NAMES, RETRAINED, SMALL, compared, interval, p


class Claim(NamedTuple):
    text: str
    group: Group
    first: str
    second: str
    expected: int
    """1: the first is ahead, -1: it is behind."""
    datasets: tuple[str, ...]


EVERY = ("cifar10", "cifar100", "imagenet16-120")
SAME_OBJECTIVE = "(ERM) is ahead of `darts-erm`, which has the same objective"
CLAIMS = [
    Claim("local search is ahead of evolution", BLACK_BOXES, "local-search", "regularized-evolution", 1, EVERY),
    Claim("random search is ahead of BOHB", BLACK_BOXES, "random-search", "bohb", 1, ("cifar10",)),
    Claim("GAEA DARTS (ERM) is ahead of DARTS", DIGITS, "gaea-darts-erm", "darts", 1, ("cifar10",)),
    Claim("GAEA DARTS (bilevel) is ahead of DARTS", DIGITS, "gaea-darts-bilevel", "darts", 1, ("cifar10",)),
    Claim(SAME_OBJECTIVE, DIGITS, "gaea-darts-erm", "darts-erm", 1, ("cifar10",)),
    Claim(
        "(bilevel) is ahead of `gd-simplex` with the same initial step size",
        *(DIGITS, "gaea-darts-bilevel", "gd-simplex [lr=0.025]", 1, ("cifar10",)),
    ),
    Claim("GAEA DARTS (ERM) is ahead of DARTS", SMALL, "gaea-darts-erm", "darts", 1, EVERY),
    Claim("GAEA DARTS (bilevel) is behind DARTS", SMALL, "gaea-darts-bilevel", "darts", -1, EVERY),
    Claim(SAME_OBJECTIVE, SMALL, "gaea-darts-erm", "darts-erm", 1, ("cifar10",)),
    Claim("GAEA DARTS (ERM) is ahead of DARTS", RETRAINED, "gaea-darts-erm", "darts", 1, ("digits",)),
    Claim("GAEA PC-DARTS is ahead of PC-DARTS", RETRAINED, "gaea-pc-darts", "pc-darts", 1, ("digits",)),
    Claim("GAEA DARTS (ERM) is ahead of a random cell", RETRAINED, "gaea-darts-erm", "random-cell", 1, ("digits",)),
]
TITLES = {
    BLACK_BOXES: "Black-box methods, {} searches each",
    DIGITS: "Digits proxy, {} searches each",
    SMALL: "CIFAR-10 images, small, {} searches each",
    RETRAINED: "DARTS space, digits proxy, {} searches each",
}


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
    if verdict == "shown" and found.noise and abs(found.mean) < found.noise:
        verdict += f"; below the training noise of {found.noise:.2f}"
    return f"| {text} | {found.mean:+.2f} | {interval(found)} | {p(found.corrected)} | {verdict} |"
