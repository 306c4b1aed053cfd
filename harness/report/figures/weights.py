"""Operation weights over the whole search, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.report.curves import Curves
from harness.report.figures.style import STYLE, counted, entitle, legend_below

_NAMED = 40  # rows of a map; of more, the operations cannot be named line by line
_COLUMNS = 5


@matplotlib.rc_context(STYLE | {"axes.grid": False})
def weights(curves: Sequence[Curves], edges: Sequence[str], operations: Sequence[Sequence[str]], title: str) -> Figure:
    """Mean operation weights over the searches: a map per method, a line per edge and operation, epochs to the right.

    `operations` are the names of each method's candidates, `edges` those of the edges that all of them have.
    """
    rows = ceil(len(curves) / _COLUMNS)
    columns = ceil(len(curves) / rows)
    lines = max(len(edges) * len(names) for names in operations)
    height = 0.102 * lines if lines <= _NAMED else 6.0
    figure = Figure(figsize=(1.6 + 2.0 * columns, 1.3 + (height + 0.45) * rows), layout="constrained")
    entitle(figure, title)
    panels = figure.subplots(rows, columns, squeeze=False)
    means = [method.theta.mean(axis=0, dtype=float) for method in curves]  # (T, E, K)
    highest = max(float(mean.max()) for mean in means)
    image = None
    for place, axes in enumerate(panels.flat):
        if place >= len(curves):
            axes.set_visible(False)
            continue
        image = axes.imshow(
            means[place].reshape(len(means[place]), -1).T,
            aspect="auto",
            interpolation="nearest",
            vmin=0,
            vmax=highest,
            extent=(0.5, len(means[place]) + 0.5, len(edges) * len(operations[place]), 0),
        )
        named = place % columns == 0 or operations[place] != operations[place - 1]
        _name(axes, edges, operations[place], named)
        method = curves[place]
        axes.set_title(fill(counted(method.method, len(method.theta)), 30), size=8)
        if place + columns >= len(curves):
            axes.set_xlabel("search epoch")
    assert image is not None
    bar = figure.colorbar(image, ax=panels, shrink=min(1.0, 3 / figure.get_figheight()), aspect=25)
    bar.set_label("operation weight θ (mean over n searches)")
    if lines > _NAMED:
        names = max(operations, key=len)
        legend_below(figure, [], f"lines of an edge, from the top: {', '.join(names)}")
    return figure


def _name(axes: Axes, edges: Sequence[str], operations: Sequence[str], named: bool) -> None:
    """Name every line if there is room, otherwise every edge; white lines part the edges."""
    k = len(operations)
    for edge in range(1, len(edges)):
        axes.axhline(edge * k, color="white", linewidth=0.8)
    if len(edges) * k <= _NAMED:
        places = np.arange(len(edges) * k) + 0.5
        names = [
            f"{edge}  {operation}" if at == 0 else operation
            for edge in edges
            for at, operation in enumerate(operations)
        ]
    else:
        places = (np.arange(len(edges)) + 0.5) * k
        names = list(edges)
    axes.set_yticks(places, names if named else [], size=6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))
    for spine in axes.spines.values():
        spine.set_visible(False)
