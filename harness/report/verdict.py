"""The rule by which a published number counts as reproduced, in code and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.report.published import PublishedValue

NOT_PUBLISHED = "no published value"
NOT_COMPARABLE = "not comparable"

SIGNS = {"reproduced": "✓", "differs": "✗", "spread unknown": "?", NOT_COMPARABLE: "≠", NOT_PUBLISHED: ""}
"""Sign of each verdict, in the order in which the page counts and sorts them."""

RULE = (
    "reproduced: |ours - published| <= 2 sqrt(s^2/n + s_p^2/n_p) + r, with the standard deviations s and s_p, the"
    " numbers of searches n and n_p, and r half a unit of the last printed digit of the published mean; differs:"
    " otherwise; spread unknown: a standard deviation or a number of searches is missing; not comparable: another"
    " split, another search dataset or a subset of it, another profile than paper, overrides, external or modified"
    " code, an unverified table, or not the cell of the last epoch. Precision does not prevent a comparison."
    " s is the sample standard deviation (ddof 1), s_p is taken as printed (GAEA prints ddof 0)."
)


class Obstacle(NamedTuple):
    """A reason why our value is not comparable with a published one."""

    aspect: str
    """"protocol", "searched on", "cell", "split" or "source"."""
    reason: str


def obstacles(
    published: PublishedValue,
    *,
    deviations: Sequence[str],
    searched_on: str,
    selection: str,
    dataset: str,
    metric: str,
    split: str,
) -> tuple[Obstacle, ...]:
    """All reasons why our value is not comparable with a published one; empty if it is comparable.

    `deviations` are those of our configuration from a published experiment (`config.deviations`). Direct searches and
    transfers need no separate check: with equal search datasets, both values are of the same kind.
    """
    reasons = [Obstacle("protocol", reason) for reason in deviations]
    if published.protocol not in ("direct", "transfer"):
        reasons.append(Obstacle("protocol", f"published protocol: {published.protocol or 'not stated'}"))
    if published.searched_on != searched_on:
        other = published.searched_on or "a dataset not stated"
        reasons.append(Obstacle("searched on", f"published search on {other}"))
    if selection != "last":
        reasons.append(Obstacle("cell", "not the cell of the last epoch"))
    if (published.dataset, published.metric, published.split) != (dataset, metric, split):
        images = f"{published.dataset}, {published.split or 'a split not stated'}"
        reasons.append(Obstacle("split", f"published {published.metric.replace('_', ' ')} on {images}"))
    return tuple(reasons)


def judge(mean: float, std: float, n: int, published: PublishedValue | None, is_comparable: bool) -> str:
    """Apply `RULE` to our mean (%) over n searches with sample standard deviation `std` (NaN for one search)."""
    if published is None:
        return NOT_PUBLISHED
    if not is_comparable:
        return NOT_COMPARABLE
    if published.n is None or math.isnan(published.std) or math.isnan(std):
        return "spread unknown"
    bound = 2 * math.sqrt(std**2 / n + published.std**2 / published.n) + published.rounding
    # 1e-9 is far below the resolution of accuracies; it keeps floating-point errors from deciding ties.
    return "reproduced" if abs(mean - published.mean) <= bound + 1e-9 else "differs"
