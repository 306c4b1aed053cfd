"""The three spaces and the cells of NAS-Bench-101 that they are made of."""

import json
from itertools import combinations, product

import numpy as np
import pytest

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench1shot1.cell import Cell, all_graphs, cell_hash, pruned
from harness.benchmarks.nasbench1shot1.space import OPERATIONS, Space1, Space2, Space3

SPACES = [Space1(), Space2(), Space3()]
by_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
LOOSE = "maxpool3x3~0|conv3x3-bn-relu~0+1|conv1x1-bn-relu~0+1|conv3x3-bn-relu~0+1|output~1+4"
"""Blocks 2 and 3 do not reach the output."""


@pytest.mark.parametrize("space, count", list(zip(SPACES, (14_580, 29_160, 1_312_200), strict=True)))
def test_numbers_of_configurations(space, count):
    assert np.prod(space.categories) == count
    parents = [len(list(combinations(range(node), taken))) for node, taken in enumerate(space.parents, start=1)]
    assert 3**space.blocks * np.prod(parents) == count


@pytest.mark.parametrize("space, count", [(Space1(), 2_685), (Space2(), 7_773)])
def test_numbers_of_distinct_cells(space, count):
    everything = (space.from_categories(values) for values in product(*map(range, space.categories)))
    assert len({space.hash(arch) for arch in everything}) == count


def test_numbers_of_graphs():
    assert [sum(1 for _ in all_graphs(vertices)) for vertices in range(2, 6)] == [1, 2, 10, 121]


def test_rows_of_theta():
    first, _, third = SPACES
    assert first.options == ((OPERATIONS,) * 4) + (("in", "1", "2"), ("in", "1", "2", "3"), ("in", "1", "2", "3", "4"))
    assert first.keep == (1, 1, 1, 1, 2, 2, 2)
    assert third.keep == (1, 1, 1, 1, 1, 1, 1, 2, 2, 2)
    assert third.lengths == (3, 3, 3, 3, 3, 2, 3, 4, 5, 6)
    assert first.row_names[4:] == ("inputs of 3", "inputs of 4", "output")
    for space in SPACES:
        rows = [row for group in space.groups.values() for row in range(group.start, group.stop)]
        assert rows == list(range(space.shape[0])) == list(range(len(space.row_names)))
        for name, group in space.groups.items():
            assert all((options == OPERATIONS) == (name == "operations") for options in space.options[group])


@by_space
def test_notations_agree(space):
    rng = np.random.default_rng(0)
    for _ in range(20):
        arch = space.random(rng)
        assert space.from_string(space.to_string(arch)) == arch
        weights = space.one_hot(arch)
        assert space.discretize(weights) == arch
        assert weights.sum(axis=1).tolist() == list(space.keep)
        assert not weights[~space.mask].any()
        neighbours = list(space.neighbours(arch))
        assert len(set(neighbours)) == len(neighbours) == sum(count - 1 for count in space.categories)
        assert space.mutate(arch, rng) in neighbours
        for other in neighbours:
            assert np.count_nonzero((space.one_hot(other) != weights).any(axis=1)) == 1


@by_space
def test_ties_go_to_the_first(space):
    operations, parents = space.discretize(np.where(space.mask, 0.5, 0))
    assert set(operations) == {OPERATIONS[0]}
    assert parents == tuple(tuple(range(count)) for count in space.parents)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        LOOSE.replace("maxpool3x3", "avgpool3x3"),
        LOOSE.replace("~1+4", "~4+1"),
        LOOSE.replace("~1+4", "~4"),
        LOOSE.replace("~1+4", "~1+5"),
        LOOSE.replace("maxpool3x3~0", "maxpool3x3~00"),
        LOOSE.replace("output", "out"),
        LOOSE.partition("|")[2],
    ],
)
def test_other_strings_are_refused(text):
    with pytest.raises(ValueError, match="not an architecture of nasbench1shot1-1"):
        Space1().from_string(text)


def test_loose_ends_are_pruned():
    space = Space1()
    arch = space.from_string(LOOSE)
    assert space.cell(arch) == Cell(frozenset({(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)}), (-1, 2, 0, -2))
    operations, parents = arch
    for name in OPERATIONS:
        assert space.hash(((operations[0], name, name, operations[3]), parents)) == space.hash(arch)
        assert (space.hash(((name, *operations[1:]), parents)) == space.hash(arch)) == (name == operations[0])


def test_a_cell_without_a_path_is_refused():
    with pytest.raises(ValueError, match="does not depend on its input"):
        pruned(Cell(frozenset({(0, 1)}), (-1, 0, -2)))


@pytest.mark.parametrize(
    "matrix, operations, reason",
    [
        ([[0, 1], [1, 0]], ["input", "output"], "upper triangular"),
        ([[0, 2], [0, 0]], ["input", "output"], "upper triangular"),
        ([[0, 1]], ["input", "output"], "a row and a column"),
        ([[0, 1], [0, 0]], ["output", "input"], "not the operations"),
        ([[0] * 3] * 3, ["input", "skip", "output"], "not the operations"),
    ],
)
def test_other_matrices_are_refused(matrix, operations, reason):
    with pytest.raises(ValueError, match=reason):
        Cell.of_matrix(matrix, operations)


def test_hashes_are_the_benchmarks(test_data):
    examples = json.loads((test_data / "nasbench101" / "examples.json").read_text())
    assert len(examples) == 8
    for example in examples:
        assert cell_hash(pruned(Cell.of_matrix(example["matrix"], example["ops"]))) == example["hash"]


def test_isomorphic_cells_have_one_hash():
    diamond = Cell(frozenset({(0, 1), (0, 2), (1, 3), (2, 3)}), (-1, 0, 2, -2))
    swapped = diamond._replace(labels=(-1, 2, 0, -2))
    assert cell_hash(diamond) == cell_hash(swapped) != cell_hash(diamond._replace(labels=(-1, 0, 1, -2)))


@by_space
def test_pictures_show_every_input_with_the_operation_of_its_block(space):
    arch = space.random(np.random.default_rng(1))
    (graph,) = space.graph(arch)
    assert graph.nodes[0] == "in"
    assert graph.nodes[-1] == "out"
    for node, parents in enumerate(arch[1], start=1):
        into = {(source, name) for source, target, name in graph.edges if target == node}
        assert {source for source, _ in into} == set(parents)
        assert len({name for _, name in into}) == 1
        assert (into.pop()[1] == "") == (node == len(arch[1]))


def test_the_spaces_are_benchmarks():
    assert [name for name in BENCHMARKS if name.startswith("nasbench1shot1")] == [space.name for space in SPACES]
