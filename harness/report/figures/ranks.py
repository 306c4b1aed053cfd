"""Mean ranks of methods as a critical-difference diagram."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.report.figures.page import page
from harness.report.figures.style import STYLE, Looks, label
from harness.report.ranks import Ranking
from harness.report.render.wording import p_value
from harness.report.statistics import ALPHA

_WIDTH, _LEAST, _LINE = 7.2, 2.0, 0.2  # inches: width, at least of the axis, height of a line
_LETTERS = 60  # of a name
_NAME_SIZE = 8.5


@matplotlib.rc_context(STYLE)
def diagram(
    ranking: Ranking,
    title: str,
    looks: Looks,
    omitted: Sequence[str] = (),
) -> Figure:
    """Critical-difference diagram (Demšar, JMLR 2006): bars connect methods that do not differ significantly at 0.05.

    `looks` gives every method the same colour as in the other figures (`figures.style.Looks`). `omitted`: methods with
    too few seeds, named in the note.
    """
    from scikit_posthocs import critical_difference_diagram  # type: ignore[import-untyped]

    shown = [shorten(label(method), _LETTERS, placeholder=" …") for method in ranking.methods]
    # Names are on both sides of the rank axis, which gets the remaining width.
    side = 0.3 + (max(map(len, shown)) + 8) * 0.6 * _NAME_SIZE / 72
    width = max(_WIDTH, 2 * side + _LEAST)
    note = f"mean rank over the {ranking.blocks} seeds that all methods have, 1 is best"
    note += "; bars connect methods that do not differ significantly"
    tests = f"Friedman p {p_value(ranking.friedman)}; Wilcoxon signed-rank test with Holm's correction, level {ALPHA}"
    caution = f". Caution: {ranking.caution}" if ranking.caution else ""
    without = f". Omitted, less than half of the seeds: {', '.join(omitted)}" if omitted else ""
    drawn = page(
        width, 0.5 + _LINE * ((len(shown) + 1) // 2 + 2), title, f"{note}. {tests}{caution}{without}", (), 0.4, 0.1
    )
    ((axes,),) = drawn.panels(1, 1, side, side, (0, 0))
    axes.grid(False)
    axes.spines["top"].set_visible(True)
    # Numbers instead of names: the order of the bars comes from sets, which for strings varies between processes.
    numbers = list(range(len(shown)))
    parts = critical_difference_diagram(
        pd.Series(ranking.ranks, numbers),
        pd.DataFrame(ranking.p_values, numbers, numbers),
        alpha=ALPHA,
        ax=axes,
        color_palette={number: looks[ranking.methods[number]].color for number in numbers},
        text_h_margin=0.02 * max(float(ranking.ranks[-1] - ranking.ranks[0]), 1.0),
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"size": _NAME_SIZE},
    )
    for text in parts["labels"]:
        number = int(text.get_text())
        name, rank = shown[number], f"({ranking.ranks[number]:.2f})"
        text.set_text(f"{name} {rank} " if text.get_ha() == "right" else f" {rank} {name}")
        text.set_color("black")  # pale colours are hard to read
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.set_xlabel("mean rank")
    axes.xaxis.set_label_position("top")
    return drawn.figure
