"""iDARTS against the authors' hypergradient and against one with a dense Hessian."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness.benchmarks import NASBench201
from methods.idarts import Idarts
from tests.methods.reference import EXACT, PLAIN_SGD, at, toy_problem, vectors
from tests.problems import problem_of
from tests.two_edges import TwoEdges

SGD = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "gradient_clip": 5.0}
FINE = {"hessian_radius": 1e-5}
"""The official products with the Hessian are exact."""


@pytest.fixture
def golden(test_data):
    return vectors(test_data, "idarts")


def toy(golden, **changes):
    method = at(Idarts(TwoEdges(), weight_steps=1, alpha_decay=0.0, **changes), golden["alpha"])
    batches = [(golden[f"x_{kind}"], golden[f"y_{kind}"]) for kind in ("train", "valid")]
    rate = float(golden["eta"])
    schedule = {"learning_rate": rate, "learning_rate_min": rate}
    return toy_problem(method, golden["W"][None], golden["V"], *batches, **schedule, **SGD)


def hypergradient(problem):
    method = problem.parts.method
    before = [w.detach().clone() for w in problem.w]
    method.architecture_step(problem)
    assert all(map(torch.equal, problem.w, before)), "w is restored"
    return method.alpha.grad


def test_the_hypergradient_is_the_official_one(golden):
    found = hypergradient(toy(golden, **FINE))
    torch.testing.assert_close(found, golden["hypergradient_official"], rtol=1e-9, atol=1e-9)
    default = hypergradient(toy(golden))
    assert (default - golden["hypergradient_official"]).abs().max() < 1e-5, "by differences of the usual radius"


@pytest.mark.parametrize("terms", range(5))
def test_the_series_is_that_of_the_dense_hessian(golden, terms):
    found = hypergradient(toy(golden, terms=terms, radius=1e-4, hessian_radius=1e-5))
    implicit = (golden["direct_grad_alpha"] - found) / golden["eta"]
    torch.testing.assert_close(implicit, golden["implicit_exact_K0_to_K4"][terms], rtol=1e-7, atol=3e-9)


def test_weight_steps_and_the_hypergradient_after_them(golden):
    """The algorithm as the paper has it: four steps of SGD, then the official product."""
    problem = toy(golden, **FINE)
    for _ in range(4):
        problem.parts.method.weight_step(problem)
    for w, name in zip(problem.w, ("W", "V"), strict=True):
        torch.testing.assert_close(w.detach().reshape(golden[name].shape), golden[f"{name}_after_4_steps"], **EXACT)
    found = hypergradient(problem)
    torch.testing.assert_close(found, golden["hypergradient_after_4"], rtol=1e-9, atol=1e-9)


class Quadratic(nn.Module):
    """Logits that are linear in w and in theta."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(192, 10) / 14)
        self.register_buffer("mix", torch.randn(10, 30) / 10)

    def forward(self, images, weights, edge_weights, sampled=False):
        return images.flatten(1) @ self.w * (self.mix @ weights.flatten())


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.3), st.integers(0, 3))
@settings(max_examples=15)
def test_equals_the_hypergradient_by_double_differentiation(seed, rate, terms):
    torch.manual_seed(seed)
    method = Idarts(NASBench201(), init_std=1.0, weight_steps=1, terms=terms, radius=1e-5, hessian_radius=1e-5)
    problem = problem_of(method, Quadratic(), **{**PLAIN_SGD, "learning_rate": rate, "learning_rate_min": rate})
    (w,) = problem.w

    def loss(batch):
        return nn.functional.cross_entropy(problem.supernet(batch[0], method(), None), batch[1])

    direct, v = torch.autograd.grad(loss(problem.held_out_batch), [method.alpha, w])
    (gradient,) = torch.autograd.grad(loss(problem.train_batch), w, create_graph=True)
    total, term = v, v
    for _ in range(terms):
        term = term - rate * torch.autograd.grad((gradient * term).sum(), w, retain_graph=True)[0]
        total = total + term
    (implicit,) = torch.autograd.grad((gradient * total).sum(), method.alpha)
    torch.testing.assert_close(hypergradient(problem), direct - rate * implicit, rtol=1e-5, atol=1e-8)


def test_alpha_moves_after_every_fourth_weight_step_also_across_epochs():
    """Epochs of six iterations."""
    method, moved = Idarts(NASBench201()), []
    for iteration in range(12):
        problem = problem_of(method, epoch=iteration // 6)
        problem.iteration, problem.iterations = iteration % 6, 6
        before = method.alpha.detach().clone()
        method.architecture_step(problem)
        if not torch.equal(before, method.alpha):
            moved.append(iteration)
    assert moved == [3, 7, 11]


def test_settings_that_make_no_sense_are_refused():
    for wrong in ({"weight_steps": 0}, {"terms": -1}):
        with pytest.raises(ValueError, match="at least one weight step"):
            Idarts(NASBench201(), **wrong)
