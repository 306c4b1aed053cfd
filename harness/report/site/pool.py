"""Deduplicated values that the page's data refers to by index."""

from __future__ import annotations

from typing import Any


class Pool:
    def __init__(self) -> None:
        self.values: list[Any] = []
        self._indices: dict[str, int] = {}

    def index(self, value: Any) -> int:
        """Index of a JSON value in `values`, appended if it is new."""
        text = value if isinstance(value, str) else repr(value)
        if text not in self._indices:
            self._indices[text] = len(self.values)
            self.values.append(value)
        return self._indices[text]
