"""Operation weights over the whole search, as heat maps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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

_NAMED = 40  # maximum number of lines of a map whose operations are labelled individually
_COLUMNS = 5
_WIDTH, _GAP, _TICKS, _LINE = 1.85, 0.12, 0.3, 0.13  # inches: of a map, between two, of its ticks, of a line above it
_NAME_SIZE = 6.0
_BAR = 0.9  # inches to the right of the maps for the colour bar


@dataclass(frozen=True)
class Map:
    """Mean operation weights over the searches of one method."""

    method: str
    searches: int
    theta: Floats
    """(epochs, R, K) mean operation weights."""
    options: Sequence[tuple[str, ...]]
    """(R,) names of the options of each choice."""

    @property
    def lines(self) -> Floats:
        """(epochs, lines): the weights of all options of the first choice, then of the second, ..."""
        rows = self.theta.transpose(1, 0, 2)
        return np.concatenate([row[:, : len(names)] for row, names in zip(rows, self.options, strict=True)], axis=1)

    @property
    def ends(self) -> Floats:
        """(R,) index after the last line of each choice."""
        return np.cumsum([len(names) for names in self.options])


@matplotlib.rc_context(STYLE | {"axes.grid": False})
def weights(maps: Sequence[Map], rows: Sequence[str], title: str, groups: Mapping[str, slice] | None = None) -> Figure:
    """Heat map per method with a line per choice and option and a column per epoch.

    `rows` are the names of the choices; `groups` are named slices of them, which the note explains.
    """
    lines = max(int(one.ends[-1]) for one in maps)
    height = max(2.0, 0.092 * lines if lines <= _NAMED else 0.15 * len(rows))
    all_rows = ceil(len(maps) / _COLUMNS)
    titles = [fill(counted(one.method, one.searches), 30) for one in maps]
    above = 0.1 + _LINE * max(title.count("\n") + 1 for title in titles)
    gap = _TICKS + above
    shown = maps[: _COLUMNS * fitting([height + gap] * all_rows, HEIGHT - 0.4)]
    panel_rows = ceil(len(shown) / _COLUMNS)
    columns = ceil(len(shown) / panel_rows)
    names = [_names(rows, one) for one in shown]
    left = 0.2 + max(len(text) for of_map in names for text in of_map) * 0.6 * _NAME_SIZE / 72
    width = left + max(2.6, _WIDTH * columns + _GAP * (columns - 1)) + _BAR
    note = _note(maps, shown, lines, groups or {})
    drawn = page(width, height * panel_rows + gap * (panel_rows - 1), title, note, above=above, below=0.48)
    panels = drawn.panels(panel_rows, columns, left, _BAR, (_GAP, gap))
    highest = max(float(one.theta.max()) for one in maps)
    for index, (axes, one) in enumerate(zip(panels.flat, shown, strict=False)):
        _draw(axes, one, titles[index], highest)
        named = index % columns == 0 or names[index] != names[index - 1]
        _name(axes, names[index] if named else [], one.ends)
        if index + columns >= len(shown):
            label_below(axes, "search epoch")
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    _bar(drawn.figure, panels, {len(names) for one in shown for names in one.options})
    return drawn.figure


def _draw(axes: Axes, one: Map, title: str, highest: float) -> None:
    epochs, lines = one.lines.shape
    # An image remains a single object in vector files; seaborn's heat map has a shape per epoch and operation.
    axes.imshow(
        one.lines.T,
        aspect="auto",
        interpolation="nearest",
        vmin=0,
        vmax=highest,
        extent=(0.5, epochs + 0.5, lines, 0),
    )
    axes.set_title(title, size=7.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))


def _names(rows: Sequence[str], one: Map) -> list[str]:
    """Labels of all lines if there is room, otherwise of the choices."""
    if one.ends[-1] > _NAMED:
        return list(rows)
    return [
        label(f"{row}  {option}" if at == 0 else option)
        for row, names in zip(rows, one.options, strict=True)
        for at, option in enumerate(names)
    ]


def _name(axes: Axes, names: Sequence[str], ends: Floats) -> None:
    """Separate the choices by white lines and label the lines or choices."""
    axes.hlines(ends[:-1], *axes.get_xlim(), color="white", linewidth=0.8)
    starts = np.append(0, ends[:-1])
    middles = (starts + ends) / 2 if len(names) == len(ends) else np.arange(ends[-1]) + 0.5
    axes.set_yticks(middles if len(names) else [], names, size=_NAME_SIZE)
    axes.tick_params(axis="y", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _note(maps: Sequence[Map], shown: Sequence[Map], lines: int, groups: Mapping[str, slice]) -> str:
    parts = []
    if len(groups) > 1:
        sizes = [f"{rows.stop - rows.start} {name}" for name, rows in groups.items()]
        parts.append(f"rows from the top: {', '.join(sizes)}")
    if lines > _NAMED:
        options = max((names for one in shown for names in one.options), key=len)
        parts.append(f"lines of each row: {', '.join(options)}")
    if len(shown) < len(maps):
        parts.append(f"the first {len(shown)} of {len(maps)} methods")
    return "; ".join(parts)


def _bar(figure: Figure, panels: Floats, lengths: Collection[int]) -> None:
    """Add the colour bar; the uniform weight is marked for each number of options in `lengths`."""
    width, height = figure.get_size_inches()
    right, top = panels[0, -1].get_position().x1, panels[0, 0].get_position().y1
    length = min(2.5 / height, top - panels[-1, 0].get_position().y0)
    image = panels[0, 0].images[0]
    bar = figure.colorbar(image, cax=figure.add_axes((right + 0.15 / width, top - length, 0.12 / width, length)))
    bar.set_label("operation weight θ, mean over n searches")
    for uniform in sorted({1 / count for count in lengths}):
        bar.ax.axhline(uniform, color="white", linewidth=1.2)
        if len(lengths) > 2:  # the marks lie too close for their names
            continue
        bar.ax.annotate("uniform", (0, uniform), (-2, 0), textcoords="offset points", ha="right", va="center", size=6,
                        rotation=90)  # fmt: skip
