"""DrNAS against the authors' sampling and regulariser, and against the laws of the Dirichlet distribution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Dirichlet, kl_divergence

from harness.benchmarks import DARTS, NASBench201
from methods.drnas import Drnas
from tests.methods.reference import EXACT, alpha_gradient, at, vectors
from tests.uneven_space import Uneven

SPACE = NASBench201()


@pytest.fixture
def golden(test_data):
    return vectors(test_data, "drnas")


def test_concentrations_sample_and_pathwise_gradients_are_the_official_ones(golden):
    method = at(Drnas(SPACE), golden["alpha"])
    torch.testing.assert_close(method.concentration(), golden["concentration"], **EXACT)
    for objective, expected in (
        (lambda theta: (theta * golden["cotangent"]).sum(), "grad_alpha"),
        (lambda theta: (theta - golden["target"]).square().sum(), "grad_alpha_quadratic"),
    ):
        torch.manual_seed(int(golden["seed_sample"]))
        theta = method()
        torch.testing.assert_close(theta.detach(), golden["theta"], **EXACT)
        torch.testing.assert_close(alpha_gradient(method, objective(theta)), golden[expected], **EXACT)


def test_the_mean_gradient_is_that_of_the_expectation(golden):
    method = at(Drnas(SPACE), golden["alpha"])
    torch.manual_seed(0)
    alphas = method.alpha.detach().expand(20_000, -1, -1).clone().requires_grad_()
    method.alpha = torch.nn.Parameter(alphas)
    (gradient,) = torch.autograd.grad((method().square() * golden["cotangent"]).sum(), method.alpha)
    expected = golden["expected_grad_alpha_of_sum_theta_squared"]
    assert (gradient.mean(dim=0) - expected).abs().max() < 0.01


def test_the_divergence_from_the_flat_distribution_is_the_official_regulariser(golden):
    method = at(Drnas(SPACE, kl=float(golden["kl_scale"])), golden["alpha"])
    penalty = method.objective(torch.zeros(()).double(), torch.zeros(()))
    torch.testing.assert_close(penalty.detach(), golden["kl_value"], **EXACT)
    torch.testing.assert_close(alpha_gradient(method, penalty), golden["kl_grad_alpha"], **EXACT)
    plain, loss = at(Drnas(SPACE), golden["alpha"]), torch.ones(())
    assert plain.objective(loss, torch.zeros(())) is loss


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 3))
@settings(max_examples=25)
def test_samples_and_divergence_are_those_of_the_options_alone(seed, spread):
    torch.manual_seed(seed)
    method = at(Drnas(Uneven(), init_std=spread), spread * torch.randn(Uneven().shape).double())
    theta = method()
    torch.testing.assert_close(theta.sum(dim=-1), torch.ones(4).double(), **EXACT)
    assert not theta[~method.mask].any()
    rows = list(zip(method.concentration(), Uneven().lengths, strict=True))
    expected = sum(kl_divergence(Dirichlet(row[:n]), Dirichlet(torch.ones(n).double())) for row, n in rows)
    torch.testing.assert_close(method.divergence_from_flat(), expected, rtol=1e-9, atol=1e-9)
    assert method.divergence_from_flat() >= 0
    gradient = alpha_gradient(method, (theta * torch.randn_like(theta)).sum())
    assert gradient.isfinite().all()
    assert gradient[~method.mask].abs().max() < 1e-9


def test_samples_of_options_follow_the_dirichlet_distribution_of_the_options():
    torch.manual_seed(0)
    method = at(Drnas(Uneven()), torch.randn(Uneven().shape).double())
    samples = torch.stack([method() for _ in range(4000)])
    for row, n in enumerate(Uneven().lengths):
        law = Dirichlet(method.concentration()[row, :n])
        assert (samples[:, row, :n].mean(dim=0) - law.mean).abs().max() < 0.02
        assert (samples[:, row, :n].var(dim=0) - law.variance).abs().max() < 0.01


def test_cells_come_from_the_softmax_and_both_steps_and_validation_sample():
    torch.manual_seed(0)
    method = Drnas(DARTS(), init_std=1.0)
    assert torch.equal(method.distribution(), method.alpha.softmax(dim=-1))
    drawn = [method().detach(), method.weights_for_training(), method.evaluation_weights()]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
    assert not any(weights.requires_grad for weights in drawn)
    assert method.derive(None) == DARTS().discretize(method.alpha.softmax(dim=-1))
