"""What search time buys: regret and hit rate at every moment of a search, and accuracy against cost in the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.report.curves import Floats
from harness.report.figures.style import (
    INTERVAL,
    MIDDLE,
    REGRET,
    REGRET_TICKS,
    STYLE,
    Grid,
    Look,
    Looks,
    band,
    behind,
    counted,
    grid,
    handle,
    line,
    mean_interval,
    middle,
    regret_scale,
    time_scale,
)
from harness.report.traces import Traces

HIT = 1.0
"""A cell is a hit if it is at most so many percentage points below the best one."""

_MOMENTS = 120

_SOONEST = 1.0
"""Seconds; what takes less, such as drawing one cell, has no place on a logarithmic axis and is drawn level."""


@matplotlib.rc_context(STYLE)
def regret(
    traces: Sequence[Traces],
    columns: Sequence[tuple[str, str]],
    best: Floats,
    title: str,
    looks: Looks,
    devices: Sequence[str] = (),
) -> Figure:
    """Regret of the cell held at each moment of the search, in percentage points, one column per (dataset, split).

    `best` (datasets,) are the accuracies from which regret is counted; `devices` says where seconds were measured.
    """

    def draw(axes: Axes, moments: Floats, regrets: Floats, look: Look | None, methods: int) -> None:
        if look is None:
            behind(axes, moments, regrets.mean(axis=0), step=True)
        else:
            band(axes, moments, mean_interval(regrets), look, methods, step=True)
            line(axes, moments, regrets.mean(axis=0), look, step=True)

    drawn = _over_time(traces, columns, best, title, looks, draw)
    for place in range(len(columns)):
        lowest = min(axes.dataLim.y0 for _, axes in drawn.column(place))
        highest = max(axes.dataLim.y1 for _, axes in drawn.column(place))
        bottom = max((tick for tick in REGRET_TICKS[:-1] if tick <= lowest), default=0)
        second = REGRET_TICKS[REGRET_TICKS.index(bottom) + 1]
        for _, axes in drawn.column(place):
            regret_scale(axes, "y")
            axes.set_ylim(bottom, max(1.15 * highest, second))
    drawn.label(
        _titles(columns), "search time (s)", "regret of the current cell: best\naccuracy minus its own (points)"
    )
    _legend(drawn, traces, looks, f"line: mean over n searches; band: {INTERVAL}; {REGRET}", devices)
    return drawn.figure


@matplotlib.rc_context(STYLE)
def hits(
    traces: Sequence[Traces],
    columns: Sequence[tuple[str, str]],
    best: Floats,
    title: str,
    looks: Looks,
    devices: Sequence[str] = (),
) -> Figure:
    """Share (%) of the searches whose cell is within `HIT` points of the best one, at each moment of the search."""

    def draw(axes: Axes, moments: Floats, regrets: Floats, look: Look | None, _: int) -> None:
        # Regrets are differences of decimal numbers: the limit itself must not fall to rounding.
        share = 100 * (regrets <= HIT + 1e-9).mean(axis=0)
        if look is None:
            behind(axes, moments, share, step=True)
        else:
            line(axes, moments, share, look, step=True)

    drawn = _over_time(traces, columns, best, title, looks, draw)
    for panels in drawn.panels:
        for axes in panels:
            axes.set_ylim(-3, 103)
    drawn.label(_titles(columns), "search time (s)", f"searches within {HIT:g} point\nof the best cell (%)")
    _legend(drawn, traces, looks, "line: share of n searches; best cell: of those looked up in the table", devices)
    return drawn.figure


@matplotlib.rc_context(STYLE)
def cost(
    traces: Sequence[Traces],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    devices: Sequence[str] = (),
) -> Figure:
    """Accuracy (%) of the cell found against the seconds of the search, a point per method."""
    drawn = grid(looks.rows(method.method for method in traces), len(columns), title)
    durations = [float(method.end.mean()) for method in traces]
    shifts = _side_by_side(durations)
    for place in range(len(columns)):
        for row, axes in drawn.column(place):
            for method, shift in zip(traces, shifts, strict=True):
                look = looks[method.method] if method.method in row.methods else None
                _point(axes, method.end, shift, method.final[:, place], look)
            ends = [end for end in durations if end >= _SOONEST]
            first, last = min(ends, default=1.0) / 2, max(ends, default=1.0) * 2
            time_scale(axes, first, last)
            axes.set_xlim(first, last)
    drawn.label(
        _titles(columns), "duration of the search (s)", "accuracy of the cell found\nafter 200 epochs of training (%)"
    )
    _legend(
        drawn,
        traces,
        looks,
        f"point: mean over n searches, beside each other where durations coincide; bars: {MIDDLE}",
        devices,
        points=True,
    )
    return drawn.figure


def _over_time(
    traces: Sequence[Traces],
    columns: Sequence[tuple[str, str]],
    best: Floats,
    title: str,
    looks: Looks,
    draw: Callable[[Axes, Floats, Floats, Look | None, int], None],
) -> Grid:
    drawn = grid(looks.rows(method.method for method in traces), len(columns), title)
    first, last = _span(traces)
    for method in traces:
        # A method that takes no time has no place of its own on a logarithmic axis. Simulated searches share a budget,
        # to the end of which each keeps its cell.
        start = max(method.start, first)
        end = max(start, last if method.simulated else float(method.end.max()))
        moments = np.concatenate([[start], np.geomspace(start, end, _MOMENTS)[1:-1], [end]])  # the ends unrounded
        regrets = np.maximum(best - method.at(moments), 0)
        for place in range(len(columns)):
            for row, axes in drawn.column(place):
                look = looks[method.method] if method.method in row.methods else None
                draw(axes, moments, regrets[:, :, place], look, len(row.methods))
    for panels in drawn.panels:
        for axes in panels:
            time_scale(axes, first, max(last, *(float(method.end.max()) for method in traces)))
    return drawn


def _span(traces: Sequence[Traces]) -> tuple[float, float]:
    """When the first search finds a cell, and when the last simulated one ends, seconds."""
    first = min((method.start for method in traces if method.start > 0), default=1.0)
    last = max((float(method.end.max()) for method in traces if method.simulated), default=first)
    return first, last


def _side_by_side(durations: Sequence[float]) -> list[float]:
    """Factors by which to move durations that all but coincide, as those of searches with one budget do."""
    alike = [round(log(max(duration, _SOONEST)) / log(1.1)) for duration in durations]
    shifts = []
    for place, step in enumerate(alike):
        others, before = alike.count(step), alike[:place].count(step)
        shifts.append(1.04 ** (before - (others - 1) / 2))
    return shifts


def _point(axes: Axes, seconds: Floats, shift: float, accuracies: Floats, look: Look | None) -> None:
    x, y = seconds.mean() * shift, accuracies.mean()
    if seconds.mean() < _SOONEST:
        axes.axhline(y, color=look.color if look else "0.85", linestyle=look.linestyle if look else "-", zorder=1)
    elif look is None:
        axes.plot(x, y, "o", color="0.85", zorder=1, markeredgewidth=0)
    else:
        _with_bars(axes, seconds * shift, accuracies, look)


def _with_bars(axes: Axes, seconds: Floats, accuracies: Floats, look: Look) -> None:
    x, y = seconds.mean(), accuracies.mean()
    (left, right), (low, high) = middle(seconds), middle(accuracies)
    bars = [[max(0, x - left)], [max(0, right - x)]], [[max(0, y - low)], [max(0, high - y)]]
    axes.errorbar(x, y, xerr=bars[0], yerr=bars[1], fmt=look.marker, color=look.color, elinewidth=0.9, markersize=6)


def _titles(columns: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{dataset}, {split}" for dataset, split in columns]


def _legend(
    drawn: Grid, traces: Sequence[Traces], looks: Looks, note: str, devices: Sequence[str], points: bool = False
) -> None:
    entries = []
    for row in drawn.rows:
        of_row = [method for method in traces if method.method in row.methods]
        lines = [(handle(looks[method.method]), counted(method.method, len(method.runs))) for method in of_row]
        if points:
            timed = [method.end.mean() >= _SOONEST for method in of_row]
            lines = [(_only_marker(line, keep), text) for (line, text), keep in zip(lines, timed, strict=True)]
        entries.append(lines)
    kinds = {method.simulated for method in traces}
    seconds = []
    if True in kinds:
        seconds.append("black-box methods: simulated GPU seconds of the trainings that they ask the table for")
    if False in kinds:
        seconds.append(f"weight-sharing methods: seconds measured here ({', '.join(devices) or 'device unknown'})")
    if any(method.end.mean() < _SOONEST for method in traces):
        note += "; level line: a method that takes no time"
    drawn.legend(entries, f"{note}. Time of {'; of '.join(seconds)}")


def _only_marker(line: Line2D, marked: bool) -> Line2D:
    """As the method is drawn: a point, or a level line."""
    line.set(**({"linestyle": "none", "markersize": 6} if marked else {"marker": ""}))
    return line
