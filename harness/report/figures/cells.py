"""Drawings of cells as graphs, with the searches that selected each and its accuracy."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, cos, pi, sin
from textwrap import shorten
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.benchmarks.base import Graph
from harness.text import printable

if TYPE_CHECKING:  # layouts and looks must be usable without matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 3
"""Number of cells of a method on the page."""
MOST = {True: 8, False: 2}
"""Number of cells in a figure, of small cells and of others."""

_RADIUS = 0.085  # inches, of a node
_HALF_LINE = 0.055  # inches, half the height of an edge's label
_LINE, _LETTER_SIZE = 0.14, 7.5  # inches and points, of the lines below a cell
_SHARES = (0.5, 0.6, 0.4, 0.68, 0.32)
"""Candidate positions of a label along its edge; the first free one is used."""


Pictures = Mapping[str, tuple[Graph, ...]]
"""Architecture string -> graphs, one per cell type."""


class Look(NamedTuple):
    """Style of an operation. The label identifies it; colour and dashes are a visual aid."""

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
    (4, 1): ((0.0, 0.0), (0.4, 1.0), (0.5, 0.4), (1.0, 0.0)),
    # On an ellipse, so that no edge passes a third node: inputs left, output right, inner nodes above and below.
    (6, 1): ((0.0, 0.5), (0.26, 1.0), (0.32, 0.0), (0.68, 1.0), (0.74, 0.0), (1.0, 0.5)),
    (7, 1): ((0.0, 0.5), (0.17, 0.88), (0.27, 0.0), (0.52, 1.0), (0.7, 0.0), (0.86, 0.88), (1.0, 0.5)),
    (7, 2): ((0.0, 0.78), (0.0, 0.22), (0.28, 1.0), (0.34, 0.0), (0.66, 1.0), (0.74, 0.0), (1.0, 0.5)),
}
"""Node positions in the unit square, by number of nodes, and of nodes without an edge into them."""


def layout(nodes: int, inputs: int = 1) -> tuple[tuple[float, float], ...]:
    """Positions of the nodes of a graph in the unit square."""
    if (nodes, inputs) in LAYOUTS:
        return LAYOUTS[nodes, inputs]
    angles = [pi - 2 * pi * node / nodes for node in range(nodes)]
    return tuple((0.5 + cos(angle) / 2, 0.5 + sin(angle) / 2) for angle in angles)


def positions(graph: Graph) -> tuple[tuple[float, float], ...]:
    """Of its nodes, in the unit square."""
    return layout(len(graph.nodes), len(graph.nodes) - len({target for _, target, _ in graph.edges}))


def most_frequent(counts: Counter[str], shown: int) -> list[tuple[str, int]]:
    """The most frequent cells with their counts; ties are in alphabetical order."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:shown]


# Drawing --------------------------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """Arrangement of the cells of a figure, lengths in inches."""

    width: float
    height: float
    """Of the panel of a graph."""
    panels: int
    """Panels per cell, side by side."""
    across: int
    """Cells per row."""
    most: int
    """Cells of the figure."""

    @property
    def row(self) -> float:
        """Height of a row of cells, with the titles of the graphs, if they have several, and two lines below them."""
        return self.height + (3 if self.panels > 1 else 2) * _LINE + 0.3

    @property
    def step(self) -> float:
        """Width of a cell and the space to the next one."""
        return self.width * self.panels + 0.1


