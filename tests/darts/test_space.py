"""The DARTS space."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks.darts.genotypes import PUBLISHED_CELLS, published_cell
from harness.benchmarks.darts.space import DARTS, OPERATIONS

SPACE = DARTS()
NODE_ROWS = [slice(0, 2), slice(2, 5), slice(5, 9), slice(9, 14)]
PAIRS = "[('skip_connect', 0), ('max_pool_3x3', 1)" + ", ('skip_connect', 0), ('max_pool_3x3', 1)" * 3 + "]"
CELL = f"Genotype(normal={PAIRS}, normal_concat=range(2, 6), reduce={PAIRS}, reduce_concat=[2, 3, 4, 5])"


@st.composite
def archs(draw, space=SPACE):
    def pairs():
        for state in range(2, 6):
            for source in draw(st.permutations(range(state)))[:2]:
                yield draw(st.sampled_from(space.choices)), source

    return tuple(pairs()), tuple(pairs())


def unordered(arch):
    """The same cell whatever the order of a node's two edges."""
    return tuple(tuple(frozenset(pairs[k : k + 2]) for k in range(0, 8, 2)) for pairs in arch)


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("file", ["darts_genotypes.json", "pcdarts_genotypes.json"])
def test_discretize_is_the_official_derivation(test_data, file):
    for case in json.loads((test_data / "golden" / file).read_text()):
        strength = softmax(np.array(case["alphas_normal"] + case["alphas_reduce"]))
        if "betas_normal" in case:
            betas = [np.array(case[f"betas_{name}"]) for name in SPACE.groups]
            strength *= np.concatenate([softmax(beta[rows]) for beta in betas for rows in NODE_ROWS])[:, None]
        expected = tuple(tuple((op, source) for op, source in case[name]) for name in SPACE.groups)
        assert SPACE.discretize(strength) == expected


def test_shape_targets_and_cell_types():
    assert SPACE.shape == (28, 8)
    assert SPACE.without("none").shape == (28, 7)
    assert SPACE.operations == OPERATIONS
    assert Counter(SPACE.edge_target) == {2: 2, 3: 3, 4: 4, 5: 5, 6: 2, 7: 3, 8: 4, 9: 5}
    for edges in SPACE.groups.values():
        assert SPACE.edges[edges][5:9] == ((4, 0), (4, 1), (4, 2), (4, 3))
    assert set(SPACE.edge_target[:14]).isdisjoint(SPACE.edge_target[14:])


def test_ties_go_to_the_lower_input_and_the_first_operation_and_zero_is_never_chosen():
    even = (("max_pool_3x3", 0), ("max_pool_3x3", 1)) * 4
    assert SPACE.discretize(np.full(SPACE.shape, 1 / 8)) == (even, even)
    strength = np.full(SPACE.shape, 1e-3)
    strength[:, 0] = 0.9
    strength[13, 4] = 0.5  # into node 5 from state 4
    assert SPACE.discretize(strength) == ((*even[:6], ("sep_conv_3x3", 4), ("max_pool_3x3", 0)), even)
    with pytest.raises(ValueError, match="shape"):
        SPACE.discretize(np.zeros((14, 8)))


@given(archs())
def test_string_round_trip(arch):
    text = SPACE.to_string(arch)
    assert SPACE.from_string(text) == arch
    assert SPACE.from_string(f" {text.replace('range(2, 6)', '[2, 3, 4, 5]')}\n") == arch


@given(archs())
def test_one_hot_decodes_to_the_cell(arch):
    weights = SPACE.one_hot(arch)
    assert sorted(weights.sum(axis=1)) == [0.0] * 12 + [1.0] * 16
    assert unordered(SPACE.discretize(weights)) == unordered(arch)
    without = SPACE.without("none")
    assert np.array_equal(without.one_hot(arch), weights[:, 1:])
    assert without.from_string(SPACE.to_string(arch)) == arch


@given(archs(), st.integers(0, 2**32 - 1))
def test_mutate_changes_one_thing_of_one_edge(arch, seed):
    mutant = SPACE.mutate(arch, np.random.default_rng(seed))
    SPACE.one_hot(mutant)  # is a cell
    changed = [(a, b) for old, new in zip(arch, mutant, strict=True) for a, b in zip(old, new, strict=True) if a != b]
    assert len(changed) == 1
    assert sum(x != y for x, y in zip(*changed[0], strict=True)) == 1


def test_all_neighbours_are_different_cells_and_mutate_reaches_each_evenly():
    rng = np.random.default_rng(0)
    arch = SPACE.random(rng)
    neighbours = set(SPACE.neighbours(arch))
    assert len({unordered(cell) for cell in neighbours}) == len(neighbours) == 120
    counts = Counter(SPACE.mutate(arch, rng) for _ in range(6_000))
    assert set(counts) == neighbours
    assert chi_squared(counts.values()) < 170  # 119 degrees of freedom, p = 0.0015


