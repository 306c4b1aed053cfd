"""Common style of all figures: looks of methods, lines, bands, scales and escaped text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from harness.report.curves import Floats
from harness.text import printable

STYLE: Any = {
    "font.size": 9,
    "text.parse_math": False,  # names may have dollars
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titley": 1.0,  # fixed, which avoids measuring all ticks at every draw
    "grid.color": "0.9",
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "legend.handlelength": 3.4,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "figure.titlesize": 10,
    "image.cmap": "cividis",  # also readable in greyscale
}

# Okabe and Ito's palette without yellow, which is invisible on white. Markers and dashes distinguish methods in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_OWN_COLOURS = ("#882255", "#999933")
"""Of users' own methods: wine and olive of Tol's palette, which no built-in method has."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "<", ">", "*", "X", "p")
_DASHES = ("-", "--", "-.", ":")
_SHAPES = len(_MARKERS) * len(_DASHES)  # pairs, as the two numbers have no common divisor

MOST = 9
"""Maximum number of methods per panel; with more, each family gets a row of panels with the others grey behind it."""
ROWS = 5
"""With more rows, which a page cannot hold, small families share a row."""

_BEHIND: Any = {"color": "0.85", "linewidth": 0.8, "zorder": 1}

FEW = 20
"""With fewer searches, the full range is drawn instead of quantiles, and no interval of a mean."""

MIDDLE = f"5th to 95th percentile over the searches (fewer than {FEW}: minimum to maximum)"


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
    """Look of each method in all figures of a group, and the rows of panels in which methods are drawn."""

    families: Mapping[str, str]
    """Method -> family, in the order of the leaderboard."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Method -> its name without details; by default itself."""
    places: Sequence[str] = ()
    """Names of the built-in methods. The place of a name is its look in every figure, whichever methods are shown with
    it; the look of another name follows from the name alone."""

    def __getitem__(self, method: str) -> Look:
        return self._looks[method]

    @cached_property
    def _looks(self) -> dict[str, Look]:
        looks: dict[str, Look] = {}
        for method in self._ordered:
            name = self._name(method)
            color, place = self._place(name)
            taken = {look[1:] for look in looks.values()}
            free = [shape for shape in map(_shape, range(place, place + _SHAPES)) if shape not in taken]
            alike = {part for other, look in looks.items() if self._name(other) == name for part in look[1:]}
            clear = [shape for shape in free if not alike & set(shape)]  # in both: the colour is shared
            looks[method] = Look(color, *next(iter(clear or free), _shape(place)))
        return looks

    def _place(self, name: str) -> tuple[str, int]:
        """Colour of a name, and number of its marker and dashes."""
        if name in self.places:
            place = self.places.index(name)
            return _COLOURS[place % len(_COLOURS)], place
        digest = int.from_bytes(sha256(name.encode(errors="backslashreplace")).digest()[:8], "big")
        return _OWN_COLOURS[digest % len(_OWN_COLOURS)], digest

    @property
    def _ordered(self) -> list[str]:
        """First one method of every built-in name, which gets the look of its place. The others give way, with another
        marker and dashes: the same methods with other settings, which share their colour, and users' own."""
        first: dict[str, str] = {}
        for method in self.families:
            name = self._name(method)
            first[name] = method if method == name else first.get(name, method)
        built_in = {first[name] for name in self.places if name in first}
        return sorted(self.families, key=lambda method: method not in built_in)

    def _name(self, method: str) -> str:
        return self.names.get(method, method)

    def rows(self, methods: Iterable[str]) -> list[Row]:
        """Split `methods` into rows of at most `MOST`: a single row if they fit, otherwise by family."""
        shown = set(methods)
        present = {method: family for method, family in self.families.items() if method in shown}
        return [Row("", tuple(present))] if len(present) <= MOST else _by_family(present)


def _shape(place: int) -> tuple[str, str]:
    return _MARKERS[place % len(_MARKERS)], _DASHES[place % len(_DASHES)]


def _by_family(families: Mapping[str, str]) -> list[Row]:
    sizes = {family: list(families.values()).count(family) for family in families.values()}
    merged = {method: family if sizes[family] > 1 else "others" for method, family in families.items()}
    rows = []
    for family in dict.fromkeys(sorted(merged.values(), key=lambda family: family == "others")):
        methods = [method for method in merged if merged[method] == family]
        rows += [Row(family, tuple(methods[start : start + MOST])) for start in range(0, len(methods), MOST)]
    return _packed(rows)


