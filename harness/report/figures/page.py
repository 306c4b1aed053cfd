"""Figure layout in inches: panels, titles, legends and notes, with a maximum height.

Positions are computed directly instead of by a layout engine, which measures every text several times and takes as
long as drawing the figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.report.figures.style import Row, label

Entry = tuple[Line2D, str]
"""Handle and text of a legend entry."""

HEIGHT = 11.0
"""Maximum height in inches of the panels with their titles and labels; panels that do not fit are left out."""

LEFT, RIGHT, GAP = 0.85, 0.2, 0.5
"""Margins left and right of the panels and gap between two panels, in inches."""

_WIDTH, _ROW_WIDTH = 2.7, 2.4  # width of a panel in figures with one row and with several rows
_ALONE, _ROW, _BETWEEN = 2.3, 1.35, 0.2  # height of a single row, minimum of one among several, space between two
_NARROWEST = 5.4  # minimum width of a figure
_BESIDE = 3.45  # width of the legends next to several rows
_LETTERS = 43  # letters per line of such a legend
_LINE = {10: 0.17, 8: 0.14}  # line height of text by its size in points


@dataclass(frozen=True)
class Page:
    """A figure with its title, note and legend, and room for panels between them."""

    figure: Figure
    top: float
    """Inches above the panels."""
    bottom: float
    """Inches below them."""

    def panels(self, rows: int, columns: int, left: float, right: float, gaps: tuple[float, float], **more: Any) -> Any:
        """A (rows, columns) array of panels with margins and gaps (across, down) in inches.

        `more` is passed to `Figure.subplots`; its `ratios` to the grid specification.
        """
        width, height = self.figure.get_size_inches()
        across = (width - left - right - gaps[0] * (columns - 1)) / columns
        down = (height - self.top - self.bottom - gaps[1] * (rows - 1)) / rows
        margins = {"left": left / width, "right": 1 - right / width}
        margins |= {"top": 1 - self.top / height, "bottom": self.bottom / height}
        margins |= {"wspace": gaps[0] / across, "hspace": gaps[1] / down}
        return self.figure.subplots(
            rows, columns, squeeze=False, gridspec_kw={**margins, **more.pop("ratios", {})}, **more
        )


def page(
    width: float,
    body: float,
    title: str,
    note: str,
    entries: Sequence[Entry] = (),
    above: float = 0.25,
    below: float = 0.5,
) -> Page:
    """A page for panels of `body` inches in height, with room `above` for titles and `below` for ticks and labels."""
    heading, foot = fill(label(title), letters(width, 10)), fill(label(note), letters(width - 0.3, 8))
    entries = [(line, fill(text, letters(width, 8) - 12)) for line, text in entries]
    columns, legend = _legend_shape(entries, width)
    top = 0.13 + _height(heading, 10) + above
    bottom = below + legend + _height(foot, 8) + 0.12
    height = top + body + bottom
    figure = Figure(figsize=(width, height))
    figure.suptitle(heading, y=1 - 0.08 / height, va="top")
    figure.supxlabel(foot, y=0.07 / height, va="bottom", size=8, linespacing=1.2)
    if entries:
        figure.legend(
            [line for line, _ in entries],
            [text for _, text in entries],
            loc="upper center",
            bbox_to_anchor=(0.5, (bottom - below) / height),
            borderaxespad=0,
            borderpad=0,
            ncols=columns,
        )
    return Page(figure, top, bottom)


def label_below(axes: Axes, text: str) -> None:
    """Set the x label at a fixed distance below the axis, which avoids measuring the tick labels."""
    axes.set_xlabel(text)
    figure: Any = axes.figure
    inches = axes.get_position().height * figure.get_figheight()
    axes.xaxis.set_label_coords(0.5, -0.26 / inches)


def letters(width: float, size: float) -> int:
    """Number of letters of `size` points that safely fit on a line of `width` inches."""
    return max(10, int(width * 72 / (0.58 * size)))


def fitting(heights: Sequence[float], room: float = HEIGHT) -> int:
    """Number of leading heights whose sum fits into `room`; at least one."""
    return max(1, sum(total <= room for total in accumulate(heights)))


def _height(text: str, size: int) -> float:
    return _LINE[size] * (text.count("\n") + 1) if text else 0.0


def _legend_shape(entries: Sequence[Entry], width: float) -> tuple[int, float]:
    """Number of columns and height of a legend below the panels."""
    if not entries:
        return 0, 0.0
    texts = [text.split("\n") for _, text in entries]
    fit = letters(width, 8) // (max(len(line) for text in texts for line in text) + 12)
    rows = ceil(len(entries) / max(1, min(fit, len(entries))))
    most = max(map(len, texts))
    return ceil(len(entries) / rows), 0.04 + rows * (0.05 + 0.122 * most)


# Rows of methods ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """A figure with a row of panels per row of methods and a column per dataset or cell type."""

    figure: Figure
    rows: Sequence[Row]
    panels: Sequence[Sequence[Axes]]

    def column(self, index: int) -> Iterator[tuple[Row, Axes]]:
        return zip(self.rows, (panels[index] for panels in self.panels), strict=True)


def grid(
    rows: Sequence[Row],
    entries: Sequence[Sequence[Entry]],
    columns: Sequence[str],
    title: str,
    note: str,
    x: str,
    y: str,
    sharey: bool = True,
) -> Grid:
    """Empty panels with titles and labels; the panels of a column share their x axis and, unless told otherwise, their
    y axis.

    `entries` are the legend entries of each row: below a single row, or to the right of each of several rows. Rows that
    do not fit the page are left out, which the note mentions.
    """
    if len(rows) == 1:
        across = max(_WIDTH * len(columns), _NARROWEST - LEFT - RIGHT - GAP * (len(columns) - 1))
        heights, right = [_ALONE], RIGHT
    else:
        across, right = _ROW_WIDTH * len(columns), _BESIDE
        heights = [max(_ROW, _legend_height(row, row_entries)) for row, row_entries in zip(rows, entries, strict=True)]
        kept = fitting([height + _BETWEEN for height in heights], HEIGHT - 0.8)
        note += ". Light grey: methods of the other rows" if kept > 1 else ""
        note += _left_out(rows[kept:])
        rows, heights = rows[:kept], heights[:kept]
    body = sum(heights) + _BETWEEN * (len(rows) - 1)
    width = LEFT + across + GAP * (len(columns) - 1) + right
    below = 0.44 + 0.17 * x.count("\n")
    result = page(width, body, title, note, entries[0] if right == RIGHT else (), 0.2, below)
    ratios = {"height_ratios": heights}
    panels = result.panels(
        len(rows),
        len(columns),
        LEFT,
        right,
        (GAP, _BETWEEN),
        ratios=ratios,
        sharex="col",
        sharey="col" if sharey else False,
    )
    drawn = Grid(result.figure, rows, [list(row) for row in panels])
    _label(drawn, columns, x, y)
    if right != RIGHT:
        for row, axes, row_entries in zip(rows, panels[:, -1], entries, strict=False):
            _legend_right(row, axes, row_entries)
    return drawn


def _label(drawn: Grid, titles: Sequence[str], x: str, y: str) -> None:
    """Add titles above the columns, labels below them, and one y label for all rows."""
    for axes, title in zip(drawn.panels[0], titles, strict=True):
        axes.set_title(label(title))
    for axes in drawn.panels[-1]:
        label_below(axes, x)
    first, last = drawn.panels[0][0].get_position(), drawn.panels[-1][0].get_position()
    drawn.figure.supylabel(y, x=0.1 / drawn.figure.get_figwidth(), y=(first.y1 + last.y0) / 2, size=9, ma="center")


def _legend_height(row: Row, entries: Sequence[Entry]) -> float:
    lines = [fill(text, _LETTERS).count("\n") + 1 for text in (row.title, *(text for _, text in entries))]
    return 0.15 + sum(0.06 + 0.135 * count for count in lines)


def _legend_right(row: Row, axes: Axes, entries: Sequence[Entry]) -> None:
    axes.legend(
        [line for line, _ in entries],
        [fill(text, _LETTERS) for _, text in entries],
        title=fill(label(row.title), _LETTERS),
        loc="center left",
        bbox_to_anchor=(1.02, 0.5),
        alignment="left",
    )


def _left_out(rows: Sequence[Row]) -> str:
    methods = sum(len(row.methods) for row in rows)
    families = ", ".join(dict.fromkeys(row.title for row in rows))
    return f". Omitted for lack of space: {methods} methods ({families})" if rows else ""