def test_random_draws_every_input_pair_and_operation_evenly_and_no_zero():
    rng = np.random.default_rng(0)
    cells = [SPACE.random(rng) for _ in range(3000)]
    for cell in cells[:100]:
        SPACE.one_hot(cell)
    for cell_type in (0, 1):
        for node, combinations in enumerate((1, 3, 6, 10)):
            pairs = [cell[cell_type][2 * node : 2 * node + 2] for cell in cells]
            inputs = Counter((first[1], second[1]) for first, second in pairs)
            assert len(inputs) == combinations
            assert chi_squared(inputs.values()) < 27.9  # p = 0.001 with 9 degrees of freedom, the most here
            both = Counter((first[0], second[0]) for first, second in pairs)
            assert set(both) == {(a, b) for a in OPERATIONS[1:] for b in OPERATIONS[1:]}
            assert chi_squared(both.values()) < 84  # 48 degrees of freedom, p = 0.001


def chi_squared(counts):
    counts = np.array(list(counts))
    return ((counts - counts.mean()) ** 2).sum() / counts.mean()


def test_a_genotype_may_name_its_fields_in_any_order():
    arch = SPACE.from_string(CELL)
    other = f"Genotype(reduce={PAIRS}, reduce_concat=range(2,6), normal_concat=(2, 3, 4, 5), normal={PAIRS})"
    assert SPACE.from_string(other) == arch == ((("skip_connect", 0), ("max_pool_3x3", 1)) * 4,) * 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x" * 10_000,
        "(" * 1500,
        "-" * 1500 + "1",
        "\0",
        "Genotype()",
        "Genotype(*[1])",
        "Genotype(**{})",
        "Genotype(normal=1, normal_concat=2, reduce=3, reduce_concat=4)",
        CELL.replace("Genotype", "print"),
        CELL.replace("Genotype(", "Genotype(more=1, "),
        CELL.replace("range(2, 6)", "range(2, 5)"),
        CELL.replace("range(2, 6)", "range(10**12)"),
        CELL.replace("range(2, 6)", "range(0, 999999999999)"),
        CELL.replace("range(2, 6)", "open('x')"),
        CELL.replace("[2, 3, 4, 5]", "[2, 3, 4]"),
        CELL.replace("[2, 3, 4, 5]", "[2, 3, 4, __import__('os')]"),
        CELL.replace("'max_pool_3x3', 1", "'max_pool_3x3', 0"),
        CELL.replace("'max_pool_3x3', 1", "'max_pool_3x3', 2"),
        CELL.replace("'max_pool_3x3', 1", "'max_pool_3x3', -1"),
        CELL.replace("'max_pool_3x3', 1", "'max_pool_3x3', True"),
        CELL.replace("'max_pool_3x3', 1", "'max_pool_3x3', 1.0"),
        CELL.replace("'max_pool_3x3', 1", "['a'], 1"),
        CELL.replace("'max_pool_3x3', 1", "'max_pool_7x7', 1"),
        CELL.replace(", ('max_pool_3x3', 1)]", "]"),
    ],
)
def test_foreign_strings_are_refused_in_one_line(text):
    with pytest.raises(
        ValueError, match=r"not a DARTS genotype|no operation|a DARTS cell has|two different inputs"
    ) as e:
        SPACE.from_string(text)
    assert "\n" not in str(e.value)


def test_a_removed_operation_is_in_no_cell():
    space = SPACE.without("max_pool_3x3")
    with pytest.raises(ValueError, match="no operation"):
        space.from_string(CELL)
    with pytest.raises(ValueError, match="no operation"):
        space.without("max_pool_3x3")
    assert "max_pool_3x3" not in str([space.random(np.random.default_rng(n)) for n in range(50)])


def test_published_cells_are_cells_with_distinct_names_and_sources():
    names = [name for cell in PUBLISHED_CELLS for name in (cell.name, *cell.aliases)]
    assert len(set(names)) == len(names)
    for cell in PUBLISHED_CELLS:
        assert SPACE.from_string(SPACE.to_string(cell.arch)) == cell.arch
        assert cell.source
    darts = published_cell("DARTS")
    assert darts is published_cell("DARTS_V2")
    assert darts.arch[1][:3] == (("max_pool_3x3", 0), ("max_pool_3x3", 1), ("skip_connect", 2))
    with pytest.raises(ValueError, match="no published cell 'X'; known: GAEA_PC_DARTS"):
        published_cell("X")
