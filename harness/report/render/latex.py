r"""The leaderboard in LaTeX: one `table` per block, and per summary beside it, for a document that loads booktabs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.report import controls
from harness.report.content import Report
from harness.report.render import tables
from harness.report.render.summary import Summary
from harness.report.render.tables import Lines, Table
from harness.text import printable

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "[": "{[}",  # after a line break, LaTeX would parse [ and * as its optional argument and its star
    "*": "{*}",
    "±": r"$\pm$",
    "†": r"$^\dagger$",
    "–": "--",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


WIDEST = 6
"""Columns of a summary that fit the width of a page."""
SMALL = (r"\scriptsize", r"\setlength{\tabcolsep}{3pt}")
END_ROWS = (r"\bottomrule", r"\end{tabular}")
END = (*END_ROWS, r"\end{table}")


def begin(caption: str, name: str, alignment: str, size: Sequence[str] = ()) -> Iterator[str]:
    """A table up to its first line."""
    yield from ("", r"\begin{table}", r"\centering", *size)
    yield from (rf"\caption{{{escape(caption)}}}", rf"\label{{tab:{name}}}")
    yield from (rf"\begin{{tabular}}{{{alignment}}}", r"\toprule")


def render(report: Report) -> str:
    """All tables, then the remarks. All external text is escaped."""
    return "\n".join(_page(report)) + "\n"


def escape(text: str) -> str:
    """Escape text so that LaTeX prints it verbatim."""
    parts = re.split("(?<=-)(?=-)", printable(text))  # two hyphens in a row would be printed as a dash
    return "{}".join("".join(_SPECIAL.get(letter, letter) for letter in part) for part in parts)


def _page(report: Report) -> Iterator[str]:
    yield r"% Needs \usepackage{booktabs}"
    blocks, summaries = list(tables.tables(report)), tables.summaries(report)
    names = [f"leaderboard-{table.group.file_name}" for table in blocks]  # a selection's are without the prefix
    labels = _labels([*names, *(summary.name for summary in summaries)])
    for table in blocks:
        yield from _table(table, next(labels))
    for summary in summaries:
        yield from _summary(summary, next(labels))
    for heading, lines in tables.remarks(report):
        yield from ("", rf"\paragraph{{{heading}}}", r"\begin{itemize}")
        yield from (rf"\item {escape(line)}" for line in lines)
        yield r"\end{itemize}"


def _table(table: Table, label: str) -> Iterator[str]:
    caption = f"{table.group.title}; {table.group.sentence}. {table.caption}."
    yield from begin(caption, label, "l" + "r" * len(table.columns), SMALL)
    yield row(["method", *table.columns])
    for number, lines in enumerate(table.rows):
        yield r"\midrule"
        if tables.begins_controls(table.rows, number):
            yield rf"\multicolumn{{{1 + len(table.columns)}}}{{l}}{{\textit{{{controls.FAMILY}}}}} \\"
        yield from _method(lines)
    yield from END


def _method(rows: Lines) -> Iterator[str]:
    """Lines of a method: the first starts with the method's name, the others with their headings."""
    for number, (heading, entries) in enumerate(rows.lines):
        yield row([heading if number else rows.method, *entries])


def _labels(names: Iterable[str]) -> Iterator[str]:
    """A label for each, such as tuning-nasbench201-quick-digits; the second of a name ends in -2."""
    times: Counter[str] = Counter()
    for given in names:
        name = re.sub(r"[^A-Za-z0-9]+", "-", given).strip("-")
        times[name] += 1
        yield f"{name}-{times[name]}" if times[name] > 1 else name


def _summary(summary: Summary, label: str) -> Iterator[str]:
    """With many columns, a line per method and number; the notes below."""
    fits = len(summary.headings) <= WIDEST
    alignment = "l" + "r" * (len(summary.headings) - 1) if fits else r"llp{0.45\linewidth}"
    yield from begin(f"{summary.title}.", label, alignment, SMALL)
    if fits:
        yield from (row(summary.headings), r"\midrule", *map(row, summary.rows))
    else:
        yield row(["method", "what", "value"])
        for name, *texts in summary.rows:
            yield r"\midrule"
            for place, (heading, text) in enumerate(zip(summary.headings[1:], texts, strict=True)):
                yield row(["" if place else name, heading, text])
    yield from (*END_ROWS, "", r"\smallskip\begin{minipage}{\linewidth}")
    yield from (rf"{escape(note)}\par" for note in summary.notes)
    yield from (r"\end{minipage}", r"\end{table}")


def row(entries: Sequence[str]) -> str:
    """A line of a table; every entry is escaped."""
    return line([*map(escape, entries)])


def line(entries: Sequence[str]) -> str:
    """A line of a table, whose entries are LaTeX already."""
    return rf"{' & '.join(entries)} \\"
