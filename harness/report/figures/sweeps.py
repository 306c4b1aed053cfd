"""Accuracy of the final cells against a setting of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from harness.report.curves import Floats
from harness.report.figures.page import GAP, LEFT, RIGHT, label_below, page
from harness.report.figures.style import STYLE, Look, label

_WIDTH, _HEIGHT = 2.6, 2.2  # inches, of a panel
_LOG = 10.0
"""Ratio of the values from which their axis is logarithmic."""


@matplotlib.rc_context(STYLE)
def sweep(
    scores: Mapping[float, Floats],
    columns: Sequence[tuple[str, str]],
    setting: str,
    look: Look,
    title: str,
    evaluation: str,
) -> Figure:
    """Every search as a point and the mean as a line, in one panel per dataset.

    Args:
        scores: (n, columns) accuracies in % by value of the setting, in increasing order; NaN where one is not known.
        columns: (dataset, split) pairs.
        evaluation: how accuracies were obtained, e.g. "after 200 epochs of training".
    """
    values = list(scores)
    counts = sorted({len(each) for each in scores.values()})
    note = f"points: searches ({', '.join(map(str, counts))} of each value); line and its markers: mean"
    note += f"; final cell{', ' if evaluation else ''}{evaluation}"
    width = LEFT + RIGHT + _WIDTH * len(columns) + GAP * (len(columns) - 1)
    drawn = page(width, _HEIGHT, title, note)
    panels = drawn.panels(1, len(columns), LEFT, RIGHT, (GAP, 0))[0]
    logarithmic = values[0] > 0 and values[-1] >= _LOG * values[0]
    for column, (axes, (dataset, split)) in enumerate(zip(panels, columns, strict=True)):
        known = {value: each[:, column][~np.isnan(each[:, column])] for value, each in scores.items()}
        known = {value: each for value, each in known.items() if len(each)}
        for value, each in known.items():
            axes.plot([value] * len(each), each, "o", color=look.color, alpha=0.4, mew=0)
        means = [each.mean() for each in known.values()]
        axes.plot(list(known), means, color=look.color, marker=look.marker, mec="white", ms=6)
        axes.set_title(label(f"{dataset}, {split}"))
        if logarithmic:
            axes.set_xscale("log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.xaxis.set_minor_locator(NullLocator())
        label_below(axes, label(setting))
    panels[0].set_ylabel("accuracy (%)")
    return drawn.figure
