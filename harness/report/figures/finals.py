"""Final results of searches: accuracies with mean and interval, and performance profiles by regret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import nan
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from harness.report.curves import Floats
from harness.report.figures.page import GAP, HEIGHT, RIGHT, fitting, grid, label_below, page
from harness.report.figures.style import REGRET, STYLE, Looks, behind, counted, handle, label, line, regret_scale
from harness.report.statistics import BOOTSTRAP_RUNS, mean_interval

_MANY = 30  # searches; more are drawn as a cloud of small transparent points
_FEWEST = 3
"""Minimum number of searches for an interval: a t interval of two is 12.7 times as wide as the points are apart."""

_POINTS, _MEAN, _JITTER = -0.18, 0.26, 0.2
"""Of the line of a method, which is 1 high: where its points and its mean are, and how far the points are spread."""

_WIDTH = 2.9  # inches of a panel
_LETTERS = 38  # letters per line of a method's name
_NAME_SIZE = 8.0


@matplotlib.rc_context(STYLE)
def final(
    scores: Mapping[str, Floats],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    best: Floats | None = None,
    evaluation: str = "",
) -> Figure:
    """Accuracy (%) of each search's cell as a point per seed, with mean and interval; one panel per column.

    Args:
        scores: (n, columns) accuracies of the searches of each method, %; NaN where unknown.
        columns: (dataset, split) pairs.
        best: (columns,) accuracies of the best cell; an axis is stretched towards it where a few bad searches would
            compress all others.
        evaluation: how accuracies were obtained, e.g. "after 200 epochs of training".
    """
    methods = [method for method in looks.families if method in scores]
    labels = [fill(counted(method, len(scores[method])), _LETTERS) for method in methods]
    heights = [max(0.24, 0.14 * (text.count("\n") + 1) + 0.06) for text in labels]
    kept = fitting(heights, HEIGHT - 1.2)
    note = ", ".join(filter(None, ["final cell", evaluation]))
    if len(methods) > kept:
        note += f"; the first {kept} of {len(methods)} methods"
    methods, labels, height = methods[:kept], labels[:kept], max(heights[:kept])
    height = min(max(height, 0.3), (HEIGHT - 1.2) / kept)
    if max(len(scores[method]) for method in methods) >= _FEWEST:
        note += f"; 95 % interval of the mean: t, percentile bootstrap for n ≥ {BOOTSTRAP_RUNS}"
    left = 0.3 + max(len(text) for label in labels for text in label.split("\n")) * 0.55 * _NAME_SIZE / 72
    width = left + max(3.6, _WIDTH * len(columns) + GAP * (len(columns) - 1) / 2) + RIGHT
    result = page(width, height * kept, title, note, _key(scores, methods), 0.2)
    panels = result.panels(1, len(columns), left, RIGHT, (GAP / 2, 0))[0]
    for column, (axes, (dataset, split)) in enumerate(zip(panels, columns, strict=True)):
        shown = {method: _known(scores[method][:, column]) for method in methods}
        axes.set_title(label(f"{dataset}, {split}"))
        _strips(axes, shown, looks)
        stretched = best is not None and _stretch(axes, np.concatenate(list(shown.values())), float(best[column]))
        axes.set_ylabel("")
        label_below(axes, "accuracy (%), log scale of regret" if stretched else "accuracy (%)")
        axes.set_yticks(range(kept), labels if axes is panels[0] else [], size=_NAME_SIZE)
        axes.set_ylim(kept - 0.5, -0.5)
    return result.figure


@matplotlib.rc_context(STYLE)
def profile(
    scores: Mapping[str, Floats], columns: Sequence[tuple[str, str]], best: Floats, title: str, looks: Looks
) -> Figure:
    """Performance profile: the share of searches (%) whose cell has at most a regret, for every regret (points).

    Dolan and Moré, "Benchmarking optimization software with performance profiles" (2002), with regret in place of
    a ratio. `scores` are as for `final`; `best` (columns,) are the accuracies of the best cell, the reference of
    regret.
    """
    rows = looks.rows(scores)
    entries = [[(handle(looks[name]), counted(name, len(scores[name]))) for name in row.methods] for row in rows]
    note = f"higher and further left is better; final cell; {REGRET}"
    x = "regret τ (points)"
    titles = [f"{dataset}, {split}" for dataset, split in columns]
    drawn = grid(rows, entries, titles, title, note, x, "searches with\nregret ≤ τ (%)")
    for column in range(len(columns)):
        known = {method: _known(values[:, column]) for method, values in scores.items()}
        steps = {method: _shares(best[column] - values, 100.0) for method, values in known.items() if len(values)}
        for row, axes in drawn.column(column):
            behind(axes, [shares for method, shares in steps.items() if method not in row.methods], step=True)
            for method in row.methods:
                if method in steps:
                    line(axes, *steps[method], looks[method], step=True)
    for panels in drawn.panels:
        for axes in panels:
            regret_scale(axes, "x")
            axes.set_xlim(0, 100)
            axes.set_ylim(-3, 103)
    return drawn.figure


def _known(values: Floats) -> Floats:
    known: Floats = values[~np.isnan(values)]
    return known


def _shares(regrets: Floats, end: float) -> tuple[Floats, Floats]:
    """Step function (taus, shares in %) of the share of regrets up to tau, from tau = 0 to the end of the axis."""
    taus = np.sort(np.maximum(regrets, 0))
    shares = 100 * np.arange(1, len(taus) + 1) / len(taus)
    return np.concatenate([[0], taus, [end]]), np.concatenate([[100 * (taus <= 0).mean()], shares, [100]])


def _key(scores: Mapping[str, Floats], methods: Sequence[str]) -> list[tuple[Line2D, str]]:
    point = Line2D([], [], color="0.5", marker="o", linestyle="none")
    mean = Line2D([], [], color="black", marker="|", markersize=7, markeredgewidth=1.6, linestyle="none")
    entries = [(point, "one search"), (mean, "mean")]
    if max(len(scores[method]) for method in methods) >= _FEWEST:
        entries.append((Line2D([], [], color="black", linewidth=1.8), "95 % interval of the mean"))
    return entries


def _strips(axes: Axes, groups: Mapping[str, Floats], looks: Looks) -> None:
    """Draw the points of each method, jittered so that equal values stay visible, and below them, so that they hide
    none, their mean and its interval."""
    import seaborn

    longest = max(map(len, groups.values()))
    order, palette = list(groups), {method: looks[method].color for method in groups}
    for many in (False, True):
        drawn = {method: values for method, values in groups.items() if len(values) and (len(values) > _MANY) == many}
        if not drawn:
            continue
        data = {
            "value": np.concatenate(list(drawn.values())),
            "method": np.repeat(list(drawn), [len(values) for values in drawn.values()]),
        }
        common = {"data": data, "x": "value", "y": "method", "order": order, "orient": "h", "ax": axes}
        clouds = len(axes.collections)
        with _seeded():
            seaborn.stripplot(
                **common,
                hue="method",
                palette={method: palette[method] for method in drawn},
                legend=False,
                jitter=_JITTER,
                size=3 if many else 4.5,
                alpha=max(0.2, 15 / longest) if many else 0.75,
                rasterized=many,
            )
        for points in axes.collections[clouds:]:
            points.set_offsets(np.asarray(points.get_offsets()) + np.array([0, _POINTS]))
        lines = len(axes.lines)
        seaborn.pointplot(
            **common, color="black", linestyle="none", marker="|", markersize=7, markeredgewidth=1.6,
            errorbar=_interval, err_kws={"linewidth": 1.8, "solid_capstyle": "butt"}, zorder=4,
        )  # fmt: skip
        for mark in axes.lines[lines:]:
            mark.set_ydata(np.asarray(mark.get_ydata()) + _MEAN)


@contextmanager
def _seeded() -> Iterator[None]:
    """Make the jitter reproducible: seaborn draws it from NumPy's global generator, whose state is restored."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)


