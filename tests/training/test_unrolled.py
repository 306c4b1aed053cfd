"""The second-order architecture gradient against exact second derivatives."""

import pytest
import torch

from harness.training.unrolled import unrolled_gradient


@pytest.fixture
def problem():
    """Losses with third derivatives, so that a mistake in any term shows; SGD with filled momentum buffers."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(4, generator=generator, dtype=torch.float64, requires_grad=True)
    alpha = torch.randn(3, generator=generator, dtype=torch.float64, requires_grad=True)
    mix = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    optimizer = torch.optim.SGD([w], lr=0.03, momentum=0.9, weight_decay=3e-4)

    def training(weights=w):
        return ((weights * (mix @ alpha)).sin()).sum() + (weights**2).sum()

    def validation(weights=w):
        return (weights.exp() * (mix @ alpha.cos())).sum()

    training().backward()
    optimizer.step()
    return w, alpha, optimizer, training, validation


def exact(w, alpha, optimizer, training, validation):
    (gradient,) = torch.autograd.grad(training(), w, create_graph=True)
    ahead = w - 0.03 * (0.9 * optimizer.state[w]["momentum_buffer"] + gradient + 3e-4 * w)
    return torch.autograd.grad(validation(ahead), alpha)[0]


def test_equals_the_derivative_through_the_weight_step(problem):
    w, alpha, optimizer, training, validation = problem
    before = w.detach().clone()
    (found,) = unrolled_gradient(training, validation, optimizer, [alpha])
    assert torch.equal(w, before)
    assert torch.allclose(found, exact(*problem), rtol=1e-4)
    first_order = torch.autograd.grad(validation(), alpha)[0]
    assert not torch.allclose(found, first_order, rtol=1e-2)


def test_momentum_counts(problem):
    w, alpha, optimizer, training, validation = problem
    with_momentum = unrolled_gradient(training, validation, optimizer, [alpha])[0]
    optimizer.state[w]["momentum_buffer"].zero_()
    without = unrolled_gradient(training, validation, optimizer, [alpha])[0]
    assert not torch.allclose(with_momentum, without, rtol=1e-3)
