"""The exponentiated-gradient step: reference trajectories, the theorem behind it, the floor."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from harness.benchmarks import DARTS, NASBench201
from harness.search.optimizers import ExponentiatedGradient
from harness.search.simplex import entropy, exponentiated_gradient, normalised_by_node
from methods.gaea_darts_bilevel import GaeaDartsBilevel
from methods.gaea_darts_erm import GaeaDartsErm
from methods.gaea_pc_darts import GaeaPcDarts

SPACE = NASBench201().without("none")


@pytest.mark.parametrize("cls", [GaeaDartsErm, GaeaDartsBilevel])
def test_trajectory_of_the_official_implementation(test_data, cls):
    with np.load(test_data / "golden" / "eg_nb201.npz", allow_pickle=False) as golden:
        gradients, expected = golden["theta_grads"][:, 0], golden["theta"][:, 0]
    method = cls(SPACE).double()
    with torch.no_grad():
        method.theta.fill_(0.25)
    for step, gradient in enumerate(gradients):
        np.testing.assert_allclose(method.distribution().detach().numpy(), expected[step], rtol=1e-12)
        method.theta.grad = torch.from_numpy(gradient)
        method.step()
    np.testing.assert_allclose(method.distribution().detach().numpy(), expected[-1], rtol=1e-12)


def test_trajectory_of_operations_and_edges(test_data):
    """Of the official implementation on the DARTS space: cell types one after the other, as our rows are."""
    with np.load(test_data / "golden" / "eg_pcdarts.npz", allow_pickle=False) as golden:
        rows = {
            name: golden[name].reshape(len(golden[name]), 28, *golden[name].shape[3:])
            for name in ("theta_grads", "theta", "edge_grads", "edge_weights")
        }
    method = GaeaPcDarts(DARTS()).double()
    with torch.no_grad():  # made in single precision
        method.theta.fill_(1 / 8)
        method.edges.copy_(normalised_by_node(torch.ones(28, dtype=torch.float64), DARTS.edge_target))
    for step in range(30):
        np.testing.assert_allclose(method.distribution().detach().numpy(), rows["theta"][step], rtol=1e-12)
        np.testing.assert_allclose(method.edge_weights().detach().numpy(), rows["edge_weights"][step], rtol=1e-12)
        method.theta.grad = torch.from_numpy(rows["theta_grads"][step])
        method.edges.grad = torch.from_numpy(rows["edge_grads"][step])
        method.step()
    np.testing.assert_allclose(method.distribution().detach().numpy(), rows["theta"][30], rtol=1e-12)
    np.testing.assert_allclose(method.edge_weights().detach().numpy(), rows["edge_weights"][30], rtol=1e-12)


def test_the_optimizer_checks_its_settings_and_skips_what_has_no_gradient():
    theta = torch.full((2, 3), 1 / 3, requires_grad=True)
    ExponentiatedGradient([theta], lr=0.1).step()
    assert torch.equal(theta, torch.full((2, 3), 1 / 3))
    for bad in ({"lr": 0.0}, {"lr": float("nan")}, {"floor": -1.0}):
        with pytest.raises(ValueError, match="lr > 0 and floor >= 0"):
            ExponentiatedGradient([theta], **bad)


@pytest.mark.filterwarnings("ignore:Values in x were outside bounds")  # of older solvers, about themselves
@settings(max_examples=20, derandomize=True)
@given(seed=st.integers(0, 10_000), k=st.integers(2, 8), lr=st.sampled_from([0.01, 0.1, 1.0]))
def test_step_minimises_the_mirror_descent_objective(seed, k, lr):
    """argmin over the simplex of lr <g, u> + KL(u || theta), found here by a general-purpose solver."""
    rng = np.random.default_rng(seed)
    theta, gradient = rng.dirichlet(np.full(k, 2.0)) * 0.9 + 0.1 / k, rng.normal(size=k)

    def objective(u):
        return lr * gradient @ u + np.sum(u * np.log(u / theta))

    ours = exponentiated_gradient(torch.from_numpy(theta), torch.from_numpy(gradient), lr).numpy()
    simplex = {"type": "eq", "fun": lambda u: u.sum() - 1}
    found = minimize(objective, theta, bounds=[(1e-9, 1)] * k, constraints=simplex, tol=1e-12)
    assert objective(ours) <= found.fun + 1e-9
    np.testing.assert_allclose(ours, found.x, atol=2e-4)


def test_equals_gradient_descent_on_logits_with_the_gradient_in_theta():
    logits, gradient = torch.randn(6, 4).double(), torch.randn(6, 4).double()
    ours = exponentiated_gradient(logits.softmax(-1), gradient, 0.3)
    torch.testing.assert_close(ours, (logits - 0.3 * gradient).softmax(-1), rtol=1e-12, atol=0)


def test_floor_acts_on_the_product_and_before_the_rows_are_normalised():
    theta = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
    gradient = torch.tensor([[0.0, 1000.0]], dtype=torch.float64)
    ours = exponentiated_gradient(theta, gradient, lr=1.0, floor=1e-5)
    torch.testing.assert_close(ours, torch.tensor([[0.5, 1e-5]], dtype=torch.float64) / 0.50001, rtol=1e-14, atol=0)


def test_methods_use_the_published_floor():
    method = GaeaDartsErm(SPACE)
    method.theta.grad = torch.zeros(SPACE.shape)
    method.theta.grad[:, 0] = 1e4
    method.step()
    assert method.theta[:, 0].min().item() == pytest.approx(1e-5 / 0.75001, rel=1e-4)


def test_entropy():
    assert entropy(torch.full((2, 4), 0.25)).tolist() == pytest.approx([np.log(4)] * 2)
    assert entropy(torch.eye(4)).tolist() == [0.0] * 4
