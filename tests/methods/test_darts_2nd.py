"""The second-order architecture gradient against exact second derivatives."""

import numpy as np
import pytest
import torch
from torch import nn

from harness.benchmarks import DARTS, NASBench201
from harness.benchmarks.darts.supernet import DARTSSupernet
from methods.darts_2nd import Darts2nd
from tests.darts.test_supernet import load_official
from tests.darts.textbook import official_names, part_of
from tests.problems import problem_of


class Smooth(nn.Module):
    """Logits with derivatives of every order in w and in the mixture."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(192, 10) / 14)
        self.register_buffer("mix", torch.randn(192, 30) / 3)

    def forward(self, images, weights, edge_weights, sampled=False):
        return images.flatten(1) @ (self.w * (1 + (self.mix @ weights.flatten()).sin())[:, None]).sinh()


@pytest.fixture
def problem():
    """With filled momentum buffers."""
    torch.manual_seed(0)
    method = Darts2nd(NASBench201(), init_std=1.0, alpha_decay=0.0)
    settings = {"learning_rate": 0.3, "weight_decay": 0.01, "gradient_clip": 0.0, "nesterov": False}
    problem = problem_of(method, Smooth(), **settings)
    method.weight_step(problem)
    return problem


def exact(problem):
    method, (w,) = problem.parts.method, problem.w
    (group,) = problem.weight_optimizer.param_groups

    def loss(weights, batch):
        mixed = torch.func.functional_call(problem.supernet, {"w": weights}, (batch[0], method(), None))
        return nn.functional.cross_entropy(mixed, batch[1])

    (gradient,) = torch.autograd.grad(loss(w, problem.train_batch), w, create_graph=True)
    momentum = group["momentum"] * problem.weight_optimizer.state[w]["momentum_buffer"]
    ahead = w - group["lr"] * (momentum + gradient + group["weight_decay"] * w)
    return torch.autograd.grad(loss(ahead, problem.held_out_batch), method.alpha)[0]


def found(problem):
    method = problem.parts.method
    method.step = lambda: None
    method.architecture_step(problem)
    return method.alpha.grad


def test_equals_the_derivative_through_the_weight_step(problem):
    before = [w.detach().clone() for w in problem.w]
    expected, gradient = exact(problem), found(problem)
    assert all(map(torch.equal, problem.w, before))
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-7)
    method = problem.parts.method
    first_order = problem.gradients(problem.loss(method(), problem.held_out_batch).loss, [method.alpha])[0]
    assert not torch.allclose(gradient, first_order, rtol=1e-2)


def test_momentum_counts(problem):
    with_momentum = found(problem).clone()
    problem.weight_optimizer.state[problem.w[0]]["momentum_buffer"].zero_()
    assert not torch.allclose(with_momentum, found(problem), rtol=1e-3)


def test_equals_the_official_gradient_and_the_adam_step_after_it(test_data):
    """The official architect on the DARTS supernet."""
    with np.load(test_data / "golden" / "darts_second_order.npz", allow_pickle=False) as vectors:
        golden = {name: torch.as_tensor(vectors[name]) for name in vectors.files if vectors[name].dtype.kind != "U"}
    network = DARTSSupernet(DARTS(), channels=3, cells=3, classes=10).double()
    load_official(network, {name[6:]: value for name, value in golden.items() if name.startswith("state/")})
    method = Darts2nd(DARTS()).double()
    with torch.no_grad():
        method.alpha.copy_(torch.cat([golden["arch/alphas_normal"], golden["arch/alphas_reduce"]]))
    problem = problem_of(
        method,
        network,
        *((golden[f"{batch}_input"], golden[f"{batch}_target"]) for batch in ("train", "search")),
        learning_rate=float(golden["eta"]),
        learning_rate_min=0.0,
        momentum=float(golden["network_momentum"]),
        weight_decay=float(golden["network_weight_decay"]),
    )
    parameters = dict(network.named_parameters())
    for weight in parameters.values():
        problem.weight_optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    for official, (name, part) in official_names(network).items():
        if f"momentum/{official}" in golden:
            buffer = problem.weight_optimizer.state[parameters[name]]["momentum_buffer"]
            part_of(buffer, part).copy_(golden[f"momentum/{official}"])

    method.architecture_step(problem)
    expected = torch.cat([golden["arch_grad/alphas_normal"], golden["arch_grad/alphas_reduce"]])
    torch.testing.assert_close(method.alpha.grad, expected, rtol=1e-9, atol=1e-12)
    after = torch.cat([golden["arch_next/alphas_normal"], golden["arch_next/alphas_reduce"]])
    torch.testing.assert_close(method.alpha.detach(), after, rtol=1e-9, atol=1e-12)
