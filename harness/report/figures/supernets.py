"""Whether the supernet ranks cells as training them does."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isnan, nan
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats  # type: ignore[import-untyped]

from harness.report.curves import Curves, Floats
from harness.report.figures.style import PANEL_WIDTH, STYLE, counted, entitle, legend_below

_COLUMNS = 4
_MANY = 1000  # points; more are drawn as an image in vector files


@matplotlib.rc_context(STYLE)
def supernet(curves: Sequence[Curves], place: int, column: tuple[str, str], title: str) -> Figure:
    """Validation accuracy of the supernet against accuracy of the cell that it stands for, a point per epoch and seed.

    One panel per method, with the rank correlations over the epochs of a search, mean over its searches. `place` is
    that of `column`, (dataset, split), among the accuracies of `curves`; all of them have a supernet accuracy.
    """
    rows = ceil(len(curves) / _COLUMNS)
    columns = ceil(len(curves) / rows)
    size = (max(5.2, 1.0 + 0.75 * PANEL_WIDTH * columns), 1.2 + 2.1 * rows)
    figure = Figure(figsize=size, layout="constrained")
    entitle(figure, title)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    longest = max(2, *(method.supernet.shape[1] for method in curves))
    points = None
    for axes, method in zip(panels.flat, curves, strict=False):
        accuracy = method.accuracy[:, :, place]
        epochs = np.broadcast_to(np.arange(1, accuracy.shape[1] + 1), accuracy.shape)
        points = axes.scatter(
            method.supernet.ravel(),
            accuracy.ravel(),
            c=epochs.ravel(),  # flat: three or four columns would be taken for colours
            s=14,
            vmin=1,
            vmax=longest,
            alpha=0.8,
            linewidths=0,
            rasterized=accuracy.size > _MANY,
        )
        rho, tau = correlations(method.supernet, accuracy)
        name = fill(counted(method.method, len(accuracy)), 32)
        axes.set_title(f"{name}\nSpearman ρ {_signed(rho)}, Kendall τ {_signed(tau)}", size=8)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    for axes in panels.flat[max(0, len(curves) - columns) : len(curves)]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("validation accuracy\nof the supernet (%)", size=8)
    dataset, split = column
    for axes in panels[:, 0]:
        axes.set_ylabel(f"accuracy of the epoch's cell\non {dataset}, {split} (%)", size=8)
    assert points is not None
    bar = figure.colorbar(points, ax=panels, shrink=min(1.0, 3 / figure.get_figheight()), aspect=25)
    bar.locator = MaxNLocator(integer=True)
    bar.set_label("search epoch")
    note = "ρ, τ: rank correlation over the epochs of a search, mean over the n searches where it is defined"
    legend_below(figure, [], note)
    return figure


def correlations(supernet: Floats, accuracy: Floats) -> tuple[float, float]:
    """Spearman's rho and Kendall's tau-b over the epochs of (searches, epochs) values, mean over the searches in which
    neither side is constant; NaN if there is none."""
    defined = [(x, y) for x, y in zip(supernet, accuracy, strict=True) if np.ptp(x) and np.ptp(y)]
    if not defined:
        return nan, nan
    found = [(stats.spearmanr(x, y).statistic, stats.kendalltau(x, y).statistic) for x, y in defined]
    rho, tau = np.mean(found, axis=0)
    return float(rho), float(tau)


def _signed(value: float) -> str:
    return "–" if isnan(value) else f"{value:+.2f}".replace("-", "−")
