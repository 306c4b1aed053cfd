"""The NAS-Bench-201 space."""

import csv
import gzip
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks.nasbench201.space import CELLS, OPERATIONS, NASBench201, all_cells, index, isomorphism_class

SPACE = NASBench201()
cells = st.tuples(*[st.sampled_from(OPERATIONS)] * 6)


@given(cells)
def test_string_round_trip(cell):
    assert SPACE.from_string(SPACE.to_string(cell)) == cell


@given(cells)
def test_one_hot_decodes_to_the_cell(cell):
    assert SPACE.discretize(SPACE.one_hot(cell)) == cell


def test_strings_are_the_benchmarks():
    text = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"
    assert SPACE.from_string(text) == (
        "nor_conv_3x3",
        "none",
        "skip_connect",
        "avg_pool_3x3",
        "nor_conv_1x1",
        "none",
    )


@pytest.mark.parametrize("text", ["", "|", "x" * 10_000, "|none~0|", "|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|"])
def test_foreign_strings_are_refused(text):
    with pytest.raises(ValueError, match=r"not a NAS-Bench-201 cell|no operation"):
        SPACE.from_string(text)


def test_uniform_strengths_decode_to_all_skip_without_the_zero_operation():
    space = SPACE.without("none")
    assert space.shape == (6, 4)
    assert space.discretize(np.full(space.shape, 0.25)) == ("skip_connect",) * 6
    with pytest.raises(ValueError, match="no operation"):
        space.without("none")
    with pytest.raises(ValueError, match="shape"):
        space.discretize(np.zeros((6, 5)))


def test_mutate_changes_one_edge_and_random_reaches_every_operation():
    rng = np.random.default_rng(0)
    for _ in range(100):
        cell = SPACE.random(rng)
        assert sum(a != b for a, b in zip(cell, SPACE.mutate(cell, rng), strict=True)) == 1
    assert {SPACE.random(rng)[0] for _ in range(100)} == set(OPERATIONS)


def test_a_mutation_draws_a_node_then_one_of_its_edges_then_another_operation():
    rng = np.random.default_rng(0)
    cell = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "none")
    draws = 18_000
    counts = Counter(SPACE.mutate(cell, rng) for _ in range(draws))
    assert set(counts) == set(SPACE.neighbours(cell))
    share = {target: 1 / 3 / times for target, times in Counter(SPACE.edge_target).items()}  # 1/3, 1/6, 1/9 of an edge
    expected = {
        child: draws / 4 * share[SPACE.edge_target[[a != b for a, b in zip(cell, child, strict=True)].index(True)]]
        for child in counts
    }
    assert sum(expected.values()) == pytest.approx(draws)
    chi_squared = sum((counts[child] - expected[child]) ** 2 / expected[child] for child in counts)
    assert chi_squared < 49.7  # 23 degrees of freedom, p = 0.001


def test_there_are_15625_cells_in_6466_classes():
    assert [index(cell) for cell in all_cells()] == list(range(CELLS))
    assert len({isomorphism_class(cell) for cell in all_cells()}) == 6466


def test_isomorphism_classes_are_the_benchmarks(test_data):
    with gzip.open(test_data / "nasbench201" / "nasbench201.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            assert isomorphism_class(SPACE.from_string(row["arch"])) == row["unique"]
