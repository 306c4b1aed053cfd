"""A table with notes, which a report has next to the leaderboard."""

from __future__ import annotations

from typing import NamedTuple


class Summary(NamedTuple):
    """Texts only."""

    name: str
    """For references to it."""
    title: str
    notes: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """The first text of each names a method."""
