"""A comparison of methods as files: comparison.csv and comparison.tex."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report import columns
from harness.report.matrix import CAPTION, Matrix
from harness.report.render.latex import END, begin, escape, line, row
from harness.report.render.wording import NOTHING, p_plain
from harness.report.sentences import Comparison, Comparisons
from harness.report.statistics import ALPHA


def csv(found: Comparisons) -> str:
    """One line per pair of methods, group, dataset and split; columns `columns.COMPARISON`."""
    frame = columns.frame(columns.COMPARISON, found.comparisons)
    return frame.to_csv(index=False, lineterminator="\n")


def latex(found: Comparisons, matrix: Matrix | None) -> str:
    """The same as a table, followed by the wins, ties and losses; needs booktabs."""
    return "\n".join(["% Needs \\usepackage{booktabs}", *_differences(found), *_wins(matrix)]) + "\n"


def _differences(found: Comparisons) -> Iterator[str]:
    shared = f" All with {found.shared}." if found.shared else ""
    yield from begin(
        "Differences in accuracy (points), first method minus second, with 95 % interval; p is corrected by Holm's"
        f" method, bold where at most {ALPHA}.{shared}",
        "comparison",
        "lllrrr",
    )
    yield row(["first", "second", "dataset, split", "difference", "95 % interval", "p"])
    group = None
    for each in found.comparisons:
        if each.group != group:
            group = each.group
            yield from (r"\midrule", rf"\multicolumn{{6}}{{l}}{{\emph{{{escape(group.labelled_title)}}}}} \\")
        yield _difference(each)
    yield from END


def _difference(each: Comparison) -> str:
    interval = f"{each.interval.low:+.2f} to {each.interval.high:+.2f}" if each.interval else NOTHING
    p = escape(NOTHING if each.outcome == "untested" else p_plain(each.corrected))
    words = map(escape, [each.first, each.second, f"{each.dataset}, {each.split}", f"{each.mean:+.2f}", interval])
    bold = rf"\textbf{{{p}}}" if each.significant else p
    return line([*words, bold])


def _wins(matrix: Matrix | None) -> Iterator[str]:
    if matrix is None:
        return
    places = range(len(matrix.methods))
    yield from begin(CAPTION, "wins", "l" + "c" * len(matrix.methods))
    yield row(["", *matrix.methods])
    yield r"\midrule"
    for place in places:
        yield row([matrix.methods[place], *(matrix.text(place, column) for column in places)])
    yield from END
