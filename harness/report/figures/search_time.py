"""Regret and hit rate over what searches have spent, and final accuracy against the images that they took.

Black boxes spend simulated seconds, other searches images that pass through networks. The two have no
common unit, so they are never on one axis; wall time, which depends on what else a machine did, is on none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from harness.report.curves import Floats
from harness.report.figures.page import Entry, Grid, grid
from harness.report.figures.style import (
    FEW,
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
    log_scale,
    mean_interval,
    middle,
    regret_scale,
)
from harness.report.traces import Traces

HIT = 1.0
"""A cell is a hit if it is at most this many percentage points below the best one."""

STORED = " with a stored accuracy for every cell"
"""Why n can be smaller than in other figures: searches of `--look-up found` have accuracies of final cells only."""

_MOMENTS = 120


class Axis(NamedTuple):
    """What searches spend."""

    label: str
    note: str


SECONDS = Axis("simulated search time (s)", "Time: simulated GPU seconds of the queried trainings")
IMAGES = Axis(
    "images passed (thousands)",
    "Images passed through the supernet, or untrained networks, forward and backward, in training and evaluation",
)


@dataclass(frozen=True)
class Progress:
    """The searches of one method at given moments, per (dataset, split)."""

    method: str
    searches: int
    spent: Floats
    """(moments,) seconds or thousands of images (`Traces`), from when all searches have a cell."""
    regret: Floats
    """(moments, columns) mean regret over the searches, percentage points."""
    ends: tuple[Floats, Floats] | None
    """(moments, columns) ends of the interval of the mean; None for fewer than `FEW` searches."""
    hits: Floats
    """(moments, columns) share of searches within `HIT` points of the best cell, %."""


def progress(traces: Sequence[Traces], best: Floats) -> list[Progress]:
    """Evaluate traces at geometrically spaced moments; `best` (columns,) are the accuracies of the best cells, %."""
    first = min((method.start for method in traces if method.start > 0), default=1.0)
    last = max(float(method.end.max()) for method in traces)
    result = []
    for method in traces:
        # A method that costs nothing is not representable on a logarithmic axis, so it starts with the first search.
        # Black boxes share a budget and keep their cell until its end.
        start = max(method.start, first)
        end = max(start, last if method.simulated else float(method.end.max()))
        moments = np.concatenate(
            [[start], np.geomspace(start, end, _MOMENTS)[1:-1], [end]]
        )  # geomspace rounds the ends
        regrets = np.maximum(best - method.at(moments), 0)
        # The tolerance keeps floating-point errors from excluding regrets equal to the limit.
        hits = 100 * (regrets <= HIT + 1e-9).mean(axis=0)
        ends = mean_interval(regrets) if len(regrets) >= FEW else None
        result.append(Progress(method.method, len(method.runs), moments, regrets.mean(axis=0), ends, hits))
    return result


# Drawing --------------------------------------------------------------------------------------------------------------


@matplotlib.rc_context(STYLE)
def regret(
    methods: Sequence[Progress],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    axis: Axis,
    uncounted: Sequence[str] = (),
) -> Figure:
    """Regret of the current cell over what is spent, in percentage points, one column per (dataset, split).

    `uncounted` are methods that the note names as not drawn, since their runs do not count what they spend.
    """
    y = "regret of the current cell\n(points)"
    note = f"line: mean over n searches{STORED}"
    note += f"; band: its 95 % interval, for {FEW} searches or more" if any(method.ends for method in methods) else ""
    note += f"; {REGRET}"
    drawn = _over(axis, methods, columns, title, looks, note, y, uncounted)
    for column in range(len(columns)):
        for row, axes in drawn.column(column):
            of_row, others = _parted(methods, row)
            behind(axes, [(method.spent, method.regret[:, column]) for method in others], step=True)
            for method in of_row:
                if method.ends:
                    ends = method.ends[0][:, column], method.ends[1][:, column]
                    band(axes, method.spent, ends, looks[method.method], len(row.methods), step=True)
                line(axes, method.spent, method.regret[:, column], looks[method.method], step=True)
        _regret_axes([axes for _, axes in drawn.column(column)])
    return drawn.figure


def hitting(methods: Sequence[Progress]) -> list[Progress]:
    """The methods of which a search has a hit at some moment, on some dataset, and that have a share to speak of."""
    return [method for method in methods if method.hits.any() and method.searches > 1]


@matplotlib.rc_context(STYLE)
def hits(
    methods: Sequence[Progress],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    axis: Axis,
    uncounted: Sequence[str] = (),
) -> Figure:
    """Share (%) of searches whose current cell is within `HIT` points of the best one, over what is spent.

    Methods and datasets without a hit are named in the note instead of drawn along the axis, and methods with a single
    search are left out. `uncounted` as for `regret`.
    """
    y = f"searches within {HIT:g} point\nof the best cell (%)"
    note = f"line: share of the n searches{STORED}; best cell: highest accuracy of the table"
    shown = hitting(methods)
    without = [method.method for method in methods if not method.hits.any()]
    kept = [column for column in range(len(columns)) if any(method.hits[:, column].any() for method in shown)]
    without += [f"all on {name}" for column, name in enumerate(_titles(columns)) if column not in kept]
    note += f". Always 0 %: {', '.join(without)}" if without else ""
    drawn = _over(axis, shown, [columns[column] for column in kept], title, looks, note, y, uncounted)
    for place, column in enumerate(kept):
        for row, axes in drawn.column(place):
            of_row, others = _parted(shown, row)
            behind(axes, [(method.spent, method.hits[:, column]) for method in others], step=True)
            for method in of_row:
                line(axes, method.spent, method.hits[:, column], looks[method.method], step=True)
            axes.set_ylim(-3, 103)
    return drawn.figure


@matplotlib.rc_context(STYLE)
def passes(
    methods: Sequence[Traces],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    evaluation: str = "",
    uncounted: Sequence[str] = (),
) -> Figure:
    """Accuracy (%) of the final cell against the images that passed through networks, a point per method: a cost
    that does not depend on the machine. A line joins those on the Pareto front.
    `uncounted` as for `regret`.
    """
    rows = looks.rows(method.method for method in methods)
    of_method = {method.method: method for method in methods}
    entries = [
        [(_marker(looks[name]), counted(name, len(of_method[name].runs))) for name in row.methods] for row in rows
    ]
    note = f"point: mean over n searches{STORED}, equal costs are drawn next to each other; bars: {MIDDLE}"
    note += f"; line: Pareto front. {IMAGES.note}"
    note += _not_drawn(uncounted)
    y = f"accuracy of the final cell\n{evaluation} (%)"
    drawn = grid(rows, entries, _titles(columns), title, note, IMAGES.label, y)
    thousands = [method.end for method in methods]
    costs = [float(cost.mean()) for cost in thousands]
    first, last = min(costs) / 1.5, max(costs) * 1.5
    shifts = _side_by_side(costs)
    for column in range(len(columns)):
        accuracies = [method.final[:, column] for method in methods]
        means = [float(values.mean()) for values in accuracies]
        front = cheapest(costs, means)
        ends = [*(costs[place] for place in front), last], [*(means[place] for place in front), means[front[-1]]]
        for row, axes in drawn.column(column):
            axes.plot(*ends, drawstyle="steps-post", color="0.6", linewidth=1, zorder=0.5)
            for method, cost, values, shift in zip(methods, thousands, accuracies, shifts, strict=True):
                _point(axes, cost, shift, values, looks[method.method] if method.method in row.methods else None)
            log_scale(axes, first, last)
            axes.set_xlim(first, last)
    return drawn.figure


def cheapest(costs: Sequence[float], accuracies: Sequence[float]) -> list[int]:
    """Positions of the methods than which no cheaper or equally expensive one is as accurate, by rising cost."""
    kept: list[int] = []
    for place in sorted(range(len(costs)), key=lambda place: (costs[place], -accuracies[place])):
        if not kept or accuracies[place] > accuracies[kept[-1]]:
            kept.append(place)
    return kept


def _over(
    axis: Axis,
    methods: Sequence[Progress],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    note: str,
    y: str,
    uncounted: Sequence[str],
) -> Grid:
    rows = looks.rows(method.method for method in methods)
    note += f". {axis.note}{_not_drawn(uncounted)}"
    entries = [_entries(row, methods, looks) for row in rows]
    drawn = grid(rows, entries, _titles(columns), title, note, axis.label, y)
    first, last = (end(float(method.spent[at]) for method in methods) for end, at in ((min, 0), (max, -1)))
    for panels in drawn.panels:
        for axes in panels:
            log_scale(axes, first, last)
    return drawn


def _not_drawn(uncounted: Sequence[str]) -> str:
    return f". Not drawn, as their runs count no images: {', '.join(uncounted)}" if uncounted else ""


def _parted(methods: Sequence[Progress], row: Row) -> tuple[list[Progress], list[Progress]]:
    """The methods of the row, and the others."""
    of_row = [method for method in methods if method.method in row.methods]
    return of_row, [method for method in methods if method.method not in row.methods]


def _entries(row: Row, methods: Sequence[Progress], looks: Looks) -> list[Entry]:
    of_row = [method for method in methods if method.method in row.methods]
    return [(handle(looks[method.method]), counted(method.method, method.searches)) for method in of_row]


def _regret_axes(panels: Sequence[Axes]) -> None:
    """Set the limits: from the last tick below all values (zero if there is none) to slightly above the highest."""
    lowest = min(axes.dataLim.y0 for axes in panels)
    highest = max(axes.dataLim.y1 for axes in panels)
    bottom = max((tick for tick in REGRET_TICKS[:-1] if tick <= lowest), default=0)
    second = REGRET_TICKS[REGRET_TICKS.index(bottom) + 1]
    for axes in panels:
        regret_scale(axes, "y")
        axes.set_ylim(bottom, max(1.15 * highest, second))


def _side_by_side(costs: Sequence[float]) -> list[float]:
    """Factors that separate nearly equal costs."""
    alike = [round(log(cost) / log(1.1)) for cost in costs]
    shifts = []
    for index, step in enumerate(alike):
        others, before = alike.count(step), alike[:index].count(step)
        shifts.append(1.04 ** (before - (others - 1) / 2))
    return shifts


def _point(axes: Axes, costs: Floats, shift: float, accuracies: Floats, look: Look | None) -> None:
    """The mean with bars; a grey point without a look."""
    if look is None:
        axes.plot(costs.mean() * shift, accuracies.mean(), "o", color="0.85", zorder=1, markeredgewidth=0)
        return
    x, y = costs.mean() * shift, accuracies.mean()
    (left, right), (low, high) = middle(costs * shift), middle(accuracies)
    bars = [[max(0, x - left)], [max(0, right - x)]], [[max(0, y - low)], [max(0, high - y)]]
    axes.errorbar(x, y, xerr=bars[0], yerr=bars[1], fmt=look.marker, color=look.color, elinewidth=0.9, markersize=6)


def _titles(columns: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{dataset}, {split}" for dataset, split in columns]


def _marker(look: Look) -> Line2D:
    """Legend handle of a method that is drawn as a point."""
    line = handle(look)
    line.set(linestyle="none", markersize=6)
    return line
