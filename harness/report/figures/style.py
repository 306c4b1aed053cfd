"""One style for every figure: looks, panels, legends, and what to do with more methods than an eye can follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from math import ceil
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

from harness.report.curves import Floats
from harness.report.render.wording import printable

STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 3.4,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "figure.titlesize": 10,
    "image.cmap": "cividis",  # as good in grey
}

# Okabe and Ito's palette without its yellow, which is lost on white. Markers and dashes tell methods apart in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "<", ">", "*")
_DASHES = ("-", "--", "-.", ":")

MOST = 8
"""Methods that one panel tells apart; of more, each family gets a row of panels, the others grey behind it."""

PANEL_WIDTH, PANEL_HEIGHT = 3.2, 2.5  # inches
_ROW_HEIGHT = 1.9  # of one row among several, unless its legend is higher
_LETTERS = 34  # to a line of a legend beside panels
_BEHIND: Any = {"color": "0.85", "linewidth": 0.8, "zorder": 1}

FEW = 20
"""Of fewer searches, all of them are drawn in place of a quantile or an interval."""

MIDDLE = f"middle 90 % of the searches (of fewer than {FEW}: smallest to largest)"
INTERVAL = f"95 % interval of the mean (of fewer than {FEW} searches: smallest to largest)"


class Look(NamedTuple):
    color: str
    marker: str
    linestyle: str


class Row(NamedTuple):
    """Methods that share a row of panels."""

    title: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class Looks:
    """How each method of a group is drawn, in every figure of that group, and beside which others."""

    families: Mapping[str, str]
    """Method -> family, in the order of the leaderboard."""

    def __getitem__(self, method: str) -> Look:
        return self._looks[method]

    @property
    def _looks(self) -> dict[str, Look]:
        # Family by family, so that the looks of methods in one panel differ as much as they can.
        ordered = [method for row in _by_family(self.families) for method in row.methods]
        return dict(zip(ordered, map(Look, cycle(_COLOURS), cycle(_MARKERS), cycle(_DASHES)), strict=False))

    def rows(self, methods: Iterable[str]) -> list[Row]:
        """`methods` as rows of at most `MOST`: all together, or else by family."""
        shown = set(methods)
        present = {method: family for method, family in self.families.items() if method in shown}
        return [Row("", tuple(present))] if len(present) <= MOST else _by_family(present)


def _by_family(families: Mapping[str, str]) -> list[Row]:
    sizes = {family: list(families.values()).count(family) for family in families.values()}
    merged = {method: family if sizes[family] > 1 else "others" for method, family in families.items()}
    rows = []
    for family in dict.fromkeys(sorted(merged.values(), key=lambda family: family == "others")):
        methods = [method for method in merged if merged[method] == family]
        rows += [Row(family, tuple(methods[start : start + MOST])) for start in range(0, len(methods), MOST)]
    return rows


# Panels ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """A figure with a row of panels for each row of methods, and a column for each thing shown."""

    figure: Figure
    rows: Sequence[Row]
    panels: Sequence[Sequence[Axes]]

    def column(self, place: int) -> Iterator[tuple[Row, Axes]]:
        return zip(self.rows, (panels[place] for panels in self.panels), strict=True)

    def label(self, titles: Sequence[str], x: str, y: str) -> None:
        """Titles above the columns; axis labels at the outer edges only."""
        for axes, title in zip(self.panels[0], titles, strict=True):
            axes.set_title(title)
        for axes in self.panels[-1]:
            axes.set_xlabel(x)
        for panels in self.panels:
            panels[0].set_ylabel(y, size=9 if len(self.panels) == 1 else 8)

    def legend(self, handles: Sequence[Sequence[tuple[Line2D, str]]], note: str) -> None:
        """What the lines of each row are: below a single row, beside each of several; the note below all."""
        if len(self.rows) == 1:
            legend_below(self.figure, handles[0], note)
            return
        highest = 0.0
        for row, panels, entries in zip(self.rows, self.panels, handles, strict=True):
            labels = [fill(text, _LETTERS) for _, text in entries]
            highest = max(highest, 0.35 + sum(0.06 + 0.135 * (text.count("\n") + 1) for text in labels))  # inches
            panels[-1].legend(
                [line for line, _ in entries],
                labels,
                title=fill(row.title, _LETTERS),
                loc="center left",
                bbox_to_anchor=(1.02, 0.5),
                alignment="left",
            )
        more = max(0.0, highest - _ROW_HEIGHT) * len(self.rows)
        self.figure.set_figheight(self.figure.get_figheight() + more)
        legend_below(self.figure, [], f"{note}. Pale grey: the methods of the other rows")


def grid(rows: Sequence[Row], columns: int, title: str, sharey: Any = "col") -> Grid:
    """A figure of panels without content; panels of one column have the same axes."""
    height = PANEL_HEIGHT if len(rows) == 1 else _ROW_HEIGHT * len(rows)
    width = max(5.2, PANEL_WIDTH * columns) + (0 if len(rows) == 1 else 2.0)
    figure = Figure(figsize=(width, height + 0.7), layout="constrained")
    entitle(figure, title)
    panels = figure.subplots(len(rows), columns, squeeze=False, sharex="col", sharey=sharey)
    return Grid(figure, rows, [list(row) for row in panels])


def entitle(figure: Figure, title: str) -> None:
    """A title above the panels, on as many lines as it needs at the figure's width."""
    text = fill(label(title), int(figure.get_figwidth() * 72 / 6.4))  # points a letter takes on average
    figure.set_figheight(figure.get_figheight() + 0.18 * text.count("\n"))
    figure.suptitle(text)