def _packed(rows: list[Row]) -> list[Row]:
    """Join neighbouring rows, the smallest pair first, until `ROWS` are left or no pair has at most `MOST` methods."""
    while len(rows) > ROWS:
        pairs = [Row(f"{a.title}, {b.title}", a.methods + b.methods) for a, b in pairwise(rows)]
        smallest = min(range(len(pairs)), key=lambda index: len(pairs[index].methods))
        if len(pairs[smallest].methods) > MOST:
            break
        rows = [*rows[:smallest], pairs[smallest], *rows[smallest + 2 :]]
    return rows


# Lines ----------------------------------------------------------------------------------------------------------------


def band(axes: Axes, x: Floats, ends: tuple[Floats, Floats], look: Look, methods: int, step: bool = False) -> None:
    """Shade the area between `ends` (low, high), fainter among many methods."""
    steps: Any = {"step": "post"} if step else {}
    axes.fill_between(x, *ends, color=look.color, alpha=min(0.15, 0.75 / methods), lw=0, **steps)


def line(axes: Axes, x: Floats, y: Floats, look: Look, step: bool = False) -> None:
    every = max(1, len(x) // 8)
    shift = _MARKERS.index(look.marker) % every  # separates the markers of coinciding curves
    axes.plot(x, y, **look._asdict(), markevery=(shift, every), drawstyle="steps-post" if step else "default")


def behind(axes: Axes, curves: Sequence[tuple[Floats, Floats]], step: bool = False) -> None:
    """Draw the curves (x, y) of methods in other rows of panels in grey, as a single line with gaps."""
    if curves:
        gap = [np.nan]
        x, y = (np.concatenate([part for curve in curves for part in (curve[at], gap)]) for at in (0, 1))
        axes.plot(x, y, **_BEHIND, drawstyle="steps-post" if step else "default")


def middle(values: Floats) -> tuple[Floats, Floats]:
    """Ends of the middle 90 % of (n, ...) values; for fewer than `FEW` the smallest and the largest value."""
    low, high = np.quantile(values, [0.05, 0.95], axis=0, method="inverted_cdf")
    return low, high


def mean_interval(values: Floats) -> tuple[Floats, Floats]:
    """Ends of the normal 95 % interval of the mean of (n, ...) values, n at least `FEW`."""
    half = 1.96 * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return values.mean(axis=0) - half, values.mean(axis=0) + half


def handle(look: Look) -> Line2D:
    return Line2D([], [], **look._asdict())


def counted(method: str, n: int) -> str:
    return f"{label(method)} (n\xa0=\xa0{n})"  # no break within the brackets


def log_scale(axes: Axes, first: float, last: float) -> None:
    """Logarithmic x axis, with more ticks if it spans few powers of ten."""
    axes.set_xscale("log")
    ticks = {4.0: (1.0, 1.5, 2.0, 3.0, 5.0, 7.0), 30.0: (1.0, 2.0, 5.0), 1000.0: (1.0, 3.0)}
    subs = next((within for ratio, within in ticks.items() if last < ratio * first), (1.0,))
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.xaxis.set_minor_locator(NullLocator())  # minor ticks take half of the drawing time


def _plain(value: float, _: object) -> str:
    """Plain numbers such as 1,000 instead of powers of ten: easier to read, and much faster to draw than formulas."""
    return f"{value:,g}" if value < 1e6 else f"{value:.0e}"


REGRET_TICKS = (0, 0.1, 0.3, 1, 3, 10, 30, 100)
REGRET = "regret: best accuracy of the benchmark minus that of the cell"


def regret_scale(axes: Axes, which: str) -> None:
    """Logarithmic axis of regret in percentage points, linear below 0.1 so that zero regret can be shown."""
    getattr(axes, f"set_{which}scale")("symlog", linthresh=0.1, linscale=0.5)
    axis = getattr(axes, f"{which}axis")
    axis.set_major_locator(FixedLocator(REGRET_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_plain))


def label(text: str) -> str:
    """Text for matplotlib, which would hide labels that begin with _."""
    text = printable(text)
    return f" {text}" if text.startswith("_") else text
