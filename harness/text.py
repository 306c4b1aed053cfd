"""Text from records, files and users, as it may be shown on a line."""

from __future__ import annotations

from rich.text import Text


def printable(text: str) -> str:
    """Replace control characters and line breaks, e.g. of method names or tracebacks, by spaces."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)


def verbatim(text: str, style: str = "") -> Text:
    """Text that rich prints as it is, without interpreting markup, emoji codes or control characters."""
    return Text(printable(text), style)
