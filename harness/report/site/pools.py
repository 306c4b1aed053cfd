"""Values that many numbers and searches of the page share, stored once and referred to by index."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.benchmarks.base import Graph
from harness.experiment.config import benchmark_name
from harness.experiment.store import MEASURED, Record
from harness.report.columns import COSTS, SIZES
from harness.report.costs import Cost, Size
from harness.report.render.tables import entry
from harness.report.site.drawings import Drawings
from harness.report.site.pool import Pool
from harness.text import printable

KEY_DIGITS = 12
"""Of a run's key, as the page shows it."""
_OF_ONE_RUN = ("started", *MEASURED, "peak_memory_mb")  # provenance fields that runs on one machine do not share


class Pools:
    """Values shared by many rows and searches."""

    def __init__(self, graphs: Mapping[tuple[str, str], Sequence[Graph]]) -> None:
        """`graphs`: the graphs of each cell, by space and architecture string."""
        names = ("texts", "facts", "lines", "beside", "facets", "measures", "origins", "cells")
        self._pools = {name: Pool() for name in names}
        self._drawings = Drawings()
        self._graphs = graphs

    def values(self) -> dict[str, list[Any]]:
        cells = self._pools["cells"].values
        drawn = [self._drawings.draw(self._graphs[cell]) for cell in cells]
        shared = {name: getattr(self._drawings, name).values for name in ("kinds", "edges", "operations")}
        values = {name: pool.values for name, pool in self._pools.items()}
        return {**values, "cells": [string for _, string in cells], "drawings": drawn, **shared}

    def index(self, name: str, value: Any) -> int:
        return self._pools[name].index(value)

    def cell(self, record: Record, architecture: str) -> int:
        """Two spaces may have cells with the same string."""
        return self.index("cells", (benchmark_name(record["config"]), architecture))

    def text(self, text: str) -> int:
        return self.index("texts", printable(text))

    def texts(self, texts: Sequence[str]) -> list[int]:
        return [self.text(text) for text in texts]

    def facts(self, values: Mapping[str, Any]) -> int:
        """Index of a list of (name, value) texts; None values are omitted."""
        texts = {printable(name): as_text(value) for name, value in values.items() if value is not None}
        return self.index("facts", list(texts.items()))

    def machine(self, record: Record) -> int:
        """Machine and versions of a run, as index into `facts`."""
        shared = {name: value for name, value in record["provenance"].items() if name not in _OF_ONE_RUN}
        versions = shared.pop("versions", None) or {}
        return self.facts({**shared, **versions})

    def beside(self, of: Cost | Size) -> int:
        """Ours, published and verdict of a cost or a size, and its sort key, as index into `beside`."""
        of_columns, order = (COSTS, of.order) if isinstance(of, Cost) else (SIZES, of.millions)
        texts = map(printable, entry(of_columns, of).values())
        return self.index("beside", [*texts, None if math.isnan(order) else order])


def short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def as_text(value: Any) -> str:
    """A setting as the page shows it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":")))
