"""Lambda-DARTS against the authors' perturbations and regularised gradients, and against double differentiation."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from harness.benchmarks import NASBench201
from methods.darts import Darts
from methods.lambda_darts import SIMILARITIES, LambdaDarts, alignment, gradient_of_alignment
from tests.methods.reference import EXACT, PLAIN_SGD, at, toy_problem, vectors
from tests.problems import FewOperations, problem_of
from tests.two_edges import TwoEdges
from tests.uneven_space import Uneven, UnevenSupernet


@pytest.fixture
def golden(test_data):
    return vectors(test_data, "lambda_darts")


def test_perturbations_are_the_official_ones(golden):
    g = golden["layer_gradients"]
    torch.testing.assert_close(alignment(g, "cosine"), golden["mean_cosine"], **EXACT)
    v = gradient_of_alignment(g, "cosine")
    torch.testing.assert_close(v, golden["gradient_of_mean_cosine"], **EXACT)
    eps = golden["epsilon_0"] / v.norm()
    torch.testing.assert_close(eps, golden["epsilon"], **EXACT)
    torch.testing.assert_close(eps * v, golden["perturbations"], **EXACT)


@pytest.mark.parametrize("similarity, official", [("cosine", "corr"), ("sign", "signcorr")])
def test_both_similarities_are_those_of_the_official_search_on_the_darts_space(golden, similarity, official):
    v = gradient_of_alignment(golden["darts_layer_gradients_normal"], similarity)
    eps = golden["darts_epsilon_0"] / v.norm()
    torch.testing.assert_close(eps, golden[f"darts_epsilon_{official}"], **EXACT)
    expected, reduces = golden[f"darts_perturbations_{official}"], golden["darts_reduces"]
    torch.testing.assert_close(eps * v, expected[~reduces], **EXACT)
    assert not expected[reduces].any()


def toy(golden, **changes):
    method = at(LambdaDarts(TwoEdges(), epsilon=float(golden["toy_epsilon_0"])), golden["toy_alpha"])
    batch = golden["toy_x"], golden["toy_y"]
    return toy_problem(method, golden["toy_W"], golden["toy_head"], batch, batch, **PLAIN_SGD, **changes)


@pytest.mark.parametrize("epoch, kind", [(0, "plain"), (1, "regularised"), (1, "exact")])
def test_the_weight_step_descends_the_regularised_loss(golden, epoch, kind):
    problem = toy(golden, epoch=epoch, epochs=2)
    before = [w.detach().clone() for w in problem.w]
    outcome = problem.parts.method.weight_step(problem)
    assert outcome.loss.item() == pytest.approx(golden["toy_loss"].item(), rel=1e-12)
    tolerance = {"rtol": 1e-7, "atol": 2e-9} if kind == "exact" else EXACT
    for old, new, name in zip(before, problem.w, ("W", "head"), strict=True):
        torch.testing.assert_close(old - new.detach(), golden[f"toy_grad_{name}_{kind}"], **tolerance)


def test_lambda_grows_as_in_the_official_search(golden):
    """Measured on the toy: the part of the step beyond the plain gradient is proportional to lambda."""
    full = golden["toy_grad_W_regularised"] - golden["toy_grad_W_plain"]
    for epoch in (0, 1, 50, 99):
        problem = toy(golden, epoch=epoch, epochs=100)
        before = problem.w[0].detach().clone()
        problem.parts.method.weight_step(problem)
        beyond = before - problem.w[0].detach() - golden["toy_grad_W_plain"]
        share = golden["lambda_at_epoch_of_100"][epoch] / golden["toy_lambda"]
        torch.testing.assert_close(beyond, share * full, rtol=1e-7, atol=1e-11)


def same_step(problem):
    """Whether the weight step is that of DARTS."""
    first = [w.detach().clone() for w in problem.w]
    problem.parts.method.weight_step(problem)
    ours = [w.detach().clone() for w in problem.w]
    with torch.no_grad():
        for w, start in zip(problem.w, first, strict=True):
            w.copy_(start)
    Darts.weight_step(problem.parts.method, problem)
    return all(torch.allclose(w, old, rtol=1e-12, atol=1e-14) for w, old in zip(problem.w, ours, strict=True))


def measured_alignment(problem, numbers):
    """Mean cosine between gradients of these cells, on the training batch."""
    theta = problem.parts.method.distribution().detach().repeat(len(problem.cells), 1, 1).requires_grad_()
    (g,) = problem.gradients(problem.loss(theta, problem.train_batch).loss, [theta])
    pairs = [(i, j) for i in numbers for j in numbers if i < j]
    return torch.stack([cosine_similarity(g[i].flatten(), g[j].flatten(), dim=0) for i, j in pairs]).mean()


@pytest.mark.parametrize(
    "space, cells, aligned", [(NASBench201(), 1, [0, 1, 2]), (FewOperations.full_space, 5, [0, 2, 4])]
)
def test_the_weight_step_descends_the_mean_cosine_between_the_cells(space, cells, aligned):
    """Along a random direction, against differences of the cosines of the supernet. Of five cells of the DARTS space
    the second and the fourth reduce."""
    problem = problem_of(
        LambdaDarts(space, init_std=1.0, strength=1.0, epsilon=1e-6), epoch=1, cells=cells, **PLAIN_SGD
    )
    torch.manual_seed(0)
    direction, size = [torch.randn_like(w) for w in problem.w], 1e-8
    with problem.shifted(direction, size):
        above = measured_alignment(problem, aligned)
    with problem.shifted(direction, -size):
        below = measured_alignment(problem, aligned)
    loss = problem.loss(problem.parts.method.distribution().detach(), problem.train_batch).loss
    gradients, before = problem.gradients(loss, problem.w), [w.detach().clone() for w in problem.w]
    problem.parts.method.weight_step(problem)
    beyond = [old - new - g for old, new, g in zip(before, problem.w, gradients, strict=True)]
    slope = sum((b * d).sum() for b, d in zip(beyond, direction, strict=True))
    torch.testing.assert_close(slope.detach(), -(above - below) / (2 * size), rtol=1e-5, atol=1e-6)


def test_nothing_is_aligned_where_one_cell_reads_the_first_ones_rows():
    """Of three cells of the DARTS space, two reduce."""
    assert same_step(problem_of(LambdaDarts(FewOperations.full_space, init_std=1.0), epoch=1, **PLAIN_SGD))


def test_is_darts_where_there_is_one_cell():
    problem = problem_of(LambdaDarts(Uneven()), UnevenSupernet(4, 10, True), epoch=1, **PLAIN_SGD)
    assert problem.cells == [slice(0, 4)]
    assert same_step(problem)


def random_gradients(seed, cells):
    return torch.randn(cells, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_alignment_is_the_mean_over_pairs_and_lies_in_its_range(seed, cells):
    g = random_gradients(seed, cells)
    pairs = [(i, j) for i in range(cells) for j in range(i)]
    flat = g.flatten(1)
    cosines = torch.stack([cosine_similarity(flat[i], flat[j], dim=0) for i, j in pairs])
    signs = torch.stack([(flat[i] * flat[j]).sum() / (flat[i] * flat[j]).abs().sum() for i, j in pairs])
    for similarity, values in zip(SIMILARITIES, (cosines, signs), strict=True):
        found = alignment(g, similarity)
        torch.testing.assert_close(found, values.mean(), **EXACT)
        assert found <= 1
    assert alignment(g, "cosine") >= -1 / (cells - 1) - 1e-12, "unit vectors cannot disagree more"


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_perturbations_do_not_change_lengths_and_raise_the_alignment(seed, cells):
    """The cosine does not depend on the length of g_l, so v_l is orthogonal to it."""
    g = random_gradients(seed, cells)
    v = gradient_of_alignment(g, "cosine")
    torch.testing.assert_close((v * g).sum(dim=(1, 2)), torch.zeros(cells).double(), rtol=0, atol=1e-12)
    step = 1e-4 * g.norm() / v.norm()
    assert alignment(g + step * v, "cosine") > alignment(g, "cosine")


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_gradients_that_agree_or_vanish_give_finite_perturbations(similarity):
    same = random_gradients(0, 1).repeat(4, 1, 1)
    assert alignment(same, "cosine").item() == pytest.approx(1)
    assert gradient_of_alignment(same, similarity).isfinite().all()
    assert gradient_of_alignment(torch.zeros(4, 2, 3), similarity).isfinite().all()


def test_an_unknown_similarity_is_refused():
    with pytest.raises(ValueError, match="cosine, sign"):
        LambdaDarts(NASBench201(), similarity="angle")
