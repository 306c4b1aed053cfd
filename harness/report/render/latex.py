r"""The leaderboard in LaTeX: one `table` per block, for a document that loads booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.content import Report
from harness.report.render import tables
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


def render(report: Report) -> str:
    """All tables, then the remarks. All external text is escaped."""
    return "\n".join(_page(report)) + "\n"


def escape(text: str) -> str:
    """Escape text so that LaTeX prints it verbatim."""
    return "".join(_SPECIAL.get(letter, letter) for letter in printable(text))


def _page(report: Report) -> Iterator[str]:
    yield r"% Needs \usepackage{booktabs}"
    for table in tables.tables(report):
        yield from _table(table)
    for heading, lines in tables.remarks(report):
        yield from ("", rf"\paragraph{{{heading}}}", r"\begin{itemize}")
        yield from (rf"\item {escape(line)}" for line in lines)
        yield r"\end{itemize}"


def _table(table: Table) -> Iterator[str]:
    yield from ("", r"\begin{table}", r"\centering", r"\scriptsize", r"\setlength{\tabcolsep}{3pt}")
    yield rf"\caption{{{escape(f'{table.group.title}; {table.group.sentence}. {table.caption}.')}}}"
    yield rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}"
    yield r"\toprule"
    yield row(["method", *table.columns])
    for lines in table.rows:
        yield r"\midrule"
        yield from _method(lines)
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _method(rows: Lines) -> Iterator[str]:
    """Lines of a method: the first starts with the method's name, the others with their headings."""
    for number, (heading, entries) in enumerate(rows.lines):
        yield row([heading if number else rows.method, *entries])


def row(entries: Sequence[str]) -> str:
    """A line of a table; every entry is escaped."""
    return rf"{' & '.join(map(escape, entries))} \\"
