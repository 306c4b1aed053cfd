"""Regret and hit rate over search time, and final accuracy against the duration of the search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.report.curves import Curves, Floats
from harness.report.figures.page import Entry, Grid, grid
from harness.report.figures.style import (
    INTERVAL,
    MIDDLE,
    REGRET,
    REGRET_TICKS,
    STYLE,
    Look,
    Looks,
    Row,
    band,
    behind,
    counted,
    handle,
    line,
    mean_interval,
    middle,
    regret_scale,
    time_scale,
)
from harness.report.traces import Traces

HIT = 1.0
"""A cell is a hit if it is at most this many percentage points below the best one."""

STORED = " with a stored accuracy for every cell"
"""Why n can be smaller than in other figures: searches of `--look-up found` have accuracies of final cells only."""

_MOMENTS = 120

_SOONEST = 1.0
"""Seconds; methods that take less, such as drawing one cell, do not fit a logarithmic axis and are drawn as
horizontal lines."""


@dataclass(frozen=True)
class Progress:
    """The searches of one method at given moments of search time, per (dataset, split)."""

    method: str
    searches: int
    simulated: bool
    """Whether seconds are the training times of the tabular benchmark; otherwise they were measured."""
    seconds: Floats
    """(moments,) search time, from when all searches have a cell."""
    regret: Floats
    """(moments, columns) mean regret over the searches, percentage points."""
    low: Floats
    high: Floats
    """(moments, columns) ends of the interval of the mean."""
    hits: Floats
    """(moments, columns) share of searches within `HIT` points of the best cell, %."""


@dataclass(frozen=True)
class Outcome:
    """Durations and final accuracies of the searches of one method."""

    method: str
    simulated: bool
    seconds: Floats
    """(n,) duration of each search."""
    accuracy: Floats
    """(n, columns) accuracy of each search's cell, %."""


def progress(traces: Sequence[Traces], best: Floats) -> list[Progress]:
    """Evaluate traces at geometrically spaced moments; `best` (columns,) are the accuracies of the best cells, %."""
    first, last = _span(traces)
    result = []
    for method in traces:
        # A method that takes no time is not representable on a logarithmic axis, so it starts with the first search.
        # Simulated searches share a budget and keep their cell until its end.
        start = max(method.start, first)
        end = max(start, last if method.simulated else float(method.end.max()))
        moments = np.concatenate(
            [[start], np.geomspace(start, end, _MOMENTS)[1:-1], [end]]
        )  # geomspace rounds the ends
        regrets = np.maximum(best - method.at(moments), 0)
        # The tolerance keeps floating-point errors from excluding regrets equal to the limit.
        hits = 100 * (regrets <= HIT + 1e-9).mean(axis=0)
        mean, ends = regrets.mean(axis=0), mean_interval(regrets)
        result.append(Progress(method.method, len(method.runs), method.simulated, moments, mean, *ends, hits))
    return result


def outcomes(traces: Iterable[Traces]) -> list[Outcome]:
    return [Outcome(method.method, method.simulated, method.end, method.final) for method in traces]


def _span(traces: Sequence[Traces]) -> tuple[float, float]:
    """Time of the first cell of any method, and end of the last simulated search, seconds."""
    first = min((method.start for method in traces if method.start > 0), default=1.0)
    last = max((float(method.end.max()) for method in traces if method.simulated), default=first)
    return first, last


# Drawing --------------------------------------------------------------------------------------------------------------


@matplotlib.rc_context(STYLE)
def regret(
    methods: Sequence[Progress],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    devices: Sequence[str] = (),
) -> Figure:
    """Regret of the current cell over search time, in percentage points, one column per (dataset, split).

    `devices` are those on which seconds were measured.
    """
    y = "regret of the current cell\n(points)"
    note = f"line: mean over n searches{STORED}; band: {INTERVAL}; {REGRET}"
    drawn = _over_time(methods, columns, title, looks, note, y, devices)
    for column in range(len(columns)):
        for row, axes in drawn.column(column):
            of_row, others = _parted(methods, row)
            behind(axes, [(method.seconds, method.regret[:, column]) for method in others], step=True)
            for method in of_row:
                ends = method.low[:, column], method.high[:, column]
                band(axes, method.seconds, ends, looks[method.method], len(row.methods), step=True)
                line(axes, method.seconds, method.regret[:, column], looks[method.method], step=True)
        _regret_axes([axes for _, axes in drawn.column(column)])
    return drawn.figure


