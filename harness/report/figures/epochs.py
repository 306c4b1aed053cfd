"""What each search epoch brings: entropy of the operation weights, and accuracy of the cell that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.report.curves import Curves, Floats
from harness.report.figures.style import (
    MIDDLE,
    STYLE,
    Grid,
    Looks,
    Row,
    band,
    behind,
    counted,
    grid,
    handle,
    line,
    middle,
)
from harness.report.published_curves import PublishedCurve

_NOTE = f"line: mean over n searches; band: {MIDDLE}"
_PUBLISHED_DASHES = ((0, (1, 1)), (0, (5, 1.5)), (0, (7, 1.5, 1, 1.5)))


@matplotlib.rc_context(STYLE)
def entropy(
    curves: Sequence[Curves],
    cell_types: Sequence[str],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve] = (),
) -> Figure:
    """Entropy of the operation weights (nats) after each epoch, one column per cell type.

    Published entropies stand beside the method that they are of, where it has as many operations.
    """
    drawn = grid(looks.rows(method.method for method in curves), len(cell_types), title)
    shown = [[curve for curve in published if _stands_in(curve, row, curves)] for row in drawn.rows]
    for place, cell_type in enumerate(cell_types):
        for (row, axes), known in zip(drawn.column(place), shown, strict=True):
            _bands(axes, row, curves, [method.entropy[:, :, place] for method in curves], looks)
            _published(axes, known, [curve.cell_type == cell_type for curve in known])
            for operations in sorted({method.operations for method in curves}):
                _uniform(axes, operations)
            axes.set_ylim(0, 1.22 * log(max(method.operations for method in curves)))
    y = "entropy of operation weights,\nmean over edges (nats)"
    drawn.label([f"{cell_type} cell" for cell_type in cell_types], "search epoch", y)
    _legend(drawn, curves, looks, shown)
    return drawn.figure


@matplotlib.rc_context(STYLE)
def accuracy(
    curves: Sequence[Curves],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: Looks,
    published: Sequence[PublishedCurve] = (),
) -> Figure:
    """Accuracy (%) of the cell derived after each epoch, one column per (dataset, split).

    Published accuracies stand beside the method that they are of, where they are of the same dataset and split.
    """
    drawn = grid(looks.rows(method.method for method in curves), len(columns), title)
    known = [curve for curve in published if (curve.dataset, curve.split) in columns]
    shown = [[curve for curve in known if _stands_in(curve, row, curves)] for row in drawn.rows]
    for place, column in enumerate(columns):
        for (row, axes), of_row in zip(drawn.column(place), shown, strict=True):
            _bands(axes, row, curves, [method.accuracy[:, :, place] for method in curves], looks)
            _published(axes, of_row, [(curve.dataset, curve.split) == column for curve in of_row])
    y = "accuracy of the current cell\nafter 200 epochs of training (%)"
    drawn.label([f"{dataset}, {split}" for dataset, split in columns], "search epoch", y)
    _legend(drawn, curves, looks, shown, _elsewhere(published, columns, curves))
    return drawn.figure


def _elsewhere(
    published: Sequence[PublishedCurve], columns: Sequence[tuple[str, str]], curves: Sequence[Curves]
) -> list[str]:
    """Splits of published accuracies that no panel can show beside ours."""
    names = {method.name for method in curves}
    known = [(curve.dataset, curve.split) for curve in published if curve.registry_name in names]
    return [" ".join(column) for column in dict.fromkeys(known) if column not in columns]


def _bands(axes: Axes, row: Row, curves: Sequence[Curves], values: Sequence[Floats], looks: Looks) -> None:
    for method, of_method in zip(curves, values, strict=True):
        epochs = np.arange(1, of_method.shape[1] + 1)
        if method.method in row.methods:
            look = looks[method.method]
            band(axes, epochs, middle(of_method), look, len(row.methods))
            line(axes, epochs, of_method.mean(axis=0), look)
        else:
            behind(axes, epochs, of_method.mean(axis=0))
    longest = max(of_method.shape[1] for of_method in values)
    axes.set_xlim(0.5, longest + max(0.5, 0.02 * longest))  # our epochs: published searches may have had more
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _stands_in(published: PublishedCurve, row: Row, curves: Sequence[Curves]) -> bool:
    return any(
        method.method in row.methods
        and method.name == published.registry_name
        and method.operations == published.operations
        for method in curves
    )


def _published(axes: Axes, curves: Sequence[PublishedCurve], here: Sequence[bool]) -> None:
    for curve, look, drawn in zip(curves, _published_looks(curves), here, strict=True):
        if drawn:
            line = Line2D(np.arange(1, len(curve.values) + 1), curve.values)
            line.update_from(look)
            axes.add_line(line)


def _published_looks(curves: Sequence[PublishedCurve]) -> list[Line2D]:
    """One look for all searches of a published method."""
    places = {name: place for place, name in enumerate(dict.fromkeys(curve.label for curve in curves))}
    dashes = [_PUBLISHED_DASHES[places[curve.label] % len(_PUBLISHED_DASHES)] for curve in curves]
    return [Line2D([], [], color="0.45", linewidth=0.9, linestyle=dash) for dash in dashes]


def _legend(
    drawn: Grid,
    curves: Sequence[Curves],
    looks: Looks,
    published: Sequence[Sequence[PublishedCurve]],
    elsewhere: Sequence[str] = (),
) -> None:
    handles = []
    for row, known in zip(drawn.rows, published, strict=True):
        ours = [
            (handle(looks[method.method]), counted(method.method, len(method.entropy)))
            for method in curves
            if method.method in row.methods
        ]
        theirs = {_named(curve, known): look for curve, look in zip(known, _published_looks(known), strict=True)}
        handles.append(ours + [(look, name) for name, look in theirs.items()])
    note = _NOTE
    if any(published):
        protocols = dict.fromkeys(curve.protocol for known in published for curve in known)
        note += f". Broken grey lines: published, read off the paper's figure; not our protocol: {'; '.join(protocols)}"
    if elsewhere:
        note += f". Published on another split, so not drawn: {', '.join(elsewhere)}"
    drawn.legend(handles, note)


def _named(curve: PublishedCurve, known: Sequence[PublishedCurve]) -> str:
    runs = len({other.run for other in known if other.label == curve.label})
    return counted(f"published {curve.label}", runs)


def _uniform(axes: Axes, operations: int) -> None:
    """Where all operations weigh the same; named above the line, where no curve can be."""
    axes.axhline(log(operations), color="0.4", linestyle="--", linewidth=0.9)
    text = f"ln {operations} (uniform)"
    beside = axes.get_yaxis_transform()
    axes.text(0.99, log(operations) + 0.07, text, transform=beside, ha="right", va="baseline", color="0.3", size=7)
