"""What searches end with: every accuracy with its mean and an interval, and shares of searches by regret."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from harness.report.curves import Floats
from harness.report.figures.style import (
    PANEL_WIDTH,
    REGRET,
    STYLE,
    Look,
    Looks,
    behind,
    counted,
    entitle,
    grid,
    handle,
    legend_below,
    line,
    regret_scale,
)
from harness.report.statistics import interval

_MANY = 30  # searches; more are drawn as a cloud
_RESAMPLES = 2000  # no eye sees more
_FEWEST = 3
"""Of two searches a bootstrap interval says no more than the two points."""


@matplotlib.rc_context(STYLE)
def final(
    finals: pd.DataFrame, columns: Sequence[tuple[str, str]], title: str, looks: Looks, best: Floats | None = None
) -> Figure:
    """Accuracy (%) of each search's cell, a point per seed, their mean and its interval; one panel per column.

    `finals` holds the runs of one group under one selection (`accuracies.final`); `best` (datasets,) the accuracy
    of the best cell, towards which an axis is stretched where a few bad searches would squeeze all others.
    """
    seeds = finals.groupby("method")["key"].nunique()
    methods = [method for method in looks.families if method in seeds]
    labels = [fill(counted(method, seeds[method]), 36) for method in methods]
    row_height = max(0.36, 0.17 * max(text.count("\n") + 1 for text in labels))
    size = (max(5.2, PANEL_WIDTH * len(columns)) + 2, 1.6 + row_height * len(labels))  # 2 for the names
    figure = Figure(figsize=size, layout="constrained")
    entitle(figure, title)
    panels = list(figure.subplots(1, len(columns), squeeze=False)[0])
    for place, (axes, (dataset, split)) in enumerate(zip(panels, columns, strict=True)):
        shown = finals[(finals["dataset"] == dataset) & (finals["split"] == split)]
        groups = {method: rows.to_numpy(dtype=float) for method, rows in shown.groupby("method")["value"]}
        for row, method in enumerate(methods):
            if method in groups:
                _strip(axes, row, groups[method], looks[method])
        axes.set_title(f"{dataset}, {split}")
        axes.set_xlabel("accuracy (%)")
        if best is not None and len(shown):
            _stretch(axes, shown["value"].to_numpy(dtype=float), float(best[place]))
        axes.set_yticks(range(len(labels)), [])
        axes.set_ylim(len(labels) - 0.5, -0.5)
    panels[0].set_yticks(range(len(labels)), labels)
    point = Line2D([], [], color="0.5", marker="o", linestyle="none")
    mean = Line2D([], [], color="black", marker="|", markersize=13, markeredgewidth=1.6, linestyle="none")
    note = "cell of the last epoch or query, after 200 epochs of training"
    entries = [(point, "one search"), (mean, "mean")]
    if seeds.max() >= _FEWEST:
        entries.append((Line2D([], [], color="black", linewidth=2.2), "95 % interval of the mean"))
        note += "; interval: percentile bootstrap, too narrow below 10 searches"
    legend_below(figure, entries, note)
    return figure


@matplotlib.rc_context(STYLE)
def profile(finals: pd.DataFrame, columns: Sequence[tuple[str, str]], best: Floats, title: str, looks: Looks) -> Figure:
    """Performance profile: the share of searches (%) whose cell has at most a regret, for every regret (points).

    Dolan and Moré, "Benchmarking optimization software with performance profiles" (2002), with regret in place of
    a ratio. `finals` as for `final`; `best` (datasets,) are the accuracies from which regret is counted.
    """
    drawn = grid(looks.rows(finals["method"]), len(columns), title)
    worst = float((finals["value"].groupby([finals["dataset"], finals["split"]]).agg(np.ptp)).max())
    for place, (dataset, split) in enumerate(columns):
        shown = finals[(finals["dataset"] == dataset) & (finals["split"] == split)]
        for method, values in shown.groupby("method")["value"]:
            taus, shares = _shares(best[place] - values.to_numpy(dtype=float), max(100.0, worst))
            for row, axes in drawn.column(place):
                if method in row.methods:
                    line(axes, taus, shares, looks[str(method)], step=True)
                else:
                    behind(axes, taus, shares, step=True)
    for panels in drawn.panels:
        for axes in panels:
            regret_scale(axes, "x")
            axes.set_xlim(0, 100)
            axes.set_ylim(-3, 103)
    titles = [f"{dataset}, {split}" for dataset, split in columns]
    drawn.label(
        titles, "regret τ: best cell's accuracy\nminus that of the cell found (points)", "searches with regret ≤ τ (%)"
    )
    seeds = finals.groupby("method")["key"].nunique()
    entries = [[(handle(looks[name]), counted(name, seeds[name])) for name in row.methods] for row in drawn.rows]
    drawn.legend(entries, f"higher and further left is better; cell of the last epoch or query; {REGRET}")
    return drawn.figure


def _shares(regrets: Floats, end: float) -> tuple[Floats, Floats]:
    """The steps of the share (%) of regrets up to tau, from tau = 0 to the end of the axis."""
    taus = np.sort(np.maximum(regrets, 0))
    shares = 100 * np.arange(1, len(taus) + 1) / len(taus)
    return np.concatenate([[0], taus, [end]]), np.concatenate([[100 * (taus <= 0).mean()], shares, [100]])


def _strip(axes: Axes, row: int, values: Floats, look: Look) -> None:
    """Points of one method, spread over the row so that equal values stay visible, on a line at their mean."""
    many = len(values) > _MANY
    height = 0.3 if many else 0.2
    spread = np.linspace(-height, height, len(values)) if len(values) > 1 else np.zeros(len(values))
    if many:  # in no order of the seeds, lest chance look like a trend
        spread = np.random.default_rng(0).permutation(spread)
    axes.plot(
        values,
        row + spread,
        look.marker,
        color=look.color,
        alpha=max(0.2, min(0.75, 15 / len(values))),
        markersize=3 if many else 4.5,
        markeredgewidth=0,
        rasterized=many,
    )
    axes.plot([values.mean()] * 2, [row - 0.38, row + 0.38], color="black", linewidth=1.6, zorder=3 if many else 1)
    if len(values) >= _FEWEST:
        ends = interval(values[:, None], resamples=_RESAMPLES)
        axes.plot(ends, [row, row], color="black", linewidth=2.2, solid_capstyle="butt", zorder=3)


def _stretch(axes: Axes, values: Floats, best: float) -> None:
    """Where the middle half of all values takes up a small part of the axis, give regret a logarithmic scale."""
    lower, upper = np.quantile(values, [0.25, 0.75])
    if upper - lower > np.ptp(values) / 6 or np.ptp(values) < 5:
        return
    room = best + 0.3  # so that the best cell itself lies on the axis

    def forward(x: Floats) -> Floats:
        stretched: Floats = -np.log10(np.maximum(room - x, 1e-3))
        return stretched

    def back(x: Floats) -> Floats:
        accuracy: Floats = room - np.power(10.0, -x)
        return accuracy

    axes.set_xscale("function", functions=(forward, back))
    axes.set_xlim(max(0, values.min() - 3), best + 0.05)
    rounded = [round(best - 1), round(best - 3), 5 * round((best - 10) / 5), 5 * round((best - 30) / 5)]
    ticks = [best, *(tick for tick in rounded if tick > values.min())]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.1f}".removesuffix(".0"))
    axes.set_xlabel("accuracy (%), stretched towards the best")
