"""Agreement between the supernet's validation accuracy and the accuracy of trained cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, isnan, nan
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.report.curves import Curves, Floats
from harness.report.figures.page import HEIGHT, LEFT, page
from harness.report.figures.style import STYLE, counted, label

_COLUMNS = 5
_WIDTH, _HEIGHT, _GAP, _TICKS, _LINE = 1.75, 1.35, 0.14, 0.17, 0.125  # inches
_BAR = 0.85  # inches to the right of the panels for the colour bar
_MANY = 1000  # maximum number of points drawn as vectors; more are rasterized


@dataclass(frozen=True)
class Agreement:
    """Supernet and cell accuracy of one method's searches after every epoch, and their rank correlations."""

    method: str
    supernet: Floats
    """(n, epochs) validation accuracy of the supernet, %."""
    accuracy: Floats
    """(n, epochs) accuracy of the derived cell, %."""
    rho: float
    tau: float
    """Rank correlations over the epochs of a search, mean over the searches; NaN if none is defined."""


def agreement(curves: Curves, column: int) -> Agreement:
    """Agreement of curves that have a supernet accuracy; `column` is the index of the (dataset, split) pair."""
    accuracy = curves.accuracy[:, :, column]
    return Agreement(curves.method, curves.supernet, accuracy, *correlations(curves.supernet, accuracy))


@matplotlib.rc_context(STYLE)
def supernet(methods: Sequence[Agreement], column: tuple[str, str], title: str, absent: Sequence[str] = ()) -> Figure:
    """Accuracy of the derived cell against validation accuracy of the supernet, a point per epoch and seed.

    One panel per method, with its rank correlations; `column` is (dataset, split) of the accuracies. The note names the
    single-level methods, which are `absent`.
    """
    names = [fill(counted(method.method, len(method.accuracy)), 30) for method in methods]
    above = 0.07 + _LINE * max(name.count("\n") + 2 for name in names)
    gap = _TICKS + above
    shown = methods[: _COLUMNS * int((HEIGHT - 0.6) / (_HEIGHT + gap))]
    rows = ceil(len(shown) / _COLUMNS)
    columns = ceil(len(shown) / rows)
    note = (
        "point: one epoch of one search; ρ, τ: Spearman's and Kendall's rank correlation over the epochs of a search,"
    )
    note += " mean over the searches where it is defined"
    if absent:
        note += f". Not drawn: {', '.join(absent)}, whose single-level searches train on all images and hold none out"
    if len(shown) < len(methods):
        note += f"; the first {len(shown)} of {len(methods)} methods"
    width = LEFT + max(3.0, _WIDTH * columns + _GAP * (columns - 1)) + _BAR
    body = _HEIGHT * rows + gap * (rows - 1)
    drawn = page(width, body, title, note, above=above)
    panels = drawn.panels(rows, columns, LEFT, _BAR, (_GAP, gap), sharex=True, sharey=True)
    longest = max(2, *(method.supernet.shape[1] for method in shown))
    points = [_panel(*one, longest) for one in zip(panels.flat, shown, names, strict=False)]
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    for axes in panels.flat[len(shown) - columns : len(shown)]:
        axes.tick_params(labelbottom=True)
    _around(drawn.figure, panels, points[-1], column, drawn.bottom)
    return drawn.figure


def _panel(axes: Axes, method: Agreement, name: str, longest: int) -> PathCollection:
    epochs = np.broadcast_to(np.arange(1, method.accuracy.shape[1] + 1), method.accuracy.shape)
    axes.set_title(f"{name}\nρ {_signed(method.rho)}, τ {_signed(method.tau)}", size=7.5, linespacing=1.1)
    return axes.scatter(
        method.supernet.ravel(),
        method.accuracy.ravel(),
        c=epochs.ravel(),  # flattened, since rows of 3 or 4 values would be read as colours
        s=12,
        vmin=1,
        vmax=longest,
        alpha=0.8,
        linewidths=0,
        rasterized=method.accuracy.size > _MANY,
    )


def _around(figure: Figure, panels: Floats, points: PathCollection, column: tuple[str, str], bottom: float) -> None:
    """Add shared axis labels and the colour bar of the epochs."""
    width, height = figure.get_size_inches()
    top, low = panels[0, 0].get_position().y1, panels[-1, 0].get_position().y0
    left, right = panels[0, 0].get_position().x0, panels[0, -1].get_position().x1
    dataset, split = column
    figure.supylabel(
        f"accuracy of the derived cell\non {label(dataset)}, {split} (%)",
        x=0.1 / width,
        y=(top + low) / 2,
        size=9,
        ma="center",
    )
    below = (bottom - 0.25) / height
    figure.text((left + right) / 2, below, "validation accuracy of the supernet (%)", ha="center", va="top", size=9)
    length = min(2.5 / height, top - low)
    bar = figure.colorbar(points, cax=figure.add_axes((right + 0.15 / width, top - length, 0.12 / width, length)))
    bar.locator = MaxNLocator(integer=True)
    bar.set_label("search epoch")


def correlations(supernet: Floats, accuracy: Floats) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b over the epochs of (searches, epochs) values, averaged over the searches in
    which neither is constant; NaN if there are none."""
    from scipy import stats  # type: ignore[import-untyped]

    defined = [(x, y) for x, y in zip(supernet, accuracy, strict=True) if np.ptp(x) and np.ptp(y)]
    if not defined:
        return nan, nan
    coefficients = [(stats.spearmanr(x, y).statistic, stats.kendalltau(x, y).statistic) for x, y in defined]
    rho, tau = np.mean(coefficients, axis=0)
    return float(rho), float(tau)


def _signed(value: float) -> str:
    return "–" if isnan(value) else f"{value:+.2f}".replace("-", "−")
