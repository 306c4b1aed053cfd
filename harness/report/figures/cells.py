"""Found cells as graphs: read from their strings, and drawn with the number of searches that found them."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, cos, pi, sin
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.report.render.wording import printable

if TYPE_CHECKING:  # looking at strings needs no matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 3
"""Cells that a figure draws of each method, if they are small."""

_HEIGHT = 10.3  # inches of all cells of a figure; the page has those that do not fit
_RADIUS = 0.085  # inches, of a node
_HALF_LINE = 0.055  # inches, half the height of an edge's label
_SHARES = (0.5, 0.6, 0.4, 0.68, 0.32)
"""Of an edge, where its label may stand; the first that is free."""


@dataclass(frozen=True)
class Graph:
    """One cell: nodes in topological order, and edges (source, target, operation); no operation is a concatenation."""

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]


class Look(NamedTuple):
    """How an operation is drawn. The label says which it is; colour and dashes only help the eye."""

    label: str
    color: str
    dark: str
    """Colour on a dark page."""
    dashes: tuple[float, ...] = ()


LOOKS = {
    "none": Look("zero", "#8a8a8a", "#8a8a8a", (1, 2.5)),
    "skip_connect": Look("skip", "#333333", "#d8d8d8", (5, 2)),
    "nor_conv_1x1": Look("conv 1×1", "#0072B2", "#56B4E9"),
    "nor_conv_3x3": Look("conv 3×3", "#C24E00", "#FF9A4D"),
    "avg_pool_3x3": Look("avg pool", "#007A5A", "#3CCBA0", (6, 2, 1, 2)),
    "max_pool_3x3": Look("max pool", "#A34D7F", "#E59AC6", (6, 2, 1, 2)),
    "sep_conv_3x3": Look("sep 3×3", "#C24E00", "#FF9A4D"),
    "sep_conv_5x5": Look("sep 5×5", "#8A6100", "#E6B84D"),
    "dil_conv_3x3": Look("dil 3×3", "#0072B2", "#56B4E9"),
    "dil_conv_5x5": Look("dil 5×5", "#4B4BB0", "#A6A6FF"),
    "": Look("", "#a0a0a0", "#808080"),
}

LAYOUTS = {
    # Without crossings: the last inner node lies inside the triangle of the others.
    4: ((0.0, 0.0), (0.4, 1.0), (0.5, 0.4), (1.0, 0.0)),
    # On an ellipse, so that no edge passes a third node: inputs left, output right, inner nodes above and below.
    7: ((0.0, 0.78), (0.0, 0.22), (0.28, 1.0), (0.34, 0.0), (0.66, 1.0), (0.74, 0.0), (1.0, 0.5)),
}
"""Places of the nodes in the unit square, by their number."""


def graphs(text: str) -> tuple[Graph, ...]:
    """The graphs of a cell string, one per cell type: NAS-Bench-201 strings and DARTS genotypes.

    ValueError if it is neither.
    """
    return _genotype(text) if text.startswith("Genotype(") else (_nasbench201(text),)


def layout(nodes: int) -> tuple[tuple[float, float], ...]:
    """Places of so many nodes in the unit square."""
    if nodes in LAYOUTS:
        return LAYOUTS[nodes]
    angles = [pi - 2 * pi * node / nodes for node in range(nodes)]
    return tuple((0.5 + cos(angle) / 2, 0.5 + sin(angle) / 2) for angle in angles)


def most_found(counts: Counter[str], shown: int) -> list[tuple[str, int]]:
    """The cells found most often, those that were found as often in the order of their strings."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:shown]


def can_draw(counts: Counter[str]) -> bool:
    try:
        return all(graphs(cell) for cell in counts)
    except ValueError:
        return False


# Drawing --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """How the panels of a figure are arranged, inches."""

    width: float
    height: float
    panels: int
    """Of one method, beside each other."""
    cells: int
    """That these panels show."""
    beside: int
    """Methods beside each other."""

    @property
    def row(self) -> float:
        """Height of a row of methods, with their names above and their counts below the panels."""
        return self.height + 0.56

    @property
    def step(self) -> float:
        """Width of a method and the space to the next one."""
        return self.width * self.panels + 0.3


