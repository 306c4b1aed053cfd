"""Operation weights over the whole search, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from textwrap import fill

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.report.curves import Floats
from harness.report.figures.page import HEIGHT, fitting, label_below, page
from harness.report.figures.style import STYLE, counted, label

_NAMED = 40  # lines of a map; of more, the operations cannot be named one by one
_COLUMNS = 5
_WIDTH, _GAP, _TITLE = 1.85, 0.12, 0.58  # inches of a map and between maps; the last with a title and ticks
_NAME_SIZE = 6.0
_BAR = 0.9  # inches beside the maps


@dataclass(frozen=True)
class Map:
    """Mean operation weights over the searches of one method."""

    method: str
    searches: int
    theta: Floats
    """(epochs, edges, operations)"""
    operations: tuple[str, ...]


@matplotlib.rc_context(STYLE | {"axes.grid": False})
def weights(maps: Sequence[Map], edges: Sequence[str], title: str) -> Figure:
    """A map per method: a line per edge and operation, epochs to the right. `edges` are the names of all its edges."""
    lines = max(len(edges) * len(one.operations) for one in maps)
    height = max(1.0, 0.092 * lines if lines <= _NAMED else 0.15 * len(edges))
    all_rows = ceil(len(maps) / _COLUMNS)
    shown = maps[: _COLUMNS * fitting([height + _TITLE] * all_rows, HEIGHT - 0.4)]
    rows = ceil(len(shown) / _COLUMNS)
    columns = ceil(len(shown) / rows)
    names = [_names(edges, one.operations) for one in shown]
    left = 0.2 + max(len(text) for of_map in names for text in of_map) * 0.6 * _NAME_SIZE / 72
    width = left + max(2.6, _WIDTH * columns + _GAP * (columns - 1)) + _BAR
    note = _note(maps, shown, lines)
    drawn = page(width, height * rows + _TITLE * (rows - 1), title, note, above=0.24, below=0.48)
    panels = drawn.panels(rows, columns, left, _BAR, (_GAP, _TITLE))
    highest = max(float(one.theta.max()) for one in maps)
    for place, (axes, one) in enumerate(zip(panels.flat, shown, strict=False)):
        _draw(axes, one, highest)
        named = place % columns == 0 or names[place] != names[place - 1]
        _name(axes, names[place] if named else [], len(edges), len(one.operations))
        if place + columns >= len(shown):
            label_below(axes, "search epoch")
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    _bar(drawn.figure, panels, [len(one.operations) for one in shown])
    return drawn.figure


def _draw(axes: Axes, one: Map, highest: float) -> None:
    epochs, edges, operations = one.theta.shape
    # An image, which stays one object in vector files: seaborn's heat map is a shape per epoch and operation.
    axes.imshow(
        one.theta.reshape(epochs, -1).T,
        aspect="auto",
        interpolation="nearest",
        vmin=0,
        vmax=highest,
        extent=(0.5, epochs + 0.5, edges * operations, 0),
    )
    axes.set_title(fill(counted(one.method, one.searches), 30), size=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))


def _names(edges: Sequence[str], operations: Sequence[str]) -> list[str]:
    """Of every line if there is room, otherwise of every edge."""
    if len(edges) * len(operations) > _NAMED:
        return list(edges)
    return [
        label(f"{edge}  {operation}" if at == 0 else operation)
        for edge in edges
        for at, operation in enumerate(operations)
    ]


def _name(axes: Axes, names: Sequence[str], edges: int, operations: int) -> None:
    """White lines part the edges."""
    lines = edges * operations
    axes.hlines(np.arange(1, edges) * operations, *axes.get_xlim(), color="white", linewidth=0.8)
    count = len(names) or 1
    axes.set_yticks((np.arange(len(names)) + 0.5) * lines / count, names, size=_NAME_SIZE)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _note(maps: Sequence[Map], shown: Sequence[Map], lines: int) -> str:
    parts = []
    if lines > _NAMED:
        operations = max((one.operations for one in shown), key=len)
        parts.append(f"lines of an edge, from the top: {', '.join(operations)}")
    if len(shown) < len(maps):
        parts.append(f"the first {len(shown)} of {len(maps)} methods")
    return "; ".join(parts)


def _bar(figure: Figure, panels: Floats, operations: Sequence[int]) -> None:
    width, height = figure.get_size_inches()
    right, top = panels[0, -1].get_position().x1, panels[0, 0].get_position().y1
    length = min(2.5 / height, top - panels[-1, 0].get_position().y0)
    image = panels[0, 0].images[0]
    bar = figure.colorbar(image, cax=figure.add_axes((right + 0.15 / width, top - length, 0.12 / width, length)))
    bar.set_label("operation weight θ, mean over n searches")
    for uniform in sorted({1 / count for count in operations}):
        bar.ax.axhline(uniform, color="white", linewidth=1.2)
        bar.ax.annotate("uniform", (0, uniform), (-2, 0), textcoords="offset points", ha="right", va="center", size=6,
                        rotation=90)  # fmt: skip
