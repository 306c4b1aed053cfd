"""What is to be drawn: figures as data, so that another process can draw them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure as the function that draws it and plain values for its parameters: cheap to send to another process."""

    name: str
    """Of its files, without suffix."""
    function: Callable[..., Figure]
    values: Mapping[str, Any]
    on_page: bool = True
    """Whether the page embeds it; the page draws cells itself."""

    def figure(self) -> Figure:
        return self.function(**self.values)


def numbered(name: str, names: Counter[str]) -> str:
    """A name for files, with a number if `names` have it already."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", name)[:100].strip("-")
    names[name] += 1
    return f"{name}-{names[name]}" if names[name] > 1 else name
