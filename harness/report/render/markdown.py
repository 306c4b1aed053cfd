"""The leaderboard in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.report import controls
from harness.report.content import Report
from harness.report.render import tables
from harness.report.render.tables import Lines, Table
from harness.text import printable


def render(report: Report) -> str:
    """The whole document. All external text is escaped."""
    return "\n".join(_page(report)) + "\n"


def escape(text: str) -> str:
    """Escape text so that Markdown shows it verbatim, also in tables, and HTML parsers see no tags."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]#|~$])", r"\\\1", text)


def _page(report: Report) -> Iterator[str]:
    yield "# Leaderboard"
    group = None
    for table in tables.tables(report):
        if table.group != group:
            group = table.group
            yield from ("", f"## {escape(group.title)}", "", f"{escape(group.sentence)}.")
        yield from ("", f"### {escape(table.caption)}", "")
        yield from _table(table)
    for summary in tables.summaries(report):
        yield from ("", f"## {escape(summary.title)}", "", *(f"- {escape(note)}" for note in summary.notes), "")
        yield _row([*map(escape, summary.headings)])
        yield _row(["---"] * len(summary.headings))
        yield from (_row([*map(escape, row)]) for row in summary.rows)
    for heading, lines in tables.remarks(report):
        yield from ("", f"## {heading}", "", *(f"- {escape(line)}" for line in lines))


def _table(table: Table) -> Iterator[str]:
    yield _row(["method", *map(escape, table.columns)])
    yield _row(["---"] * (1 + len(table.columns)))
    for number, lines in enumerate(table.rows):
        if tables.begins_controls(table.rows, number):
            yield _row([f"*{controls.FAMILY}*", *[""] * len(table.columns)])
        yield from _method(lines)


def _method(rows: Lines) -> Iterator[str]:
    """Lines of a method: the first starts with the method's name, the others with their headings."""
    for number, (heading, entries) in enumerate(rows.lines):
        yield _row([escape(heading) if number else f"**{escape(rows.method)}**", *map(escape, entries)])


def _row(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"
