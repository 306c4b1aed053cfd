"""The leaderboard in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.report.content import Report
from harness.report.render import tables
from harness.report.render.tables import Lines, Table
from harness.report.render.wording import printable


def render(report: Report) -> str:
    """The whole page. Any text that comes from outside is escaped."""
    return "\n".join(_page(report)) + "\n"


def escape(text: str) -> str:
    """Text that Markdown shows as it is, also inside a table, and that no HTML reader takes for a tag."""
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
    for heading, lines in tables.remarks(report):
        yield from ("", f"## {heading}", "", *(f"- {escape(line)}" for line in lines))


def _table(table: Table) -> Iterator[str]:
    yield _row(["method", *map(escape, table.columns)])
    yield _row(["---"] * (1 + len(table.columns)))
    for lines in table.rows:
        yield from _method(lines)


def _method(lines: Lines) -> Iterator[str]:
    yield _row([f"**{escape(lines.method)}**", *lines.ours])
    yield _row(["published", *map(escape, lines.published)])
    yield _row(["verdict", *lines.verdict])


def _row(entries: Sequence[str]) -> str:
    return f"| {' | '.join(entries)} |"
