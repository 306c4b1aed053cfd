"""Found cells as graphs: read from their strings, and drawn with the number of searches that found them."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import cos, pi, sin
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.report.groups import GROUP, Group
from harness.report.render.wording import printable
from harness.report.runs import subset_label, without_shared

if TYPE_CHECKING:  # looking at strings needs no matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.report.content import Report

SHOWN = 3
"""Cells that a figure draws of each method."""

METHODS = 12
"""Methods that a figure draws; the page has all."""


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


def draw(report: Report) -> Iterator[tuple[str, Figure]]:
    """File names (without suffix) and figures: of every group the cells that its searches ended with."""
    done = report.runs[report.runs["failure"] == ""]
    for key, runs in done.groupby(GROUP):
        group = Group(*map(str, key))
        found = {str(method): Counter(cells) for method, cells in runs.groupby("method")["last"]}
        drawable = [method for method in report.methods if method in found and _can_draw(found[method])]
        if drawable:
            drawn = drawable[:METHODS]
            short, shared = without_shared(drawn)
            title = group.labelled_title + (f"; {shared}{subset_label(shared)}" if shared else "")
            if len(drawn) < len(drawable):
                title += f", the first {len(drawn)} of {len(drawable)} methods"
            yield f"cells-{group.file_name}", figure({short[method]: found[method] for method in drawn}, title)


def most_found(counts: Counter[str], shown: int) -> list[tuple[str, int]]:
    """The cells found most often, those that were found as often in the order of their strings."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:shown]


def figure(found: Mapping[str, Counter[str]], title: str, shown: int = SHOWN) -> Figure:
    """A row per method: the `shown` cells that most of its searches found. `found` counts the searches of each cell.

    ValueError if a cell cannot be read.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from harness.report.figures.style import STYLE, label

    lines = [line for method, counts in found.items() for line in _lines(method, counts, shown)]
    columns = max(len(panels) for _, panels in lines)
    nodes = max(len(graph.nodes) for _, panels in lines for graph, _ in panels)
    width, height = (2.6, 1.9) if nodes <= 4 else (4.3, 2.9)
    across = max(5.2, width * columns)
    note = f"cells of the last epoch: the {shown} found most often, and how many of the method's searches found each"
    above, below = fill(label(title), int(11 * across)), fill(note, int(16 * across))  # letters on an inch
    # Places in inches instead of a computed layout, which takes longer than all the drawing.
    top, bottom = 0.85 + 0.18 * above.count("\n"), 0.35 + 0.12 * below.count("\n")
    total = height * len(lines) - 0.5 + top + bottom
    with matplotlib.rc_context(STYLE):
        result = Figure(figsize=(across, total))
        result.subplots_adjust(0.01, bottom / total, 0.99, 1 - top / total, wspace=0.04, hspace=0.32)
        result.suptitle(above, y=1 - 0.08 / total, va="top")
        for line, places in zip(lines, result.subplots(len(lines), columns, squeeze=False), strict=True):
            heading, panels = line
            for axes in places:
                axes.set_axis_off()
            for axes, (graph, caption) in zip(places, panels, strict=False):
                _draw_graph(axes, graph, caption)
            places[0].text(0, 1.22, fill(label(heading), 60), weight="bold", transform=places[0].transAxes)
        result.supxlabel(below, y=0.06 / total, fontsize=8, color="0.3")
    return result


def _lines(method: str, counts: Counter[str], shown: int) -> Iterator[tuple[str, list[tuple[Graph, str]]]]:
    """Lines of panels, with what stands above them: one with all cells, or one per cell if it has several graphs."""
    panels = [
        [(graph, f"{graph.title}: {count} of {counts.total()}") for graph in graphs(cell)]
        for cell, count in most_found(counts, shown)
    ]
    if max(map(len, panels)) == 1:
        yield method, [panel for cell in panels for panel in cell]
        return
    for place, cell in enumerate(panels):
        yield ("" if place else method), cell


def _draw_graph(axes: Axes, graph: Graph, caption: str) -> None:
    from matplotlib.patches import FancyArrowPatch

    from harness.report.figures.style import label

    places = layout(len(graph.nodes))
    for source, target, bend, operation in bent(graph):
        look = looks(operation)
        style = (0, look.dashes) if look.dashes else "solid"
        arrow = FancyArrowPatch(
            places[source], places[target], connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=8,
            shrinkA=7, shrinkB=7, color=look.color, linestyle=style, linewidth=1.3, zorder=1,
        )  # fmt: skip
        axes.add_patch(arrow)
        if look.label:
            (x0, y0), (x1, y1) = places[source], places[target]
            share = 0.5 if len(graph.nodes) == 4 else 0.64  # near the target, where fewer edges meet
            x = x0 + share * (x1 - x0) + bend * (y1 - y0) / 2
            y = y0 + share * (y1 - y0) - bend * (x1 - x0) / 2
            axes.text(x, y, label(look.label), size=6.5, color=look.color, ha="center", va="center", zorder=2,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip
    for (x, y), name in zip(places, graph.nodes, strict=True):
        axes.text(x, y, name, size=6.5, ha="center", va="center", zorder=3,
                  bbox={"boxstyle": "circle,pad=0.25", "facecolor": "0.93", "edgecolor": "0.3"})  # fmt: skip
    axes.set_xlim(-0.12, 1.12)
    axes.set_ylim(-0.18, 1.18)
    axes.set_title(caption, size=8)


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


def _can_draw(counts: Counter[str]) -> bool:
    try:
        return all(graphs(cell) for cell in counts)
    except ValueError:
        return False


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
