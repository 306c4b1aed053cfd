"""Per-epoch figures: entropy of the operation weights, and accuracy of the cell derived from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isclose, log

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.report.curves import Floats
from harness.report.figures.page import Entry, Grid, grid
from harness.report.figures.style import MIDDLE, REGRET, STYLE, Looks, Row, band, behind, counted, handle, line, middle
from harness.report.published_curves import PublishedCurve

_SHADED = 4  # most methods of a row whose bands can be told apart
_NARROW = 0.15  # share of an axis in which all values lie where it is zoomed
_LEAST = 1e-3  # nats, of a zoomed axis
_PUBLISHED_DASHES = ((0, (1, 1)), (0, (5, 1.5)), (0, (7, 1.5, 1, 1.5)))


@dataclass(frozen=True)
class Series:
    """A per-epoch quantity of the searches of one method."""

    method: str
    name: str
    """Registry name; empty for an external method."""
    operations: int
    """K, the maximum number of candidates of a choice."""
    uniform: tuple[float, ...]
    """Entropy of uniform operation weights, nats, by cell type."""
    values: Floats
    """(n, epochs, columns) of n searches."""


@matplotlib.rc_context(STYLE)
def entropy(
    series: Sequence[Series],
    cell_types: Sequence[str],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve] = (),
    titles: Sequence[str] = (),
    choices: str = "edges",
) -> Figure:
    """Entropy of the operation weights (nats) after each epoch, one column per cell type.

    `titles` of the columns are given where the groups of choices are not cell types; a single cell type has none.
    `choices`: what the mean is over.
    Published entropies are drawn in the row of their method if it has the same number of operations.
    """
    columns = list(titles or ([f"{cell_type} cell" for cell_type in cell_types] if len(cell_types) > 1 else [""]))
    rows = looks.rows(method.method for method in series)
    full = 1.22 * max(max(method.uniform) for method in series)
    limits = [_zoomed(row, series, published, full) for row in rows]
    y = f"entropy of operation weights,\nmean over {choices} (nats)"
    note = _drawn(rows)
    if any(limits):
        y += ", zoomed" if all(limits) else ""
        note += ". Zoomed axes do not begin at 0"
    drawn, shown = _grid(series, columns, title, looks, published, note, y, sharey=False)
    for column, cell_type in enumerate(cell_types):
        for (row, axes), known, zoomed in zip(drawn.column(column), shown, limits, strict=False):
            _curves(axes, row, series, column, looks)
            _published(axes, known, [curve.cell_type == cell_type for curve in known])
            axes.set_ylim(*(zoomed or (0, full)))
            for value in sorted({method.uniform[column] for method in series}):
                _uniform(axes, value)
            if zoomed:
                _mark_zoomed(axes)
    return drawn.figure


def _zoomed(
    row: Row, series: Sequence[Series], published: Sequence[PublishedCurve], full: float
) -> tuple[float, float] | None:
    """Limits of the axis of a row whose values all lie within `_NARROW` of the full one. None for other rows, and for
    those whose values hardly differ, where a zoom would show rounding."""
    of_row = [method.values for method in series if method.method in row.methods]
    if not _shaded(row):
        of_row = [values.mean(axis=0) for values in of_row]
    longest = max(method.values.shape[1] for method in series)
    known = [np.asarray(curve.values)[:longest] for curve in published if _belongs_to(curve, row, series)]
    low, high = (end([end(values) for values in (*of_row, *known)]) for end in (np.min, np.max))
    span = float(high - low)
    if not _LEAST <= span <= _NARROW * full:
        return None
    return float(low) - 0.1 * span, float(high) + 0.3 * span


def _mark_zoomed(axes: Axes) -> None:
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.tick_params(axis="y", labelsize=7)  # more digits
    axes.text(0.01, 0.03, "zoomed axis", transform=axes.transAxes, color="0.3", size=7)


@matplotlib.rc_context(STYLE)
def accuracy(
    series: Sequence[Series],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve] = (),
    evaluation: str = "",
) -> Figure:
    """Accuracy (%) of the cell derived after each epoch, one column per (dataset, split).

    Published accuracies are drawn in the row of their method if they are of the same dataset and split. `evaluation`
    describes how accuracies were obtained, e.g. "after 200 epochs of training".
    """
    note = _drawn(looks.rows(method.method for method in series))
    if elsewhere := _elsewhere(published, columns, series):
        note += f". Not drawn: curves published on another split ({', '.join(elsewhere)})"
    y = f"accuracy of the current cell\n{evaluation} (%)"
    return _of_cells(series, columns, title, looks, published, note, y).figure


@matplotlib.rc_context(STYLE)
def regret(
    series: Sequence[Series],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve] = (),
    evaluation: str = "",
) -> Figure:
    """Regret (percentage points) of the cell derived after each epoch, one column per (dataset, split), with published
    regrets of the same dataset and split in the row of their method. `evaluation` as for `accuracy`."""
    y = f"regret of the current cell\n{evaluation} (points)"
    note = f"{_drawn(looks.rows(method.method for method in series))}; {REGRET}"
    drawn = _of_cells(series, columns, title, looks, published, note, y)
    for column in range(len(columns)):
        for _, axes in drawn.column(column):
            axes.set_ylim(bottom=0)
    return drawn.figure


def _of_cells(
    series: Sequence[Series],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve],
    note: str,
    y: str,
) -> Grid:
    """Curves of the cell derived after each epoch, a column of panels per (dataset, split)."""
    known = [curve for curve in published if (curve.dataset, curve.split) in columns]
    titles = [f"{dataset}, {split}" for dataset, split in columns]
    drawn, shown = _grid(series, titles, title, looks, known, note, y)
    for column, pair in enumerate(columns):
        for (row, axes), row_curves in zip(drawn.column(column), shown, strict=True):
            _curves(axes, row, series, column, looks)
            _published(axes, row_curves, [(curve.dataset, curve.split) == pair for curve in row_curves])
    return drawn


def _grid(
    series: Sequence[Series],
    columns: Sequence[str],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve],
    note: str,
    y: str,
    sharey: bool = True,
) -> tuple[Grid, list[list[PublishedCurve]]]:
    """Empty panels, and the published curves of each row."""
    rows = looks.rows(method.method for method in series)
    shown = [[curve for curve in published if _belongs_to(curve, row, series)] for row in rows]
    entries = [_entries(row, series, looks, known) for row, known in zip(rows, shown, strict=True)]
    if any(shown):
        protocols = dict.fromkeys(curve.protocol for known in shown for curve in known)
        note += (
            f". Thin grey lines: published, digitized from the paper's figure, other protocol: {'; '.join(protocols)}"
        )
    drawn = grid(rows, entries, columns, title, note, "search epoch", y, sharey)
    return drawn, shown[: len(drawn.rows)]


def _entries(row: Row, series: Sequence[Series], looks: Looks, known: Sequence[PublishedCurve]) -> list[Entry]:
    ours = [
        (handle(looks[method.method]), counted(method.method, len(method.values)))
        for method in series
        if method.method in row.methods
    ]
    theirs = {_named(curve, known): look for curve, look in zip(known, _published_looks(known), strict=True)}
    return ours + [(look, name) for name, look in theirs.items()]


def _elsewhere(
    published: Sequence[PublishedCurve], columns: Sequence[tuple[str, str]], series: Sequence[Series]
) -> list[str]:
    """Splits of published accuracies that have no panel."""
    names = {method.name for method in series}
    known = [(curve.dataset, curve.split) for curve in published if curve.registry_name in names]
    return [" ".join(column) for column in dict.fromkeys(known) if column not in columns]


def _shaded(row: Row) -> bool:
    return len(row.methods) <= _SHADED


def _drawn(rows: Sequence[Row]) -> str:
    """What is drawn of the searches."""
    shaded = [_shaded(row) for row in rows]
    band = f"; band: {MIDDLE}" * any(shaded)
    return "line: mean over n searches" + band + f" (no bands for more than {_SHADED} methods)" * (not all(shaded))


def _curves(axes: Axes, row: Row, series: Sequence[Series], column: int, looks: Looks) -> None:
    others = []
    for method in series:
        values = method.values[:, :, column]
        epochs = np.arange(1, values.shape[1] + 1)
        if method.method in row.methods:
            look = looks[method.method]
            if _shaded(row):
                band(axes, epochs, middle(values), look, len(row.methods))
            line(axes, epochs, values.mean(axis=0), look)
        else:
            others.append((epochs, values.mean(axis=0)))
    behind(axes, others)
    longest = max(method.values.shape[1] for method in series)
    axes.set_xlim(0.5, longest + max(0.5, 0.02 * longest))  # limits follow our epochs, published searches may have more
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _belongs_to(published: PublishedCurve, row: Row, series: Sequence[Series]) -> bool:
    return any(
        method.method in row.methods
        and method.name == published.registry_name
        and method.operations == published.operations
        for method in series
    )


def _published(axes: Axes, curves: Sequence[PublishedCurve], in_panel: Sequence[bool]) -> None:
    for curve, look, drawn in zip(curves, _published_looks(curves), in_panel, strict=True):
        if drawn:
            line = Line2D(np.arange(1, len(curve.values) + 1), curve.values)
            line.update_from(look)
            axes.add_line(line)


def _published_looks(curves: Sequence[PublishedCurve]) -> list[Line2D]:
    """Line styles of published curves, the same for all searches of a method."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(curve.label for curve in curves))}
    dashes = [_PUBLISHED_DASHES[numbers[curve.label] % len(_PUBLISHED_DASHES)] for curve in curves]
    return [Line2D([], [], color="0.45", linewidth=0.9, linestyle=dash) for dash in dashes]


def _named(curve: PublishedCurve, known: Sequence[PublishedCurve]) -> str:
    name = f"published {curve.label}"
    runs = len({other.run for other in known if other.label == curve.label})
    return counted(name, runs) if curve.run else name


def _uniform(axes: Axes, value: float) -> None:
    """Line at the entropy of uniform weights, labelled above, where no curve can be; nothing beyond the axis."""
    low, high = axes.get_ylim()
    if not low <= value <= high:
        return
    axes.axhline(value, color="0.4", linestyle="--", linewidth=0.9)
    operations = round(exp(value))
    text = f"ln {operations} (uniform)" if isclose(value, log(operations)) else "uniform"
    transform = axes.get_yaxis_transform()  # x as a fraction of the axes, y in nats
    above = value + 0.04 * (high - low)
    axes.text(0.99, above, text, transform=transform, ha="right", va="baseline", color="0.3", size=7)
