"""The leaderboard in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

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
    for block in tables.tables(report):
        if block.group != group:
            group = block.group
            yield from ("", f"## {escape(group.title)}", "", f"{escape(group.sentence)}.")
        yield from ("", f"### {escape(block.caption)}", "")
        yield from _block(block)
    for summary in tables.summaries(report):
        yield from ("", f"## {escape(summary.title)}", "", *(f"- {escape(note)}" for note in summary.notes), "")
        yield from table([*map(escape, summary.headings)], [[*map(escape, row)] for row in summary.rows])
    for heading, lines in tables.remarks(report):
        yield from ("", f"## {heading}", "", *(f"- {escape(line)}" for line in lines))


def _block(block: Table) -> Iterator[str]:
    yield from table(["method", *map(escape, block.columns)], ())
    for number, lines in enumerate(block.rows):
        if tables.begins_controls(block.rows, number):
            yield _row([f"*{controls.FAMILY}*", *[""] * len(block.columns)])
        yield from _method(lines)


def _method(rows: Lines) -> Iterator[str]:
    """Lines of a method: the first starts with the method's name, the others with their headings."""
    for number, (heading, entries) in enumerate(rows.lines):
        yield _row([escape(heading) if number else f"**{escape(rows.method)}**", *map(escape, entries)])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table of texts that are Markdown already."""
    yield from map(_row, (headings, ["---"] * len(headings), *rows))


def _row(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"