@matplotlib.rc_context(STYLE)
def hits(
    methods: Sequence[Progress],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    devices: Sequence[str] = (),
) -> Figure:
    """Share (%) of searches whose current cell is within `HIT` points of the best one, over search time."""
    y = f"searches within {HIT:g} point\nof the best cell (%)"
    note = f"line: share of the n searches{STORED}; best cell: highest accuracy of the table"
    drawn = _over_time(methods, columns, title, looks, note, y, devices)
    for column in range(len(columns)):
        for row, axes in drawn.column(column):
            of_row, others = _parted(methods, row)
            behind(axes, [(method.seconds, method.hits[:, column]) for method in others], step=True)
            for method in of_row:
                line(axes, method.seconds, method.hits[:, column], looks[method.method], step=True)
            axes.set_ylim(-3, 103)
    return drawn.figure


@matplotlib.rc_context(STYLE)
def cost(
    methods: Sequence[Outcome],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    devices: Sequence[str] = (),
    evaluation: str = "",
) -> Figure:
    """Accuracy (%) of the final cell against the duration of the search in seconds, a point per method.

    `evaluation` describes how accuracies were obtained, e.g. "after 200 epochs of training".
    """
    durations = [float(method.seconds.mean()) for method in methods]
    level = [duration < _SOONEST for duration in durations]
    rows = looks.rows(method.method for method in methods)
    of_method = {
        method.method: (_only_marker(handle(looks[method.method]), not flat), len(method.seconds))
        for method, flat in zip(methods, level, strict=True)
    }
    entries = [[(of_method[name][0], counted(name, of_method[name][1])) for name in row.methods] for row in rows]
    note = f"point: mean over n searches{STORED}, shifted sideways where durations coincide; bars: {MIDDLE}"
    note += "; horizontal line: a method without search cost" if any(level) else ""
    note += _clock({method.simulated for method in methods}, devices)
    y = f"accuracy of the final cell\n{evaluation} (%)"
    drawn = grid(rows, entries, _titles(columns), title, note, "duration of the search (s)", y)
    ends = [end for end in durations if end >= _SOONEST]
    first, last = min(ends, default=1.0) / 2, max(ends, default=1.0) * 2
    shifts = _side_by_side(durations)
    for column in range(len(columns)):
        for row, axes in drawn.column(column):
            for method, shift in zip(methods, shifts, strict=True):
                look = looks[method.method] if method.method in row.methods else None
                _point(axes, method.seconds, shift, method.accuracy[:, column], look, _SOONEST)
            time_scale(axes, first, last)
            axes.set_xlim(first, last)
    return drawn.figure


@matplotlib.rc_context(STYLE)
def passes(
    methods: Sequence[Curves],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    evaluation: str = "",
) -> Figure:
    """Accuracy (%) of the final cell against the images that passed through the supernet, a point per method: a cost
    that does not depend on the machine. A line joins the methods than which none is both cheaper and more accurate.
    """
    rows = looks.rows(method.method for method in methods)
    of_method = {method.method: method for method in methods}
    entries = [
        [
            (_only_marker(handle(looks[name]), marked=True), counted(name, len(of_method[name].passes)))
            for name in row.methods
        ]
        for row in rows
    ]
    note = f"point: mean over n searches{STORED}, shifted sideways where costs coincide; bars: {MIDDLE}"
    note += "; line: no method is both cheaper and more accurate"
    note += ". Images passed through the supernet, forward and backward, in training and evaluation"
    y = f"accuracy of the final cell\n{evaluation} (%)"
    drawn = grid(rows, entries, _titles(columns), title, note, "images passed (thousands)", y)
    thousands = [method.passes / 1000 for method in methods]
    costs = [float(cost.mean()) for cost in thousands]
    first, last = min(costs) / 1.5, max(costs) * 1.5
    shifts = _side_by_side(costs)
    for column in range(len(columns)):
        accuracies = [method.accuracy[:, -1, column] for method in methods]
        means = [float(values.mean()) for values in accuracies]
        front = cheapest(costs, means)
        ends = [*(costs[place] for place in front), last], [*(means[place] for place in front), means[front[-1]]]
        for row, axes in drawn.column(column):
            axes.plot(*ends, drawstyle="steps-post", color="0.6", linewidth=1, zorder=0.5)
            for method, cost, values, shift in zip(methods, thousands, accuracies, shifts, strict=True):
                _point(axes, cost, shift, values, looks[method.method] if method.method in row.methods else None)
            time_scale(axes, first, last)
            axes.set_xlim(first, last)
    return drawn.figure


