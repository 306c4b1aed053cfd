"""Shapley-NAS against the authors' estimates and steps, and against the axioms of the Shapley value."""

from math import tanh

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks import NASBench201
from methods.shapley_nas import ShapleyNas
from tests.methods.reference import EXACT, vectors
from tests.problems import problem_of
from tests.uneven_space import Uneven


class TwoTypes(NASBench201):
    """Rows of the first and of the second cell type: 2 x 3 rows of four operations."""

    groups = {"normal": slice(0, 3), "reduce": slice(3, 6)}  # noqa: RUF012


@pytest.fixture
def golden(test_data):
    return vectors(test_data, "shapley")


def method_at(golden, step):
    method = ShapleyNas(TwoTypes().without("none")).double()
    method.alpha.copy_(golden[f"alpha{step}"].flatten(0, 1))
    method.accumulated.copy_(golden[f"accumulated{step}"].flatten(0, 1))
    return method


@pytest.mark.parametrize("step", range(3))
def test_estimates_and_steps_are_the_official_ones(golden, step):
    def accuracy(weights):
        normal, reduction = weights.view(2, 12).sum(dim=1).tolist()
        return (weights.view(2, 3, 4) * golden["table"]).sum().item() + 20 * tanh(normal * reduction / 4)

    method = method_at(golden, step)
    values = [method.values(accuracy, order) for order in golden["permutations"][step]]
    phi = torch.stack(values).mean(dim=0) - torch.from_numpy(np.std(torch.stack(values).numpy(), axis=0))
    torch.testing.assert_close(phi, golden[f"shapley{step}"].flatten(0, 1), **EXACT)
    method.move(values)
    torch.testing.assert_close(method.accumulated, golden[f"accumulated{step + 1}"].flatten(0, 1), **EXACT)
    torch.testing.assert_close(method.alpha, golden[f"alpha{step + 1}"].flatten(0, 1), **EXACT)


def small(**changes):
    return ShapleyNas(NASBench201(), **changes).double()


@given(st.integers(0, 2**32 - 1))
def test_values_add_up_to_what_all_options_contribute(seed):
    """Efficiency; and an option that changes nothing is worth nothing."""
    torch.manual_seed(seed)
    table, method = torch.rand(6, 5).double(), small(samples=1, threshold=0.0)
    table[2, 3] = 0
    phi = method.values(lambda weights: (weights * table).sum().tanh().item(), method.order())
    assert phi.sum().item() == pytest.approx((method.distribution() * table).sum().tanh().item(), abs=1e-9)
    assert phi[2, 3].item() == pytest.approx(0, abs=1e-12)


@given(st.integers(0, 2**32 - 1))
def test_of_an_additive_accuracy_the_values_are_the_contributions_in_any_order(seed):
    torch.manual_seed(seed)
    table, method = torch.rand(6, 5).double(), small(samples=3, threshold=0.0)
    for _ in range(3):
        values = method.values(lambda weights: (weights * table).sum().item(), method.order())
        torch.testing.assert_close(values, method.distribution() * table, rtol=1e-9, atol=1e-12)


def test_an_order_ends_when_half_of_the_accuracy_is_gone():
    method, asked = small(samples=1), []

    def accuracy(weights):
        asked.append(weights.clone())
        return {0: 80.0, 1: 60.0, 2: 39.0}[len(asked) - 1]

    values = method.values(accuracy, torch.arange(30))
    assert values.flatten().tolist() == [20.0, 21.0, *[0.0] * 28]
    assert len(asked) == 3
    row = method.distribution()[0]
    assert asked[2][0].tolist() == [0, 0, *row[2:].tolist()], "without renormalisation"


def test_orders_are_permutations_of_the_options():
    for method in (ShapleyNas(Uneven()), ShapleyNas(NASBench201())):
        options = method.distribution().flatten().nonzero().flatten().tolist()
        orders = [method.order().tolist() for _ in range(10)]
        assert len({tuple(order) for order in orders}) == 10
        assert all(sorted(order) == options for order in orders)


def test_alpha_moves_between_epochs_after_the_warm_up_only():
    method = ShapleyNas(NASBench201(), samples=2).double()
    start = method.alpha.clone()
    for epoch, moves in ((0, False), (1, False), (2, True), (3, True)):
        problem = problem_of(method, epoch=epoch, epochs=4)
        before = method.alpha.clone()
        method.architecture_step(problem)
        assert torch.equal(method.alpha, before)
        method.before_epoch(problem)
        assert torch.equal(method.alpha, before) != moves
    assert method.alpha.isfinite().all()
    assert not torch.equal(method.alpha, start)


def test_equal_values_move_nothing_but_the_accumulated():
    method = small()
    accumulated = method.accumulated.clone()
    method.move([torch.ones(6, 5).double()])
    torch.testing.assert_close(method.accumulated, 0.8 * accumulated, **EXACT)
