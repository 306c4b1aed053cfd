"""Drawings of cells for the page: paths and positions in SVG units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import hypot
from typing import Any

from harness.benchmarks.base import Graph
from harness.report.figures import cells
from harness.report.site.pool import Pool
from harness.text import printable

_SMALL, _LARGE = (300, 150), (400, 230)
"""Width and height of a drawing with up to 4 nodes, and with more."""
_RADIUS = 13  # of a node, including the gap before an arrowhead
_BOW = 26  # bend of a second edge between the same nodes


class Drawings:
    """Drawings of cells with deduplicated parts.

    `kinds`: title, view box and nodes (name, x, y) of a graph; `edges`: name, line, head and label position (x, y);
    `operations`: identifier, label, colours on a light and a dark page, dashes.
    """

    def __init__(self) -> None:
        self.kinds, self.edges, self.operations = Pool(), Pool(), Pool()

    def draw(self, graphs: Sequence[Graph]) -> list[Any] | None:
        """For each graph of a cell, the index of its kind and alternating indices of edges and operations; None without
        graphs."""
        return [self._graph(graph) for graph in graphs] or None

    def _graph(self, graph: Graph) -> list[Any]:
        width, height = _SMALL if len(graph.nodes) <= 4 else _LARGE
        points = [(22 + x * (width - 44), height - 16 - y * (height - 32)) for x, y in cells.positions(graph)]
        nodes = [
            [name.replace("-", "\u2212"), round(x, 1), round(y, 1)]
            for name, (x, y) in zip(graph.nodes, points, strict=True)
        ]
        kind = self.kinds.index([printable(graph.title), f"0 0 {width} {height}", nodes])
        share = 0.5 if len(graph.nodes) <= 4 else 0.62  # position of the label along an edge
        drawn: Counter[tuple[int, int]] = Counter()
        edges = []
        for source, target, operation in graph.edges:
            arrow = _arrow(points[source], points[target], _BOW * drawn[source, target], share)
            drawn[source, target] += 1
            edges += [self.edges.index([f"{source} to {target}", *arrow]), self._operation(operation)]
        return [kind, edges]

    def _operation(self, name: str) -> int:
        look = cells.looks(name)
        return self.operations.index([printable(name), *look[:3], " ".join(map(str, look.dashes))])


@cache
def _arrow(start: tuple[float, float], end: tuple[float, float], bend: float, share: float) -> tuple[Any, ...]:
    """Line and head of an edge curved by `bend`, and the position (x, y) of its label."""
    (x0, y0), (x1, y1) = start, end
    length = hypot(x1 - x0, y1 - y0)
    across, down = (x1 - x0) / length, (y1 - y0) / length

    def point(along: float, aside: float) -> tuple[float, float]:
        return round(x0 + along * across - aside * down, 1), round(y0 + along * down + aside * across, 1)

    tip = length - _RADIUS
    line = f"M{_pair((x0, y0))} Q{_pair(point(length / 2, bend))} {_pair(point(tip, 0))}"
    head = " ".join(
        f"{letter}{_pair(at)}"
        for letter, at in zip("MLL", (point(tip - 6, 3.5), point(tip, 0), point(tip - 6, -3.5)), strict=True)
    )
    return line, head, *point(share * length, bend / 2)


def _pair(point: tuple[float, float]) -> str:
    return f"{point[0]:.5g},{point[1]:.5g}"