def figure(found: Mapping[str, Counter[str]], title: str) -> Figure:
    """For each method the cells that most of its searches found. `found` counts the searches of each cell.

    Methods that do not fit the page are left out, which the note says. ValueError if a cell cannot be read.
    """
    import matplotlib

    from harness.report.figures.page import page
    from harness.report.figures.style import STYLE

    shape = _shape(found)
    shown = dict(list(found.items())[: shape.beside * int((_HEIGHT + 0.2) / shape.row)])
    rows = ceil(len(shown) / shape.beside)
    width = max(5.4, shape.step * min(shape.beside, len(shown)) + 0.1)
    with matplotlib.rc_context(STYLE):
        drawn = page(width, shape.row * rows, title, _note(len(found), len(shown), shape.cells), (), 0.12, 0.0)
        sheet = _Sheet.over(drawn.figure)
        for place, (method, counts) in enumerate(shown.items()):
            x = 0.2 + shape.step * (place % shape.beside)
            y = sheet.height - drawn.top - shape.row * (place // shape.beside)
            _draw_method(sheet, method, counts, shape, (x, y))
        sheet.finish()
    return drawn.figure


def _shape(found: Mapping[str, Counter[str]]) -> _Shape:
    """Small cells of one graph: `SHOWN` of each method; of larger ones the one found most often, with its graphs."""
    drawn = [graphs(cell) for counts in found.values() for cell, _ in most_found(counts, SHOWN)]
    most = max(map(len, drawn))
    if most == 1 and max(len(graph.nodes) for (graph,) in drawn) <= 4:
        cells = max(min(SHOWN, len(counts)) for counts in found.values())
        return _Shape(1.8, 0.9, cells, cells, 2)
    return _Shape(2.75, 1.5, most, 1, 2 if most <= 2 else 1)


def _note(methods: int, shown: int, cells: int) -> str:
    which = f"the {cells} found most often" if cells > 1 else "the one found most often (first by name among equals)"
    note = f"cells of the last epoch: {which}, and how many of the method's searches found each"
    return note if shown == methods else f"{note}; the first {shown} of {methods} methods"


def _draw_method(sheet: _Sheet, method: str, counts: Counter[str], shape: _Shape, corner: tuple[float, float]) -> None:
    """From the upper left corner, in inches: its name, and its panels side by side."""
    from harness.report.figures.style import label

    x, y = corner
    heading = shorten(label(method), int(shape.width * shape.panels * 72 / 5.4), placeholder=" …")
    sheet.write(x - 0.08, y - 0.12, heading, size=9, ha="left")
    panels = [(graph, count) for cell, count in most_found(counts, shape.cells) for graph in graphs(cell)]
    for place, (graph, count) in enumerate(panels[: shape.panels]):
        left = x + shape.width * place
        _draw_graph(sheet, graph, (left, y - 0.3 - shape.height), (shape.width - 0.35, shape.height))
        caption = f"{graph.title}: {count} of {counts.total()}"
        sheet.write(left + shape.width / 2 - 0.17, y - 0.3 - shape.height - 0.17, caption, size=7.5)


def _draw_graph(sheet: _Sheet, graph: Graph, origin: tuple[float, float], size: tuple[float, float]) -> None:
    places = [(origin[0] + across * size[0], origin[1] + up * size[1]) for across, up in layout(len(graph.nodes))]
    labels: list[tuple[float, float, float]] = []
    for source, target, bend, operation in bent(graph):
        sheet.edge(places[source], places[target], bend, looks(operation), labels)
    for place, name in zip(places, graph.nodes, strict=True):
        sheet.node(place, name)


class _Sheet:
    """One set of axes in inches over a whole figure, with a single object for all edges of a kind and for all nodes:
    an object for each of them takes many times longer to draw."""

    def __init__(self, axes: Axes, height: float) -> None:
        self.axes = axes
        self.height = height
        self._edges: dict[Look, list[Any]] = defaultdict(list)
        self._heads: dict[Look, list[Any]] = defaultdict(list)
        self._behind: list[Any] = []
        self._nodes: list[tuple[float, float]] = []

    @classmethod
    def over(cls, figure: Figure) -> _Sheet:
        width, height = figure.get_size_inches()
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(0, height))
        axes.set_axis_off()
        return cls(axes, height)

    def write(self, x: float, y: float, text: str, size: float = 6.5, ha: str = "center", color: str = "black") -> None:
        self.axes.text(x, y, text, size=size, ha=ha, va="center", color=color, zorder=4)

    def node(self, place: tuple[float, float], name: str) -> None:
        self._nodes.append(place)
        self.write(*place, name)

    def edge(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        bend: float,
        look: Look,
        labels: list[tuple[float, float, float]],
    ) -> None:
        """An arrow from node to node; its label is put where it covers none of `labels` (x, y, half of the width)."""
        from harness.report.figures.style import label

        path = _between(np.array(start), np.array(end), bend)
        self._edges[look].append(path[:-1])
        self._heads[look].append(_head(path[-1], path[-1] - path[-3]))
        if not look.label:
            return
        text = label(look.label)
        half = 0.025 * len(text) + 0.02
        places = [(float(x), float(y), half) for x, y in (path[round(at * (len(path) - 1))] for at in _SHARES)]
        x, y, _ = place = next((place for place in places if _free(place, labels)), places[0])
        labels.append(place)
        low, high = y - _HALF_LINE, y + _HALF_LINE
        self._behind.append([(x - half, low), (x + half, low), (x + half, high), (x - half, high)])
        self.write(x, y, text, color=look.color)

    def finish(self) -> None:
        from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection

        for look, paths in self._edges.items():
            style: Any = (0, look.dashes) if look.dashes else "solid"
            self.axes.add_collection(
                LineCollection(paths, colors=look.color, linestyles=style, linewidths=1.2, zorder=1)
            )
            heads = PolyCollection(self._heads[look], facecolors=look.color, edgecolors="none", zorder=2.5)
            self.axes.add_collection(heads)
        self.axes.add_collection(PolyCollection(self._behind, facecolors="white", edgecolors="none", zorder=2))
        diameter = [2 * _RADIUS] * len(self._nodes)
        circles = EllipseCollection(
            diameter, diameter, [0], units="xy", offsets=self._nodes, offset_transform=self.axes.transData,
            facecolors="0.93", edgecolors="0.3", linewidths=0.8, zorder=3,
        )  # fmt: skip
        self.axes.add_collection(circles)


