"""When a number counts as reproduced: an arithmetic rule, in code and in words."""

from __future__ import annotations

import math

from harness.report.published import PublishedValue

NOT_PUBLISHED = "no published value"

RULE = (
    "reproduced: |ours - published| <= 2 sqrt(s^2/n + s_p^2/n_p) + r, with the standard deviations s and s_p, the"
    " numbers of searches n and n_p, and r half a unit of the last printed digit of the published mean; differs:"
    " otherwise; spread unknown: a standard deviation or a number of searches is missing; not comparable: another"
    " split, another search dataset, another profile than paper, changed settings, or not the cell of the last epoch."
    " s is the sample standard deviation (ddof 1), s_p is taken as printed (GAEA prints ddof 0)."
)


def comparable(
    published: PublishedValue, *, profile: str, searched_on: str, selection: str, metric: str, split: str, usual: bool
) -> bool:
    """Whether ours and the published value measure the same thing.

    `usual`: ours has the method's usual configuration. The same search dataset makes both direct or both transfers.
    """
    return (
        profile == "paper"
        and selection == "last"
        and usual
        and published.protocol in ("direct", "transfer")
        and published.searched_on == searched_on
        and (published.metric, published.split) == (metric, split)
    )


def judge(mean: float, std: float, n: int, published: PublishedValue | None, is_comparable: bool) -> str:
    """The verdict on our mean (%) over n searches with sample standard deviation `std` (NaN for one search)."""
    if published is None:
        return NOT_PUBLISHED
    if not is_comparable:
        return "not comparable"
    if published.n is None or math.isnan(published.std) or math.isnan(std):
        return "spread unknown"
    bound = 2 * math.sqrt(std**2 / n + published.std**2 / published.n) + published.rounding
    # The last term is far below the resolution of any accuracy: it only keeps ties from falling to float error.
    return "reproduced" if abs(mean - published.mean) <= bound + 1e-9 else "differs"
