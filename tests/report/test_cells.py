"""Cells as graphs: what their strings say, where nodes stand, and what a figure tells of them."""

from __future__ import annotations

import re
from itertools import combinations, islice, product
from math import dist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks import DARTS, Graph, NASBench201
from harness.report.figures import cells, gallery
from tests.report.conftest import CELLS

SPACE = NASBench201()

GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_5x5', 1), ('skip_connect', 0), ('dil_conv_3x3', 2),"
    " ('max_pool_3x3', 3), ('sep_conv_3x3', 1), ('avg_pool_3x3', 2), ('dil_conv_5x5', 4)],"
    " normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2),"
    " ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],"
    " reduce_concat=range(2, 6))"
)


PICTURES = {cell: SPACE.graph(SPACE.from_string(cell)) for cell in CELLS}


def graphs(text):
    return DARTS().graph(DARTS().from_string(text))


def drawn(seeds):
    space = DARTS() if "Genotype" in next(iter(seeds)) else SPACE
    return cells.figure(seeds, {text: space.graph(space.from_string(text)) for text in seeds}, "title")


@given(st.lists(st.sampled_from(SPACE.operations), min_size=6, max_size=6).map(tuple))
def test_graph_of_a_nasbench201_cell_has_its_edges(arch):
    (graph,) = SPACE.graph(arch)
    assert graph.nodes == ("in", "1", "2", "out")
    assert graph.edges == tuple(
        (source, target, name) for (target, source), name in zip(SPACE.edges, arch, strict=True)
    )


def test_graphs_of_a_genotype():
    normal, reduce = graphs(GENOTYPE)
    assert (normal.title, reduce.title) == ("normal", "reduce")
    assert normal.nodes == reduce.nodes == ("k-2", "k-1", "0", "1", "2", "3", "out")
    assert normal.edges[:8] == (
        (0, 2, "sep_conv_3x3"), (1, 2, "sep_conv_5x5"), (0, 3, "skip_connect"), (2, 3, "dil_conv_3x3"),
        (3, 4, "max_pool_3x3"), (1, 4, "sep_conv_3x3"), (2, 5, "avg_pool_3x3"), (4, 5, "dil_conv_5x5"),
    )  # fmt: skip
    assert normal.edges[8:] == ((2, 6, ""), (3, 6, ""), (4, 6, ""), (5, 6, ""))
    assert reduce.edges[8:] == normal.edges[8:]


def test_only_edges_between_the_same_nodes_are_bent():
    graph = Graph("cell", ("a", "b", "c"), ((0, 1, "skip"), (0, 1, "conv"), (1, 2, "conv")))
    assert [bend for *_, bend, _ in cells.bent(graph)] == [-0.25, 0.25, 0]


@pytest.mark.parametrize("nodes, inputs", [*cells.LAYOUTS, (9, 1)])
def test_no_edge_passes_a_third_node(nodes, inputs):
    places = cells.layout(nodes, inputs)
    assert len(set(places)) == nodes
    assert all(-1e-9 <= value <= 1 + 1e-9 for place in places for value in place)
    for start, end in combinations(places, 2):
        for other in set(places) - {start, end}:
            assert _distance(other, start, end) > 0.02


def _distance(point, start, end):
    """From a point to the segment between two others."""
    point, start, end = map(np.array, (point, start, end))
    along = np.clip(np.dot(point - start, end - start) / dist(start, end) ** 2, 0, 1)
    return np.linalg.norm(point - start - along * (end - start))


def _texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def _captions(figure):
    return [text for text in _texts(figure) if re.fullmatch(r"\d+ of \d+: seeds? .*|[\d. /–]+ %", text)]


def test_figure_names_the_searches_of_each_cell_and_its_accuracy():
    measured = {CELLS[0]: "94.36 / 73.51 %"}
    figure = cells.figure({CELLS[0]: [5], CELLS[1]: [4, 0, 1]}, PICTURES, "title", measured, "accuracy on a / b")
    assert _captions(figure) == ["3 of 4: seeds 0-1, 4", "1 of 4: seed 5", "94.36 / 73.51 %"]
    texts = _texts(figure)
    assert texts.count("conv 3×3") == 2 + 3  # CELLS[1] has a skip where CELLS[0] has its third
    assert texts.count("skip") == 3 + 2
    assert figure.get_supxlabel() == "final cells of 4 searches, with their seeds; accuracy on a / b"


