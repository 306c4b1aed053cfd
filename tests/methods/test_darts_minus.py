"""DARTS-: the schedules and the mixed operation of the authors' code."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.benchmarks import DARTS, NASBench201
from harness.benchmarks.darts.supernet import AUXILIARY_SKIP, DARTSSupernet, Leaving, Outgoing
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.experiment import registry
from harness.experiment.conformance import problems
from methods.darts_minus import DartsMinus
from tests.methods.reference import EXACT, at
from tests.problems import problem_of
from tests.two_edges import TwoEdges
from tests.uneven_space import Uneven


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "golden" / "newer" / "darts_minus.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize(
    "schedule, name, epochs",
    [
        ("linear", "beta_linear", 50),
        ("linear", "beta_linear_100", 100),
        ("cosine", "beta_cosine", 50),
        ("slow-cosine", "beta_slow_cosine", 50),
        ("constant", "beta_constant", 50),
    ],
)
def test_the_auxiliary_weight_fades_as_in_the_official_code(golden, schedule, name, epochs):
    method = DartsMinus(NASBench201(), schedule=schedule)
    for epoch, beta in enumerate(golden[name].tolist()):
        method.before_epoch(SimpleNamespace(epoch=epoch, epochs=epochs))
        assert method.beta == pytest.approx(beta, rel=1e-12)
        assert method()[:, -1].tolist() == pytest.approx([beta] * 6, rel=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_mixed_operation_is_the_official_one(golden, stride):
    names = tuple(golden["operations"])
    golden = {key: torch.as_tensor(values) for key, values in golden.items() if values.dtype.kind != "U"}
    edge = Outgoing((*names, AUXILIARY_SKIP), 4, 1, stride, track_statistics=True).double()
    if stride == 2:
        for ours, theirs in ((AUXILIARY_SKIP, "auxiliary"), ("skip_connect", "skip")):
            for part, kernel in (("even", "conv_1"), ("odd", "conv_2")):
                getattr(edge.convolutions[ours], part).data.copy_(golden[f"{theirs}_{kernel}"])
    x = golden[f"x_{stride}"].clone().requires_grad_()
    alpha = golden[f"alpha_{stride}"].clone().requires_grad_()
    weights = torch.cat([alpha.softmax(-1), golden["beta"].reshape(1)])
    columns = dict(zip((*names, AUXILIARY_SKIP), weights.split(1), strict=True))
    terms = edge(x, Leaving(columns, dict.fromkeys(columns, (0,)), torch.ones(1).double()))
    y = sum(term for _, term in terms)
    torch.testing.assert_close(y, golden[f"y_{stride}"], **EXACT)
    gradients = torch.autograd.grad((y * golden[f"cotangent_{stride}"]).sum(), [x, alpha])
    for gradient, expected in zip(gradients, (f"grad_x_{stride}", f"grad_alpha_{stride}"), strict=True):
        torch.testing.assert_close(gradient, golden[expected], **EXACT)


def supernet_of(space):
    torch.manual_seed(0)
    if space.name == "darts":
        return DARTSSupernet(space, 4, 3, 10, auxiliary_skip=True).double()
    return NASBench201Supernet(space, 4, 1, 10, auxiliary_skip=True).double()


@pytest.mark.parametrize("space", [NASBench201(), DARTS()], ids=lambda space: space.name)
def test_without_its_column_the_supernet_is_the_usual_one(space):
    """Which weights of zero for the auxiliary skip connections are, too; no architecture has them."""
    network, images = supernet_of(space), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    theta, ones = torch.rand(space.shape, dtype=torch.float64), torch.ones(space.shape[0], dtype=torch.float64)
    none = torch.cat([theta, torch.zeros(len(theta), 1).double()], dim=1)
    some = torch.cat([theta, torch.full((len(theta), 1), 0.5).double()], dim=1)
    plain = network(images, theta, ones)
    torch.testing.assert_close(network(images, none, ones), plain)
    assert not torch.allclose(network(images, some, ones), plain)
    _, operations = network.multiply_adds(8, 8)
    extra = operations.shape[1] - space.shape[1]
    assert extra == (space.name == "darts"), "the identity of NAS-Bench-201 costs nothing"
    if extra:
        skips = operations[:, space.operations.index("skip_connect")]
        assert torch.equal(operations[:, -1], skips)
        assert skips.any()


def test_on_edges_of_stride_1_the_auxiliary_skip_is_the_candidate():
    space = NASBench201()
    network, images = supernet_of(space), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    theta, ones = torch.rand(2, *space.shape, dtype=torch.float64)[0], torch.ones(6, dtype=torch.float64)
    moved = theta.clone()
    moved[:, space.operations.index("skip_connect")] += 0.7
    both = torch.cat([theta, torch.full((6, 1), 0.7).double()], dim=1)
    torch.testing.assert_close(network(images, both, ones), network(images, moved, ones))
    per_cell = both.expand(3, -1, -1)
    torch.testing.assert_close(network(images, per_cell, ones), network(images, moved, ones))


@pytest.mark.parametrize("space", [NASBench201(), DARTS()], ids=lambda space: space.name)
def test_both_steps_and_the_validation_see_the_auxiliary_skip(space):
    method = at(DartsMinus(space), torch.ones(space.shape).cumsum(1) / 9)
    problem = problem_of(method, supernet_of(space))
    method.beta = 0.5
    assert (
        method.weights_for_training().shape == method.evaluation_weights().shape == (space.shape[0], space.shape[1] + 1)
    )
    method.architecture_step(problem)
    assert method.alpha.grad.abs().sum() > 0
    method.weight_step(problem)
    cost = problem.counter.multiply_adds()
    assert problem.accuracy(method.evaluation_weights(), problem.held_out_batch) >= 0
    assert problem.accuracy(method.derive(problem), problem.held_out_batch) >= 0
    assert problem.counter.multiply_adds()[0] > cost[0]


def test_it_needs_edges_and_a_supernet_with_the_option():
    assert "not edges" in DartsMinus.unsupported(Uneven())
    known = SimpleNamespace(full_space=TwoEdges(), supernet_options=("partial_channels",))
    assert registry.why_not(DartsMinus, known) == "its supernet has no option auxiliary_skip"
    assert (
        registry.why_not(DartsMinus, SimpleNamespace(**{**vars(known), "supernet_options": ("auxiliary_skip",)}))
        is None
    )
    assert problems(DartsMinus, NASBench201()) == []