def cheapest(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Positions of the methods than which no cheaper or equally expensive one is as accurate, by rising cost."""
    kept: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -accuracies[place])):
        if not kept or accuracies[place] > accuracies[kept[-1]]:
            kept.append(place)
    return kept


def _over_time(
    methods: Sequence[Progress],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    note: str,
    y: str,
    devices: Sequence[str],
) -> Grid:
    rows = looks.rows(method.method for method in methods)
    note += _clock({method.simulated for method in methods}, devices)
    entries = [_entries(row, methods, looks) for row in rows]
    drawn = grid(rows, entries, _titles(columns), title, note, "search time (s)", y)
    first, last = (end(float(method.seconds[at]) for method in methods) for end, at in ((min, 0), (max, -1)))
    for panels in drawn.panels:
        for axes in panels:
            time_scale(axes, first, last)
    return drawn


def _parted(methods: Sequence[Progress], row: Row) -> tuple[list[Progress], list[Progress]]:
    """The methods of the row, and the others."""
    of_row = [method for method in methods if method.method in row.methods]
    return of_row, [method for method in methods if method.method not in row.methods]


def _entries(row: Row, methods: Sequence[Progress], looks: Looks) -> list[Entry]:
    of_row = [method for method in methods if method.method in row.methods]
    return [(handle(looks[method.method]), counted(method.method, method.searches)) for method in of_row]


def _clock(kinds: set[bool], devices: Sequence[str]) -> str:
    """Note on the origin of the seconds; `kinds` has True if some are simulated, False if some are measured."""
    seconds = []
    if True in kinds:
        seconds.append("black-box methods: simulated GPU seconds of the queried trainings")
    if False in kinds:
        seconds.append(f"weight-sharing methods: wall time ({', '.join(devices) or 'device unknown'})")
    return f". Time of {'; of '.join(seconds)}"


def _regret_axes(panels: Sequence[Axes]) -> None:
    """Set the limits: from the last tick below all values (zero if there is none) to slightly above the highest."""
    lowest = min(axes.dataLim.y0 for axes in panels)
    highest = max(axes.dataLim.y1 for axes in panels)
    bottom = max((tick for tick in REGRET_TICKS[:-1] if tick <= lowest), default=0)
    second = REGRET_TICKS[REGRET_TICKS.index(bottom) + 1]
    for axes in panels:
        regret_scale(axes, "y")
        axes.set_ylim(bottom, max(1.15 * highest, second))


def _side_by_side(durations: Sequence[float]) -> list[float]:
    """Factors that separate nearly equal durations, such as those of searches with the same budget."""
    alike = [round(log(max(duration, _SOONEST)) / log(1.1)) for duration in durations]
    shifts = []
    for index, step in enumerate(alike):
        others, before = alike.count(step), alike[:index].count(step)
        shifts.append(1.04 ** (before - (others - 1) / 2))
    return shifts


def _point(axes: Axes, costs: Floats, shift: float, accuracies: Floats, look: Look | None, least: float = 0.0) -> None:
    """least: a cost below which there is none to speak of."""
    x, y = costs.mean() * shift, accuracies.mean()
    if costs.mean() < least:
        axes.axhline(y, color=look.color if look else "0.85", linestyle=look.linestyle if look else "-", zorder=1)
    elif look is None:
        axes.plot(x, y, "o", color="0.85", zorder=1, markeredgewidth=0)
    else:
        _with_bars(axes, costs * shift, accuracies, look)


def _with_bars(axes: Axes, seconds: Floats, accuracies: Floats, look: Look) -> None:
    x, y = seconds.mean(), accuracies.mean()
    (left, right), (low, high) = middle(seconds), middle(accuracies)
    bars = [[max(0, x - left)], [max(0, right - x)]], [[max(0, y - low)], [max(0, high - y)]]
    axes.errorbar(x, y, xerr=bars[0], yerr=bars[1], fmt=look.marker, color=look.color, elinewidth=0.9, markersize=6)


def _titles(columns: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{dataset}, {split}" for dataset, split in columns]


def _only_marker(line: Line2D, marked: bool) -> Line2D:
    """Legend handle of a method: only its marker, or only its line if it is drawn as a horizontal line."""
    line.set(**({"linestyle": "none", "markersize": 6} if marked else {"marker": ""}))
    return line
