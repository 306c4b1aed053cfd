"""Figures of one group of runs. Every function returns a figure; files are written elsewhere (`saving`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from math import ceil, log
from textwrap import fill
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from harness.report.curves import Curves, Floats
from harness.report.wording import printable

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
}

# Okabe and Ito's palette without its yellow, which is lost on white. Markers and dashes tell methods apart in grey.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_DASHES = ("-", "--", "-.", ":")

_PANEL_WIDTH, _PANEL_HEIGHT = 3.2, 2.5  # inches


class Look(NamedTuple):
    color: str
    marker: str
    linestyle: str


def looks(methods: Sequence[str]) -> dict[str, Look]:
    """A look for each method, to be used in every figure that shows it."""
    endless = map(Look, cycle(_COLOURS), cycle(_MARKERS), cycle(_DASHES))
    return dict(zip(methods, islice(endless, len(methods)), strict=True))


@matplotlib.rc_context(STYLE)
def entropy(curves: Sequence[Curves], cell_types: Sequence[str], title: str, looks: Mapping[str, Look]) -> Figure:
    """Entropy of the operation weights (nats) after each epoch, one panel per cell type."""
    figure, panels = _panels(len(cell_types), title, _PANEL_HEIGHT)
    for place, (axes, cell_type) in enumerate(zip(panels, cell_types, strict=True)):
        for method in curves:
            _band(axes, method.entropy[:, :, place], looks[method.method], len(curves))
        for operations in sorted({method.operations for method in curves}):
            _uniform(axes, operations)
        axes.set_title(f"{cell_type} cell")
        axes.set_xlabel("search epoch")
        axes.set_ylim(0, 1.15 * log(max(method.operations for method in curves)))
    panels[0].set_ylabel("entropy of operation weights,\nmean over edges (nats)")
    _legend(figure, {method.method: len(method.entropy) for method in curves}, looks)
    return figure


@matplotlib.rc_context(STYLE)
def accuracy(
    curves: Sequence[Curves], columns: Sequence[tuple[str, str]], title: str, looks: Mapping[str, Look]
) -> Figure:
    """Accuracy (%) of the cell derived after each epoch, one panel per (dataset, split)."""
    figure, panels = _panels(len(columns), title, _PANEL_HEIGHT)
    for place, (axes, (dataset, split)) in enumerate(zip(panels, columns, strict=True)):
        for method in curves:
            _band(axes, method.accuracy[:, :, place], looks[method.method], len(curves))
        axes.set_title(f"{dataset}, {split}")
        axes.set_xlabel("search epoch")
    panels[0].set_ylabel("accuracy of the current cell\nafter 200 epochs of training (%)")
    _legend(figure, {method.method: len(method.accuracy) for method in curves}, looks)
    return figure


@matplotlib.rc_context(STYLE)
def final(finals: pd.DataFrame, columns: Sequence[tuple[str, str]], title: str, looks: Mapping[str, Look]) -> Figure:
    """Accuracy (%) of each search's cell, a point per seed, and their mean; one panel per (dataset, split).

    `finals` holds the runs of one group under one selection (`accuracies.final`).
    """
    seeds = finals.groupby("method")["key"].nunique()
    labels = {method: fill(f"{_label(method)} (n\xa0=\xa0{seeds[method]})", 36) for method in looks if method in seeds}
    row_height = max(0.36, 0.17 * max(label.count("\n") + 1 for label in labels.values()))
    figure, panels = _panels(len(columns), title, height=0.9 + row_height * len(labels))
    figure.set_figwidth(figure.get_figwidth() + 2)  # for the names of the methods
    for axes, (dataset, split) in zip(panels, columns, strict=True):
        shown = finals[(finals["dataset"] == dataset) & (finals["split"] == split)].groupby("method")["value"]
        for row, method in enumerate(labels):
            if method in shown.groups:
                _strip(axes, row, shown.get_group(method).to_numpy(dtype=float), looks[method])
        axes.set_title(f"{dataset}, {split}")
        axes.set_xlabel("accuracy (%)")
        axes.set_yticks(range(len(labels)), [])
        axes.set_ylim(len(labels) - 0.5, -0.5)
    panels[0].set_yticks(range(len(labels)), list(labels.values()))
    point = Line2D([], [], color="0.5", marker="o", linestyle="none")
    mean = Line2D([], [], color="black", marker="|", markersize=13, markeredgewidth=1.6, linestyle="none")
    note = "cell of the last epoch, after 200 epochs of training"
    figure.legend([point, mean], ["one search", "mean"], title=note, loc="outside lower center", ncols=2)
    return figure


def _panels(count: int, title: str, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(max(5.2, _PANEL_WIDTH * count), height + 0.7), layout="constrained")
    figure.suptitle(_label(title))
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _band(axes: Axes, values: Floats, look: Look, methods: int) -> None:
    """The mean of (n, T) curves, and a band from the smallest to the largest, fainter among many methods."""
    epochs = np.arange(1, values.shape[1] + 1)
    step = max(1, len(epochs) // 8)
    shift = _MARKERS.index(look.marker) % step  # markers of curves that coincide stand side by side
    axes.fill_between(
        epochs, values.min(axis=0), values.max(axis=0), color=look.color, alpha=min(0.15, 0.75 / methods), lw=0
    )
    axes.plot(epochs, values.mean(axis=0), **look._asdict(), markevery=(shift, step))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _uniform(axes: Axes, operations: int) -> None:
    """Where all operations weigh the same, named beside the panel, where no curve can be."""
    axes.axhline(log(operations), color="0.4", linestyle="--", linewidth=0.9)
    beside = axes.get_yaxis_transform()
    axes.text(1.01, log(operations), f"ln {operations} (uniform)", transform=beside, va="center", color="0.3", size=7)


def _strip(axes: Axes, row: int, values: Floats, look: Look) -> None:
    """Points of one method, spread over the row so that equal values stay visible, on a line at their mean."""
    spread = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(len(values))
    axes.plot(values, row + spread, look.marker, color=look.color, alpha=0.75, markeredgewidth=0)
    axes.plot([values.mean()] * 2, [row - 0.33, row + 0.33], color="black", linewidth=1.6, zorder=1)


def _legend(figure: Figure, seeds: Mapping[str, int], looks: Mapping[str, Look]) -> None:
    """Below the panels, where it covers nothing; `seeds` gives the number of searches of each method."""
    handles = [Line2D([], [], **looks[method]._asdict()) for method in seeds]
    labels = [_label(f"{method} (n = {n})") for method, n in seeds.items()]
    letters = figure.get_figwidth() * 72 / 4.2
    columns = max(1, min(len(labels), int(letters / (max(map(len, labels)) + 10))))
    rows = ceil(len(labels) / columns)
    figure.set_figheight(figure.get_figheight() + 0.18 * (rows + 1))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=ceil(len(labels) / rows),
        title="line: mean over n searches; band: smallest to largest",
    )


def _label(text: str) -> str:
    """Text that matplotlib draws as it is: it would read formulas between dollars and hide labels that begin with _."""
    text = printable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
