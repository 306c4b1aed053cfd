"""SNAS against the sampling of DrNAS's repository and of the authors', which differ in the logits' start only."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks import DARTS, NASBench201
from harness.search.simplex import gumbel_softmax
from methods.snas import Snas
from tests.methods.reference import EXACT, alpha_gradient, at, vectors
from tests.problems import problem_of
from tests.uneven_space import Uneven


@pytest.mark.parametrize("where", ["drnas", "snas"])
def test_samples_and_gradients_are_the_official_ones(test_data, where):
    golden, prefix = vectors(test_data, where), "gumbel_" if where == "drnas" else ""
    alpha, noise = golden["alpha"], golden.get("gumbel_noise")
    noise = -(-golden["uniforms"].log()).log() if noise is None else noise
    temperature = float(golden["gumbel_tau" if where == "drnas" else "temperature"])
    space = NASBench201() if where == "drnas" else DARTS()
    both = space.shape[0] // len(alpha)  # cell types
    method = at(Snas(space), torch.cat([alpha] * both))
    theta = gumbel_softmax(method.logits(), temperature, torch.cat([noise] * both))[: len(alpha)]
    torch.testing.assert_close(theta.detach(), golden[f"{prefix}theta"], **EXACT)
    gradient = alpha_gradient(method, (theta * golden["cotangent"]).sum())[: len(alpha)]
    torch.testing.assert_close(gradient, golden[f"{prefix}grad_alpha"], **EXACT)


def test_the_mixture_is_such_a_sample_at_the_present_temperature():
    method = at(Snas(NASBench201()), torch.randn(6, 5).double())
    method.before_epoch(problem_of(method, epoch=1, epochs=2))
    torch.manual_seed(0)
    theta = method()
    torch.manual_seed(0)
    assert torch.equal(theta, gumbel_softmax(method.alpha, 5.5))


def test_the_temperature_is_the_official_one_in_every_epoch(test_data):
    method, found = Snas(NASBench201()), []
    for epoch in range(100):
        method.before_epoch(problem_of(method, epoch=epoch, epochs=100))
        found.append(method.tau)
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), vectors(test_data, "drnas")["gumbel_tau_at_epoch"], **EXACT
    )


@given(st.integers(0, 2**32 - 1), st.floats(0.03, 10))
def test_samples_are_on_the_simplex_of_the_options(seed, temperature):
    torch.manual_seed(seed)
    method = at(Snas(Uneven()), torch.randn(Uneven().shape).double())
    method.tau = temperature
    theta = method()
    torch.testing.assert_close(theta.sum(dim=-1), torch.ones(4).double(), **EXACT)
    assert not theta[~method.mask].any()
    gradient = alpha_gradient(method, (theta * torch.randn_like(theta)).sum())
    assert gradient.isfinite().all()
    assert not gradient[~method.mask].any()


def test_the_largest_entry_of_a_sample_follows_the_softmax():
    """The Gumbel-max theorem, at any temperature."""
    torch.manual_seed(0)
    method = at(Snas(NASBench201()), torch.randn(6, 5).double())
    counts = sum(torch.nn.functional.one_hot(method().argmax(dim=-1), 5) for _ in range(4000))
    assert (counts / 4000 - method.distribution()).abs().max() < 0.03


def test_both_steps_and_validation_sample():
    method = Snas(NASBench201())
    drawn = [method().detach(), method.weights_for_training(), method.evaluation_weights()]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
    assert not torch.equal(drawn[2], method.distribution())
