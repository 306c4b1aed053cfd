"""What random search over the settings of methods has reached, against the budget that it has spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from harness.report.curves import Floats
from harness.report.figures.page import GAP, LEFT, RIGHT, label_below, page
from harness.report.figures.style import MIDDLE, STYLE, Looks, band, handle, label, line, middle
from harness.report.tuning import Reached

_WIDTH, _HEIGHT = 2.5, 2.3  # inches, of a panel


@matplotlib.rc_context(STYLE)
def tuning(
    methods: Sequence[Reached],
    drawn: Mapping[str, bool],
    columns: Sequence[tuple[str, str]],
    budget: float,
    selection: str,
    title: str,
    looks: Looks,
    evaluation: str,
    chooser: str,
    comparable: bool,
) -> Figure:
    """The best trial so far: in the first panel by the accuracy that chooses it, in the others the accuracy of its
    cell, one panel per column.

    Args:
        drawn: whether settings of a method were drawn.
        columns: (dataset, split) pairs.
        budget: multiply-adds.
        selection: what chooses a trial.
        evaluation: how accuracies of cells were obtained.
        chooser: the same in short.
        comparable: whether the accuracy that chooses is of the same kind of network for all methods.
    """
    power = int(np.floor(np.log10(budget)))
    entries = [(handle(looks[method.method]), _entry(method, drawn[method.method])) for method in methods]
    note = f"line: mean over n tunings of the best trial so far, chosen by {selection}; band: {MIDDLE}"
    note += "; first trial: the default settings; all trials count against the budget"
    if evaluation and columns:
        note += f"; accuracies of cells {evaluation}"
    if not comparable:
        note += ". Left: accuracies of different supernets, which compare the trials of one method, not methods"
    width = LEFT + RIGHT + _WIDTH * (1 + len(columns)) + GAP * len(columns)
    result = page(width, _HEIGHT, title, note, entries)
    panels = result.panels(1, 1 + len(columns), LEFT, RIGHT, (GAP, 0))[0]
    titles = [f"chosen by: {chooser}", *(f"its cell: {dataset}, {split}" for dataset, split in columns)]
    for place, (axes, heading) in enumerate(zip(panels, titles, strict=True)):
        for method in methods:
            values = method.values[:, :, place]
            if np.isnan(values).any():
                continue
            x = method.spent / 10**power
            band(axes, x, middle(values), looks[method.method], len(methods), step=True)
            line(axes, x, _mean(values), looks[method.method], step=True)
        axes.set_title(label(heading))
        axes.set_xlim(0, 1.02 * budget / 10**power)
        label_below(axes, f"multiply-adds spent (1e{power})")
    panels[0].set_ylabel("accuracy (%)")
    return result.figure


def _mean(values: Floats) -> Floats:
    return np.asarray(values.mean(axis=0))


def _entry(method: Reached, drawn: bool) -> str:
    fewest, most = method.trials
    trials = f"{most}" if fewest == most else f"{fewest} to {most}"
    kind = "" if drawn else ", defaults only"
    return f"{label(method.method)} (n\xa0=\xa0{method.tunings}, {trials} trials{kind})"