def _interval(values: Floats) -> tuple[float, float]:
    """As in the comparisons of means, but no further than an accuracy can be."""
    if len(values) < _FEWEST:
        return nan, nan
    accuracies = np.asarray(values)[:, None]
    found = mean_interval(accuracies, np.zeros_like(accuracies), paired=True)
    return (max(0.0, found.low), min(100.0, found.high)) if found else (nan, nan)


def _stretch(axes: Axes, values: Floats, best: float) -> bool:
    """Use a logarithmic scale of regret if the middle half of all values takes up only a small part of the axis.

    Returns whether the axis was stretched.
    """
    if not len(values):
        return False
    lower, upper = np.quantile(values, [0.25, 0.75])
    if upper - lower > np.ptp(values) / 6 or np.ptp(values) < 5:
        return False
    limit = max(best, values.max()) + 0.3  # keeps the best cell itself on the axis

    def forward(x: Floats) -> Floats:
        stretched: Floats = -np.log10(np.maximum(limit - x, 1e-3))
        return stretched

    def back(x: Floats) -> Floats:
        accuracy: Floats = limit - np.power(10.0, -x)
        return accuracy

    axes.set_xscale("function", functions=(forward, back))
    first, last = forward(np.array([values.min(), best]))
    axes.set_xlim(max(0, float(back(first - 0.04 * (last - first)))), max(best, values.max()) + 0.05)
    rounded = [round(best - 1), round(best - 3), 5 * round((best - 10) / 5), 5 * round((best - 30) / 5)]
    ticks = [best, *(tick for tick in rounded if tick > values.min())]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.1f}".removesuffix(".0"))
    return True