def _free(place: tuple[float, float, float], labels: Sequence[tuple[float, float, float]]) -> bool:
    x, y, half = place
    return all(abs(x - left) > half + width or abs(y - low) > 2 * _HALF_LINE for left, low, width in labels)


def _between(start: NDArray[np.float64], end: NDArray[np.float64], bend: float) -> NDArray[np.float64]:
    """Points on a curve from the border of one node to that of another; `bend` moves its middle to the right."""
    along = end - start
    control = (start + end) / 2 + bend * np.array([along[1], -along[0]])
    t = np.linspace(0, 1, 41 if bend else 21)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    far = [np.linalg.norm(curve - node, axis=1) > _RADIUS for node in (start, end)]
    kept: NDArray[np.float64] = curve[far[0] & far[1]]
    return np.vstack([_border(start, kept[0]), kept, _border(end, kept[-1])])


def _border(node: NDArray[np.float64], towards: NDArray[np.float64]) -> NDArray[np.float64]:
    place: NDArray[np.float64] = node + _RADIUS * (towards - node) / np.linalg.norm(towards - node)
    return place


def _head(tip: NDArray[np.float64], along: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    forward = along / np.linalg.norm(along)
    aside = np.array([forward[1], -forward[0]])
    return [tip, tip - 0.085 * forward + 0.035 * aside, tip - 0.085 * forward - 0.035 * aside]


def bent(graph: Graph) -> Iterator[tuple[int, int, float, str]]:
    """Edges with a bend, which is zero unless two of them join the same nodes."""
    joined = Counter((source, target) for source, target, _ in graph.edges)
    seen: Counter[tuple[int, int]] = Counter()
    for source, target, operation in graph.edges:
        pair = (source, target)
        yield source, target, 0.5 * (seen[pair] - (joined[pair] - 1) / 2), operation
        seen[pair] += 1


def looks(operation: str) -> Look:
    """The look of an operation; one that is not known is drawn in grey under its own name."""
    return LOOKS.get(operation, Look(printable(operation), "#666666", "#aaaaaa"))


# Cell strings --------------------------------------------------------------------------------------------------------


def _nasbench201(text: str) -> Graph:
    """E.g. `|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|`: one part per node."""
    parts = [re.findall(r"([a-z0-9_]+)~([0-9])", part) for part in text.split("+")]
    written = "+".join("|" + "".join(f"{name}~{source}|" for name, source in part) for part in parts)
    edges = tuple((int(source), target, name) for target, part in enumerate(parts, 1) for name, source in part)
    if written != text or [edge[:2] for edge in edges] != [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]:
        raise ValueError(f"not a cell that can be drawn: {text[:200]!r}")
    return Graph("cell", ("in", "1", "2", "out"), edges)


def _genotype(text: str) -> tuple[Graph, ...]:
    """E.g. `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=range(2, 6), reduce=[...], reduce_concat=...)`.

    Two inputs, 0 and 1; then each node has two edges, of which the list names operation and source.
    """
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or call.args or not call.keywords:
            raise ValueError("not a genotype")
        fields = {keyword.arg: _literal(keyword.value) for keyword in call.keywords}
        types = [name for name in fields if name and not name.endswith("_concat")]
        return tuple(_darts(name, fields[name], fields[f"{name}_concat"]) for name in map(str, types))
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, RecursionError, MemoryError) as error:
        raise ValueError(f"not a cell that can be drawn: {text[:200]!r}") from error


def _literal(node: ast.expr) -> list[Any]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        start, stop = (int(ast.literal_eval(end)) for end in node.args)
        if stop - start > 100:
            raise ValueError("too many nodes")
        return list(range(start, stop))
    return list(ast.literal_eval(node))


def _darts(title: str, edges: list[tuple[str, int]], concat: list[int]) -> Graph:
    inner, odd = divmod(len(edges), 2)
    output = 2 + inner
    chosen = [(int(source), 2 + place // 2, str(name)) for place, (name, source) in enumerate(edges)]
    if (
        odd
        or any(not 0 <= source < target for source, target, _ in chosen)
        or not all(2 <= node < output for node in concat)
    ):
        raise ValueError("an edge from nowhere")
    nodes = ("k-2", "k-1", *map(str, range(inner)), "out")
    return Graph(title, nodes, (*chosen, *((node, output, "") for node in concat)))
