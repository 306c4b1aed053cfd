"""The evidence behind every number of the leaderboard, compact enough to embed in the page.

Searches are stored as columns, sorted by configuration and seed; values that many of them share are stored once and
referred to by index. All texts of the page are generated here: its script only combines them on demand.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.report.content import Report
from harness.report.render.tables import rows_of
from harness.report.site import board, methods
from harness.report.site.numbers import REGRET, Numbers
from harness.report.site.pools import Pools
from harness.report.site.searches import LISTED, MEASURED, Searches
from harness.report.verdict import SIGNS


def collect(report: Report) -> dict[str, Any]:
    """All data of the page's script, as JSON-compatible values."""
    pools = Pools(report.graphs)
    searches = Searches(report, pools)
    rows = Numbers(report, searches, pools)
    cited = iter(report.cited)
    numbers = [(ours, None if pd.isna(ours.published) else next(cited)) for ours in rows_of(report.leaderboard)]
    lines = [rows.line(ours) for ours, _ in numbers]
    filters, facets = board.filters(lines)
    blocks, block_indices = board.blocks(lines)
    page_rows = [
        {**rows.row(*number), "blocks": indices, "facets": pools.index("facets", choices)}
        for number, indices, choices in zip(numbers, block_indices, facets, strict=True)
    ]
    return {
        "row": list(page_rows[0]) if page_rows else [],
        "rows": [list(row.values()) for row in page_rows],
        "columns": board.described(),
        "blocks": blocks,
        "filters": filters,
        "signs": SIGNS,
        "methods": methods.described(report, searches),
        "configurations": searches.configurations,
        "searches": searches.columns,
        "retrainings": rows.retrainings,
        "ranks": rows.ranks(),
        "regret": REGRET,
        "settings": methods.SETTINGS,
        "measured": MEASURED,
        "listed": LISTED,
        **pools.values(),
    }
