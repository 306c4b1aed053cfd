r"""The leaderboard in LaTeX: one `table` per block, for a document that loads booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.report.content import Report
from harness.report.render import tables
from harness.report.render.tables import Lines, Table
from harness.report.render.wording import printable

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "[": "{[}",  # after a line break, these two would be read as its argument and its star
    "*": "{*}",
    "±": r"$\pm$",
    "†": r"$^\dagger$",
    "–": "--",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def render(report: Report) -> str:
    """All tables, then the remarks. Any text that comes from outside is escaped."""
    return "\n".join(_page(report)) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX sets as it is."""
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
    yield _row(["method", *table.columns])
    for lines in table.rows:
        yield r"\midrule"
        yield from _method(lines)
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _method(lines: Lines) -> Iterator[str]:
    yield _row([lines.method, *lines.ours])
    yield _row(["published", *lines.published])
    yield _row(["verdict", *lines.verdict])


def _row(entries: Sequence[str]) -> str:
    return rf"{' & '.join(map(escape, entries))} \\"
