"""Rank correlation of training-free scores with the accuracy."""

from __future__ import annotations

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from harness.report.figures.page import label_below, page
from harness.report.figures.style import STYLE


@matplotlib.rc_context(STYLE)
def correlation(found: pd.DataFrame, title: str) -> Figure:
    """A panel per dataset and split; `found` as `harness.report.training_free.correlations` has it."""
    panels = list(found.groupby(["dataset", "split"], sort=False))
    scores = list(dict.fromkeys(found["score"]))
    cells = ", ".join(f"{n:,}" for n in sorted(set(found["n"])))
    note = f"point: Spearman's rank correlation over {cells} random cells; bar: 95 % interval, cells resampled"
    width = max(5.4, 1.2 + 2.1 * len(panels))
    drawn = page(width, 0.35 + 0.22 * len(scores), title, note)
    axes_of_panels = drawn.panels(1, len(panels), 0.95, 0.15, (0.2, 0), sharey=True)[0]
    for axes, ((dataset, split), group) in zip(axes_of_panels, panels, strict=True):
        by_score = group.set_index("score").reindex(scores)
        ends = [by_score["spearman"] - by_score["low"], by_score["high"] - by_score["spearman"]]
        axes.errorbar(by_score["spearman"], range(len(scores)), xerr=ends, fmt="o", color="#0072B2", elinewidth=1.4)
        axes.axvline(0, color="0.5", linewidth=0.8, zorder=1)
        axes.set_title(f"{dataset}, {split}")
        axes.set_yticks(range(len(scores)), scores)
        axes.set_ylim(len(scores) - 0.5, -0.5)
        low, high = found["low"].min(), found["high"].max()
        axes.set_xlim(min(-0.05, low - 0.05), max(1.0, high + 0.05))
        label_below(axes, "rank correlation")
    return drawn.figure
