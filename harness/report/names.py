"""Which rows of a leaderboard a user means: labels in full, or bare names where only one row has them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.experiment.config import Label
from harness.text import printable


def split(text: str) -> list[str]:
    """Labels between commas outside of brackets, each once: `a,b [epochs=3, lr=0.1]` are two labels."""
    return list(dict.fromkeys(_parts(text)))


def several(text: str) -> list[str]:
    """The labels of a comparison. ValueError for fewer than two, or for one twice."""
    labels = _parts(text)
    if len(labels) < 2 or not all(labels):
        raise ValueError(f"a comparison needs at least two methods, as in A,B; got {text!r}")
    if len(set(labels)) < len(labels):
        raise ValueError(f"a method cannot be compared with itself: {text!r}")
    return labels


def _parts(text: str) -> list[str]:
    return [name.strip() for name in re.split(r",(?![^\[]*\])", text)]


def resolve(labels: Mapping[str, Label], name: str) -> str:
    """The label that a name means: a label itself; one without the digest or the version of its method; or the only one
    with this method, whatever its details.

    ValueError, in one line, if there is none or more than one.
    """
    if name in labels:
        return name
    plain = {text: Label(re.sub(r"@.*| v\d+$", "", label.name), label.details) for text, label in labels.items()}
    for found in (
        [text for text, label in plain.items() if str(label) == name],
        [text for text, label in labels.items() if name in (label.name, plain[text].name)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(printable(f"several rows are called {name}, name one in full: {'; '.join(found)}"))
    raise ValueError(printable(f"no runs of {name} in these results; available: {'; '.join(labels) or 'no methods'}"))


def resolved(labels: Mapping[str, Label], names: Sequence[str]) -> list[str]:
    """`resolve` for several names. ValueError also if two of them mean the same row."""
    found = [resolve(labels, name) for name in names]
    if len(set(found)) < len(found):
        raise ValueError(printable(f"a method cannot be compared with itself: {', '.join(names)}"))
    return found
