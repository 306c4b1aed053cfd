"""Sampling and normalisation on simplices."""

import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks import NASBench201
from harness.search.simplex import gumbel_one_hot, normalised_by_node, softmax_by_node, uniform_one_hot

TARGET = NASBench201.edge_target


def test_gumbel_sample_is_one_hot_in_value_and_a_softmax_in_gradient():
    torch.manual_seed(0)
    log_p = torch.randn(6, 5, dtype=torch.float64).log_softmax(-1).requires_grad_()
    gumbels, upstream = -torch.rand(6, 5, dtype=torch.float64).log().neg().log(), torch.randn(6, 5).double()
    sample = gumbel_one_hot(log_p, 2.0, gumbels)
    assert torch.allclose(sample.detach(), F.one_hot((log_p + gumbels).argmax(-1), 5).double())
    (straight_through,) = torch.autograd.grad((sample * upstream).sum(), log_p)
    (softmax,) = torch.autograd.grad((((log_p + gumbels) / 2.0).softmax(-1) * upstream).sum(), log_p)
    assert torch.allclose(straight_through, softmax)


def test_gumbel_samples_follow_their_distribution():
    torch.manual_seed(0)
    p = torch.tensor([[0.7, 0.2, 0.1]])
    share = torch.stack([gumbel_one_hot(p.log(), 0.5) for _ in range(4000)]).mean(0)
    assert (share - p).abs().max() < 0.03  # four standard deviations


def test_gumbel_samples_of_several_options_are_those_of_the_largest_and_drawn_without_replacement():
    torch.manual_seed(0)
    log_p = torch.tensor([[0.6, 0.3, 0.1, 0.0], [0.25] * 4], dtype=torch.float64).log()  # the first row has 3 options
    samples = torch.stack([gumbel_one_hot(log_p, 0.1, keep=(2, 3)) for _ in range(4000)])
    assert torch.allclose(samples.sum(-1), torch.tensor([2.0, 3.0]).double())
    assert ((samples - samples.round()).abs() < 1e-9).all()
    assert not samples[:, 0, 3].any()
    last = 0.6 * 0.3 / 0.4 + 0.3 * 0.6 / 0.7  # probability that the third option is left out
    assert (samples.mean(0)[0, 2] - (1 - last)).abs() < 0.03
    assert (samples.mean(0)[1] - 0.75).abs().max() < 0.03
    log_p, upstream = log_p[1:].clone().requires_grad_(), torch.randn(1, 4).double()
    gumbels = torch.randn(1, 4).double()
    (straight_through,) = torch.autograd.grad((gumbel_one_hot(log_p, 2.0, gumbels, (3,)) * upstream).sum(), log_p)
    (softmax,) = torch.autograd.grad((((log_p + gumbels) / 2.0).softmax(-1) * upstream).sum(), log_p)
    assert torch.allclose(straight_through, softmax)


def test_gumbel_noise_is_finite_in_the_extremes(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "exponential_", lambda tensor: tensor.zero_())
    assert torch.isfinite(gumbel_one_hot(torch.zeros(2, 3), 1.0)).all()


def test_uniform_samples_are_uniform():
    torch.manual_seed(0)
    share = torch.stack([uniform_one_hot(NASBench201().without("none")) for _ in range(4000)]).mean(0)
    assert (share - 0.25).abs().max() < 0.03


@given(st.lists(st.floats(0.01, 10), min_size=6, max_size=6))
def test_edges_sum_to_one_at_every_node(values):
    edges = normalised_by_node(torch.tensor(values, dtype=torch.float64), TARGET)
    sums = np.bincount(TARGET, weights=edges.numpy())[1:]
    assert np.allclose(sums, 1)
    beta = torch.tensor(values, dtype=torch.float64)
    assert torch.allclose(softmax_by_node(beta, TARGET)[1:3], beta[1:3].softmax(0))
    assert torch.allclose(softmax_by_node(beta, TARGET)[3:], beta[3:].softmax(0))
