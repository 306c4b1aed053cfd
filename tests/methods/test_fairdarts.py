"""FairDARTS: vectors of the authors' code, and cells with fewer than two inputs per node."""

import ast

import numpy as np
import pytest
import torch

from harness.benchmarks import DARTS, NASBench201
from harness.benchmarks.darts.network import DARTSNetwork
from harness.benchmarks.darts.supernet import DARTSSupernet
from methods.fairdarts import FairDarts
from tests.methods.reference import EXACT, at
from tests.problems import problem_of
from tests.uneven_space import Uneven

SPACE = DARTS().without("none")
NOTHING = (("none", 0), ("none", 1))


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "golden" / "newer" / "fairdarts.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("loss", ["l2", "l1"])
def test_the_objective_is_the_official_one(golden, loss):
    values = {name: torch.as_tensor(array) for name, array in golden.items() if array.dtype.kind != "U"}
    method = at(FairDarts(SPACE, loss=loss), values["alpha"])
    cross_entropy = torch.nn.functional.cross_entropy(values["logits"], values["target"])
    torch.testing.assert_close(method.zero_one(), values[f"{loss}_zero_one"], **EXACT)
    total = method.objective(cross_entropy, cross_entropy)
    torch.testing.assert_close(total, values[f"{loss}_total"], **EXACT)
    (gradient,) = torch.autograd.grad(total, method.alpha)
    torch.testing.assert_close(gradient, values[f"{loss}_grad_alpha"], **EXACT)


def test_at_the_start_nothing_but_the_loss_moves_alpha(golden):
    method = FairDarts(SPACE).double()
    (gradient,) = torch.autograd.grad(method.objective(torch.zeros(()), None), method.alpha)
    torch.testing.assert_close(gradient, torch.as_tensor(golden["l2_grad_at_zero_alpha"]), **EXACT)
    assert torch.equal(method(), torch.full(SPACE.shape, 0.5, dtype=torch.float64))


def printed(golden, name):
    """What the authors' code parses, as (operation, node, source)."""
    pairs = ast.literal_eval(str(golden[name]))
    if "threshold" in name:
        return pairs
    return [(operation, 2 + place // 2, source) for place, (operation, source) in enumerate(pairs)]


@pytest.mark.parametrize("threshold, rule", [(0.85, "threshold_sparse"), (0.0, "darts")])
@pytest.mark.parametrize("which", ["published", "random"])
def test_cells_are_those_that_the_official_code_parses(golden, which, threshold, rule):
    if which == "published":
        s = np.concatenate([golden["published_normal"], golden["published_reduce"]])
    else:
        s = golden["sigmoid_random"]
    assert tuple(golden["operations"]) == SPACE.operations
    for cell, name in zip(SPACE.discretize_sparsely(s, threshold), ("normal", "reduce"), strict=True):
        kept = [(op, 2 + place // 2, source) for place, (op, source) in enumerate(cell) if op != "none"]
        assert kept == printed(golden, f"parse_{rule}_{which}_{name}")


@pytest.mark.parametrize("space", [SPACE, DARTS(), NASBench201(), Uneven()], ids=lambda space: str(space.shape))
def test_a_cell_of_which_nothing_reaches_the_threshold_is_derived_without_it(space):
    method = FairDarts(space)
    with torch.no_grad():
        method.alpha.normal_(generator=torch.Generator().manual_seed(0))
    dense = space.discretize(method())
    assert space.discretize_sparsely(method(), 1.0) == dense
    assert space.discretize_sparsely(method(), 0.0) == dense
    torch.testing.assert_close(method.distribution().sum(dim=1), torch.ones(space.shape[0]))


def test_an_edge_of_nasbench201_may_keep_nothing_where_zero_is_a_candidate():
    strength = np.full((6, 5), 0.2)
    strength[2, 3] = 0.9
    assert NASBench201().discretize_sparsely(strength, 0.85) == ("none",) * 2 + ("nor_conv_3x3",) + ("none",) * 3
    without = NASBench201().without("none")
    assert without.discretize_sparsely(strength[:, 1:], 0.85)[0] == "skip_connect"


def test_the_supernet_is_mixed_and_validated_with_the_logistic_weights():
    method = at(FairDarts(NASBench201()), torch.ones(6, 5).cumsum(1) / 9)
    problem = problem_of(method)
    s = (torch.ones(6, 5, dtype=torch.float64).cumsum(1) / 9).sigmoid()
    torch.testing.assert_close(method.evaluation_weights().detach(), s)
    torch.testing.assert_close(method.weights_for_training(), s)
    before = problem.loss(s, problem.held_out_batch).loss
    torch.testing.assert_close(problem.loss(method(), problem.held_out_batch).loss, before)


# Cells with fewer inputs ---------------------------------------------------------------------------------------------

NORMAL = (("sep_conv_3x3", 1), ("none", 0), *NOTHING, ("skip_connect", 3), ("dil_conv_3x3", 2), *NOTHING)
REDUCE = (*NOTHING, ("max_pool_3x3", 0), ("none", 2), *NOTHING, ("sep_conv_5x5", 1), ("skip_connect", 4))
SPARSE = (NORMAL, REDUCE)


def test_a_sparse_cell_has_a_string_weights_and_a_picture():
    assert SPACE.from_string(SPACE.to_string(SPARSE)) == SPARSE
    weights = SPACE.one_hot(SPARSE)
    assert weights.sum() == 6
    assert SPACE.discretize_sparsely(weights, 0.5)[0][:2] == (("sep_conv_3x3", 1), ("none", 0))
    normal, reduce = SPACE.graph(SPARSE)
    assert [edge for edge in normal.edges if edge[2] == ""] == [(2, 6, ""), (4, 6, "")]
    assert len(reduce.edges) == 3 + 2
    assert np.array_equal(DARTS().one_hot(SPARSE)[:, 1:], weights)


def test_the_network_of_a_sparse_cell_joins_the_nodes_that_have_inputs():
    """Two of four nodes, so the next cell reads half of the channels; the supernet computes the same cells."""
    torch.manual_seed(0)
    network = DARTSNetwork(SPARSE, 4, 3, classes=10, auxiliary=False).double()
    normal, _, second = network.cells
    assert [cell.joined for cell in network.cells] == [[0, 2], [1, 3], [1, 3]]
    assert normal.preprocess[0].convolution.in_channels == 3 * 4
    assert second.preprocess[1].convolution.in_channels == 2 * 8
    assert network.classifier.in_features == 2 * 16
    network(torch.randn(2, 3, 8, 8, dtype=torch.float64))[0].sum().backward()
    assert {p.grad is None for p in network.classifier.parameters()} == {False}
    supernet = DARTSSupernet(SPACE, 4, 3, 10).double()
    weights = torch.as_tensor(SPACE.one_hot(SPARSE))
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    sampled, mixed = (supernet(images, weights, torch.ones(28).double(), sampled=s) for s in (True, False))
    torch.testing.assert_close(sampled, mixed)


def test_a_cell_without_any_input_is_zero():
    nothing = ((*NOTHING,) * 4, (*NOTHING,) * 4)
    network = DARTSNetwork(nothing, 4, 3, classes=10, auxiliary=False)
    logits, _ = network(torch.randn(2, 3, 8, 8))
    assert torch.equal(logits, network.classifier.bias.expand(2, -1))