def test_figure_of_genotypes_has_both_cell_types():
    figure = drawn({GENOTYPE: [1, 2]})
    assert _captions(figure) == ["2 of 2: seeds 1-2"]
    assert {"normal", "reduce", "sep 3×3", "dil 5×5", "max pool", "k-2", "out"} <= set(_texts(figure))


def test_edges_end_at_the_border_of_nodes():
    path = cells._between(np.array([0.0, 0.0]), np.array([1.0, 0.0]), 0.0)
    assert path[[0, -1]].tolist() == [pytest.approx([cells._RADIUS, 0]), pytest.approx([1 - cells._RADIUS, 0])]
    bent = cells._between(np.array([0.0, 0.0]), np.array([1.0, 0.0]), 0.5)
    assert np.linalg.norm(bent[-1] - [1, 0]) == pytest.approx(cells._RADIUS)
    assert bent[:, 1].min() == pytest.approx(-0.25, abs=0.01)


def test_methods_with_names_that_matplotlib_would_read_are_drawn(tmp_path):
    figure = cells.figure({CELLS[0]: [1]}, PICTURES, "_$x_{$ <b>")
    figure.savefig(tmp_path / "figure.png", dpi=20)
    assert "$x_{$ <b>" in figure.get_suptitle()


def test_operations_of_no_known_look_are_drawn_under_their_own_name():
    pictures = {"cell": (Graph("cell", ("in", "out"), ((0, 1, "my_own_op"),)),)}
    assert "my_own_op" in _texts(cells.figure({"cell": [0]}, pictures, "title"))


def _title(figure):
    return " ".join(figure.get_suptitle().split())


def _draw(results):
    drawings = gallery.describe(results.report(), results.store)
    return {drawing.name: drawing.figure() for drawing in drawings if drawing.name.startswith("cells")}


def test_figures_of_a_report(results):
    results.run("darts", 0)
    results.run("darts", 1)
    results.run("gaea-darts-erm", 0, profile="quick", dataset="digits")
    results.run("outside", 0, cells=("what is", "this"))
    results.run("darts", 2, failure="ValueError: no")
    results.look_up({(CELLS[0], "cifar10", "test"): 94.0, (CELLS[0], "cifar100", "x-test"): 73.5})
    drawn = _draw(results)
    assert list(drawn) == ["cells-darts-nasbench201-paper-cifar10", "cells-gaea-darts-erm-nasbench201-quick-digits"]
    figure = drawn["cells-darts-nasbench201-paper-cifar10"]
    assert _captions(figure) == ["2 of 2: seeds 0-1", "94.00 / 73.50 %"]
    assert figure.get_supxlabel().replace("\n", " ").endswith("; accuracy on cifar10, test / cifar100, x-test")
    assert _title(drawn["cells-gaea-darts-erm-nasbench201-quick-digits"]).endswith("(digits proxy)")


def test_cells_that_were_retrained_have_their_errors(results):
    results.trained_with("darts", [2.0, 3.0])
    (figure,) = _draw(results).values()
    assert [text for text in _captions(figure) if "%" in text] == ["2.00 %", "3.00 %"]
    assert "mean test error after retraining on digits, 6 cells" in " ".join(figure.get_supxlabel().split())


def test_a_figure_draws_so_many_cells_and_says_so():
    found = {"-".join(arch): [0] * (50 - at) for at, arch in enumerate(islice(product(SPACE.operations, repeat=6), 40))}
    pictures = {cell: SPACE.graph(tuple(cell.split("-"))) for cell in found}
    figure = cells.figure(found, pictures, "title")
    assert len(_captions(figure)) == cells.MOST[True]
    shown = sum(range(50, 50 - cells.MOST[True], -1))
    said = f"of {sum(range(11, 51))} searches, with their seeds: the {cells.MOST[True]} most frequent of 40 cells"
    said += f", those of {shown} searches"
    assert said in " ".join(figure.get_supxlabel().split())


def test_a_long_chain_of_nodes_is_drawn():
    """Neighbours are then closer than their circles are wide."""
    count = 40
    edges = tuple((k, k + 1, "conv") for k in range(count - 1))
    graph = Graph("", tuple(map(str, range(count))), edges)
    figure = cells.figure({"chain": [0]}, {"chain": (graph,)}, "title")
    figure.canvas.draw()