def figure(
    seeds: Mapping[str, Sequence[int]],
    pictures: Pictures,
    title: str,
    measured: Mapping[str, str] | None = None,
    note: str = "",
) -> Figure:
    """Draw the final cells of one method's searches, the most frequent ones first.

    Args:
        seeds: of the searches that end with a cell, by cell.
        pictures: the graphs of the cells; those beyond the `MOST` frequent ones may be missing.
        measured: the accuracies of a cell as a short text, by cell.
        note: what these accuracies are.
    """
    import matplotlib

    from harness.report.figures.page import page
    from harness.report.figures.style import STYLE

    counts = Counter({cell: len(of_cell) for cell, of_cell in seeds.items()})
    candidates = [cell for cell, _ in most_frequent(counts, MOST[True])]
    shape = _shape([pictures[cell] for cell in candidates])
    shown = candidates[: shape.most]
    rows = ceil(len(shown) / shape.across)
    width = max(5.4, shape.step * min(shape.across, len(shown)) + 0.2)
    with matplotlib.rc_context(STYLE):
        drawn = page(width, shape.row * rows, title, _note(counts, shown, note), (), 0.12, 0.0)
        sheet = _Sheet.over(drawn.figure)
        for index, cell in enumerate(shown):
            x = 0.25 + shape.step * (index % shape.across)
            y = sheet.height - drawn.top - shape.row * (index // shape.across)
            lines = [f"{counts[cell]} of {counts.total()}: {_named(seeds[cell])}", (measured or {}).get(cell, "")]
            _draw_cell(sheet, pictures[cell], lines, shape, (x, y))
        sheet.finish()
    return drawn.figure


def _shape(cells: Sequence[tuple[Graph, ...]]) -> _Shape:
    """Many cells if they are single graphs of few nodes, else fewer and larger ones."""
    panels = max(map(len, cells))
    if panels == 1 and max(len(graph.nodes) for (graph,) in cells) <= 4:
        return _Shape(1.9, 0.9, 1, 4, MOST[True])
    return _Shape(2.75, 1.5, panels, 2 if panels <= 2 else 1, MOST[False])


def _note(counts: Counter[str], shown: Sequence[str], measured: str) -> str:
    note = f"final cells of {counts.total()} searches, with their seeds"
    if len(shown) < len(counts):
        searches = sum(counts[cell] for cell in shown)
        note += f": the {len(shown)} most frequent of {len(counts)} cells, those of {searches} searches"
    return "; ".join(filter(None, [note, measured]))


def _named(seeds: Sequence[int]) -> str:
    from harness.report.render.wording import ranges

    return f"{'seed' if len(seeds) == 1 else 'seeds'} {ranges(seeds)}"


def _draw_cell(
    sheet: _Sheet, graphs: Sequence[Graph], lines: Sequence[str], shape: _Shape, corner: tuple[float, float]
) -> None:
    """Draw the graphs of a cell and lines below them; `corner` is the upper left one in inches."""
    from harness.report.figures.page import letters

    x, y = corner
    below = y - 0.1 - shape.height - 0.04
    for index, graph in enumerate(graphs):
        left = x + shape.width * index
        _draw_graph(sheet, graph, (left, y - 0.1 - shape.height), (shape.width - 0.35, shape.height))
        if shape.panels > 1:
            sheet.write(left + shape.width / 2 - 0.17, below - _LINE, graph.title, size=_LETTER_SIZE)
    below -= _LINE * (shape.panels > 1)
    middle = x + shape.width * len(graphs) / 2 - 0.17
    longest = letters(shape.width * len(graphs), _LETTER_SIZE)
    for number, text in enumerate(lines, start=1):
        text = shorten(text, longest, placeholder=" …")
        sheet.write(middle, below - number * _LINE, text, size=_LETTER_SIZE)


def _draw_graph(sheet: _Sheet, graph: Graph, origin: tuple[float, float], size: tuple[float, float]) -> None:
    points = [(origin[0] + across * size[0], origin[1] + up * size[1]) for across, up in positions(graph)]
    labels: list[tuple[float, float, float]] = []
    for source, target, bend, operation in bent(graph):
        sheet.edge(points[source], points[target], bend, looks(operation), labels)
    for point, name in zip(points, graph.nodes, strict=True):
        sheet.node(point, name)


class _Sheet:
    """Axes in inches over a whole figure, which draw all edges of one look as a single artist, and likewise all nodes:
    an artist per edge and node takes many times longer to draw."""

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

    def node(self, point: tuple[float, float], name: str) -> None:
        self._nodes.append(point)
        self.write(*point, name)

    def edge(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        bend: float,
        look: Look,
        labels: list[tuple[float, float, float]],
    ) -> None:
        """Add an arrow between nodes and append its label to `labels` (x, y, half width), avoiding overlaps."""
        from harness.report.figures.style import label

        path = _between(np.array(start), np.array(end), bend)
        self._edges[look].append(path[:-1])
        self._heads[look].append(_head(path[-1], path[-1] - path[-3]))
        if not look.label:
            return
        text = label(look.label)
        half = 0.025 * len(text) + 0.02
        candidates = [(float(x), float(y), half) for x, y in (path[round(at * (len(path) - 1))] for at in _SHARES)]
        x, y, _ = box = next((candidate for candidate in candidates if _free(candidate, labels)), candidates[0])
        labels.append(box)
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


def _free(box: tuple[float, float, float], labels: Sequence[tuple[float, float, float]]) -> bool:
    """Whether a label box (x, y, half width) overlaps none of `labels`."""
    x, y, half = box
    return all(abs(x - left) > half + width or abs(y - low) > 2 * _HALF_LINE for left, low, width in labels)


def _between(start: NDArray[np.float64], end: NDArray[np.float64], bend: float) -> NDArray[np.float64]:
    """(points, 2) curve from the border of one node to that of another; `bend` moves its middle to the right."""
    along = end - start
    control = (start + end) / 2 + bend * np.array([along[1], -along[0]])
    t = np.linspace(0, 1, 41 if bend else 21)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
    far = [np.linalg.norm(curve - node, axis=1) > _RADIUS for node in (start, end)]
    kept: NDArray[np.float64] = curve[far[0] & far[1]]
    if not len(kept):  # the nodes overlap
        return np.vstack([start, control, end])
    return np.vstack([_border(start, kept[0]), kept, _border(end, kept[-1])])


def _border(node: NDArray[np.float64], towards: NDArray[np.float64]) -> NDArray[np.float64]:
    point: NDArray[np.float64] = node + _RADIUS * (towards - node) / np.linalg.norm(towards - node)
    return point


def _head(tip: NDArray[np.float64], along: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    forward = along / np.linalg.norm(along)
    aside = np.array([forward[1], -forward[0]])
    return [tip, tip - 0.085 * forward + 0.035 * aside, tip - 0.085 * forward - 0.035 * aside]


def bent(graph: Graph) -> Iterator[tuple[int, int, float, str]]:
    """Edges as (source, target, bend, operation); the bend is zero unless several edges join the same nodes."""
    joined = Counter((source, target) for source, target, _ in graph.edges)
    seen: Counter[tuple[int, int]] = Counter()
    for source, target, operation in graph.edges:
        pair = (source, target)
        yield source, target, 0.5 * (seen[pair] - (joined[pair] - 1) / 2), operation
        seen[pair] += 1


def looks(operation: str) -> Look:
    """Style of an operation; unknown operations are grey and labelled by their name."""
    return LOOKS.get(operation, Look(printable(operation), "#666666", "#aaaaaa"))
