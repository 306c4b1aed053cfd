"""The second-order architecture gradient against exact second derivatives."""

import numpy as np
import pytest
import torch

from harness.benchmarks import DARTS
from harness.benchmarks.darts.supernet import DARTSSupernet
from harness.search.unrolled import unrolled_gradient
from methods.darts_2nd import Darts2nd
from tests.darts.test_supernet import load_official
from tests.darts.textbook import official_names, part_of


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


def test_equals_the_official_gradient_and_the_adam_step_after_it(test_data):
    """The official architect on the DARTS supernet, through the method `darts-2nd`."""
    with np.load(test_data / "golden" / "darts_second_order.npz", allow_pickle=False) as vectors:
        golden = {name: torch.as_tensor(vectors[name]) for name in vectors.files if vectors[name].dtype.kind != "U"}
    space = DARTS()
    network = DARTSSupernet(space, channels=3, cells=3, classes=10).double()
    load_official(network, {name[6:]: value for name, value in golden.items() if name.startswith("state/")})
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=float(golden["eta"]),
        momentum=float(golden["network_momentum"]),
        weight_decay=float(golden["network_weight_decay"]),
    )
    parameters = dict(network.named_parameters())
    for weight in parameters.values():
        optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    for official, (name, part) in official_names(network).items():
        if f"momentum/{official}" in golden:
            part_of(optimizer.state[parameters[name]]["momentum_buffer"], part).copy_(golden[f"momentum/{official}"])

    method = Darts2nd(space).double()
    with torch.no_grad():
        method.alpha.copy_(torch.cat([golden["arch/alphas_normal"], golden["arch/alphas_reduce"]]))

    def loss_on(batch):
        logits = network(golden[f"{batch}_input"], method(), torch.ones(28, dtype=torch.float64))
        return torch.nn.functional.cross_entropy(logits, golden[f"{batch}_target"])

    (gradient,) = unrolled_gradient(lambda: loss_on("train"), lambda: loss_on("search"), optimizer, [method.alpha])
    expected = torch.cat([golden["arch_grad/alphas_normal"], golden["arch_grad/alphas_reduce"]])
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)
    method.alpha.grad = gradient
    method.step()
    after = torch.cat([golden["arch_next/alphas_normal"], golden["arch_next/alphas_reduce"]])
    torch.testing.assert_close(method.alpha.detach(), after, rtol=1e-9, atol=1e-12)