def legend_below(figure: Figure, entries: Sequence[tuple[Line2D, str]], note: str) -> None:
    """Below the panels, where it covers nothing."""
    letters = int(figure.get_figwidth() * 72 / 4.4)  # points a letter takes on average, with some room
    labels = [text for _, text in entries]
    columns = max(1, min(len(labels), letters // (max(map(len, labels), default=0) + 10)))
    rows = ceil(len(labels) / columns)
    title = fill(note, letters)
    figure.set_figheight(figure.get_figheight() + 0.18 * (rows + title.count("\n") + 1))
    legend = figure.legend(
        [line for line, _ in entries],
        labels,
        loc="outside lower center",
        ncols=max(1, ceil(len(labels) / max(1, rows))),
        title=title,
    )
    legend.get_title().set_multialignment("center")


# Lines ----------------------------------------------------------------------------------------------------------------


def band(axes: Axes, x: Floats, ends: tuple[Floats, Floats], look: Look, methods: int, step: bool = False) -> None:
    """From low to high, fainter among many methods."""
    steps: Any = {"step": "post"} if step else {}
    axes.fill_between(x, *ends, color=look.color, alpha=min(0.15, 0.75 / methods), lw=0, **steps)


def line(axes: Axes, x: Floats, y: Floats, look: Look, step: bool = False) -> None:
    every = max(1, len(x) // 8)
    shift = _MARKERS.index(look.marker) % every  # markers of curves that coincide stand side by side
    axes.plot(x, y, **look._asdict(), markevery=(shift, every), drawstyle="steps-post" if step else "default")


def behind(axes: Axes, x: Floats, y: Floats, step: bool = False) -> None:
    """A method that another row of panels is about."""
    axes.plot(x, y, **_BEHIND, drawstyle="steps-post" if step else "default")


def middle(values: Floats) -> tuple[Floats, Floats]:
    """The ends of the middle 90 % of (n, ...) values; of fewer than `FEW` the smallest and the largest."""
    low, high = np.quantile(values, [0.05, 0.95], axis=0, method="inverted_cdf")
    return low, high


def mean_interval(values: Floats) -> tuple[Floats, Floats]:
    """The ends of the normal 95 % interval of the mean of (n, ...) values; of fewer than `FEW` smallest and largest."""
    if len(values) < FEW:
        return values.min(axis=0), values.max(axis=0)
    half = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return values.mean(axis=0) - half, values.mean(axis=0) + half


def handle(look: Look) -> Line2D:
    return Line2D([], [], **look._asdict())


def counted(method: str, n: int) -> str:
    return f"{label(method)} (n\xa0=\xa0{n})"  # no break within the brackets


def time_scale(axes: Axes, first: float, last: float) -> None:
    """Seconds, logarithmic; more ticks where there are few powers of ten between the first and the last."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if last < 300 * first else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _plain(value: float, _: object) -> str:
    """1,000 rather than a power of ten: read at once, and drawn many times faster than a formula."""
    return f"{value:,g}" if value < 1e6 else f"{value:.0e}"


REGRET_TICKS = (0, 0.1, 0.3, 1, 3, 10, 30, 100)
REGRET = "regret counts from the best cell that was looked up in the table"


def regret_scale(axes: Axes, which: str) -> None:
    """Logarithmic for regrets in percentage points, but linear below 0.1, so that the best cell itself has a place."""
    getattr(axes, f"set_{which}scale")("symlog", linthresh=0.1, linscale=0.5)
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(FixedLocator(REGRET_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def label(text: str) -> str:
    """Text that matplotlib draws as it is: it would read formulas between dollars and hide labels that begin with _."""
    text = printable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
