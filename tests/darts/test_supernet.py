"""The supernet of the DARTS space against the official one, the textbook one, and the discrete network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.benchmarks import DARTS
from harness.benchmarks.darts.operations import Convolution, depthwise, from_phases, shuffle_channels, to_phases
from harness.benchmarks.darts.supernet import DARTSSupernet
from tests.darts.textbook import TextbookDARTS, official_names, part_of

SPACE = DARTS()
ONES = torch.ones(28, dtype=torch.float64)
NODES = [2, 3, 4, 5, 2, 3, 4, 5]


def build(channels=4, cells=4, space=SPACE, seed=0, **options):
    torch.manual_seed(seed)
    return DARTSSupernet(space, channels, cells, classes=10, **options).double()


@torch.no_grad()
def load_official(network, state):
    """Load official parameters and statistics; returns the official names used."""
    ours = network.state_dict()
    used = []
    for official, (name, part) in official_names(network).items():
        if official in state and name in ours:
            part_of(ours[name], part).copy_(state[official])
            used.append(official)
    return used


def twins(channels, cells, space=SPACE, seed=0, partial=1, stem="cifar"):
    """Ours and the textbook network with the same weights."""
    network = build(channels, cells, space, seed, partial_channels=partial, stem=stem)
    textbook = TextbookDARTS(
        channels, cells, partial=partial, operations=space.operations, imagenet=stem == "imagenet"
    ).double()
    assert set(load_official(network, textbook.state_dict())) == set(textbook.state_dict())
    return network, textbook


def assert_close(ours, theirs, what="", rtol=1e-9):
    """Relative to the largest entry, which rounding errors are proportional to."""
    error = (ours - theirs).abs().max().item()
    assert error <= 1e-12 + rtol * theirs.abs().max().item(), f"{what}: {error}"


def assert_same_gradients(network, gradients):
    """gradients: official name -> gradient or None; every one of ours must be accounted for."""
    parameters = dict(network.named_parameters())
    places = official_names(network)
    compared = 0
    for official, gradient in gradients.items():
        name, part = places[official]
        ours = parameters[name].grad
        ours = torch.zeros_like(parameters[name]) if ours is None else ours
        assert_close(part_of(ours, part), torch.zeros(()) if gradient is None else gradient, official)
        compared += part_of(ours, part).numel()
    assert compared == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("file, channels, partial", [("darts_supernet", 4, 1), ("pcdarts_supernet", 8, 4)])
def test_equals_the_official_supernet_in_value_and_every_gradient(test_data, file, channels, partial):
    with np.load(test_data / "golden" / f"{file}.npz", allow_pickle=False) as vectors:
        golden = {name: torch.as_tensor(vectors[name]) for name in vectors.files if vectors[name].dtype.kind != "U"}
        assert tuple(vectors["primitives"]) == SPACE.operations
    network = build(channels, partial_channels=partial)
    state = {name[6:]: value for name, value in golden.items() if name.startswith("state/")}
    assert set(load_official(network, state)) == set(state)

    arch = {name[5:]: v.clone().requires_grad_() for name, v in golden.items() if name.startswith("arch/")}
    weights = torch.cat([arch["alphas_normal"], arch["alphas_reduce"]]).softmax(-1)
    edge_weights = ONES
    if partial > 1:
        betas = torch.cat([arch["betas_normal"], arch["betas_reduce"]])
        edge_weights = torch.cat([of_node.softmax(0) for of_node in betas.split(NODES)])
    logits = network(golden["input"], weights, edge_weights)
    loss = F.cross_entropy(logits, golden["target"])
    loss.backward()

    torch.testing.assert_close(logits, golden["logits"], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(loss, golden["loss"], rtol=1e-9, atol=1e-12)
    for name, value in arch.items():
        torch.testing.assert_close(value.grad, golden[f"arch_grad/{name}"], rtol=1e-9, atol=1e-12)
    names = [name for name in state if state[name].is_floating_point() and "running" not in name]
    assert len(names) > 700
    assert_same_gradients(network, {name: golden.get(f"grad/{name}") for name in names})


def discrete(textbook, images, arch):
    """The network of one cell: only the textbook network's modules that the cell names, no mixture."""
    s0 = s1 = textbook.stem(images)
    for cell in textbook.cells:
        states = [cell.preprocess0(s0), cell.preprocess1(s1)]
        pairs = arch[int(cell.reduction)]
        for node in range(4):
            first = node * (node + 3) // 2  # edges before those of this node
            kept = [
                cell._ops[first + source]._ops[SPACE.operations.index(operation)](states[source])
                for operation, source in pairs[2 * node : 2 * node + 2]
            ]
            states.append(kept[0] + kept[1])
        s0, s1 = s1, torch.cat(states[2:], dim=1)
    return textbook.classifier(s1.mean(dim=(2, 3)))


@pytest.mark.parametrize("training", [True, False])
def test_one_hot_weights_are_the_discrete_network(training):
    rng = np.random.default_rng(0)
    supernet, textbook = twins(4, 3)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    uniform = torch.full(SPACE.shape, 0.125, dtype=torch.float64)
    for network in (supernet, textbook):
        network(images, uniform, ONES)  # makes running statistics non-trivial
        network.train(training)
    for _ in range(2):
        arch = SPACE.random(rng)
        weights = torch.as_tensor(SPACE.one_hot(arch))
        with torch.no_grad():
            expected = discrete(textbook, images, arch)
            assert_close(supernet(images, weights, ONES), expected, arch)
            assert_close(supernet(images, weights, ONES, sampled=True), expected, arch)


def compare(network, textbook, images, weights, edge_weights, sampled=False):
    """Values and all gradients, those of `weights` and `edge_weights` included."""
    outputs = []
    for model in (network, textbook):
        arch = [weights.clone().requires_grad_(), edge_weights.clone().requires_grad_()]
        model.zero_grad()
        logits = model(images, *arch, sampled=sampled)
        (logits * torch.linspace(-1, 2, logits.numel(), dtype=logits.dtype).view_as(logits)).sum().backward()
        outputs.append((logits, *(value.grad for value in arch)))
    for what, ours, theirs in zip(("logits", "weights", "edge weights"), *outputs, strict=True):
        assert_close(ours, torch.zeros(()) if theirs is None else theirs, what, rtol=1e-8)
    assert_same_gradients(network, {name: p.grad for name, p in textbook.named_parameters()})


@settings(max_examples=4)
@given(
    width=st.integers(1, 2),
    cells=st.integers(1, 3),
    size=st.sampled_from([(8, 8), (12, 8), (12, 20)]),
    dropped=st.sampled_from([None, "none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_5x5"]),
    partial=st.sampled_from([1, 2]),
    seed=st.integers(0, 1000),
)
def test_equals_the_textbook_supernet_for_any_size_and_edge_weights(width, cells, size, dropped, partial, seed):
    space = SPACE.without(dropped) if dropped else SPACE
    network, textbook = twins(2 * width * partial, cells, space, seed, partial)
    images = torch.randn(2, 3, *size, dtype=torch.float64)
    compare(network, textbook, images, torch.rand(space.shape).double(), torch.rand(28).double())


def test_the_stem_for_imagenet_is_the_textbooks():
    network, textbook = twins(4, 3, partial=2, stem="imagenet")
    images = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    compare(network, textbook, images, torch.rand(SPACE.shape).double(), torch.rand(28).double())
    with pytest.raises(ValueError, match="cannot be halved 5 times"):
        network(images[:, :, :48], torch.rand(SPACE.shape).double(), ONES)


@pytest.mark.parametrize("partial", [1, 4])
def test_sampled_runs_the_chosen_operations_and_adds_the_other_weights_as_scalars(partial):
    """Straight-through weights as in GDAS; some edges are left out."""
    network, textbook = twins(8, 3, partial=partial)
    images = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        p = torch.as_tensor(rng.dirichlet(np.ones(8), size=28))
        hard = F.one_hot(torch.as_tensor(rng.integers(8, size=28)), 8)
        weights = hard - p + p
        weights[rng.permutation(28)[:4]] = 0
        weights[5] = torch.eye(8)[3]  # no node is without any input
        compare(network, textbook, images, weights, torch.rand(28).double(), sampled=True)


def test_a_node_without_any_input_is_zero():
    network = build(4, 1)
    weights = torch.as_tensor(SPACE.one_hot(SPACE.random(np.random.default_rng(0))))
    weights[14:16] = 0  # into node 2 of the reduction cell
    images = torch.randn(2, 3, 8, 8).double()
    assert_close(network(images, weights, ONES, sampled=True), network(images, weights, ONES))


@pytest.mark.parametrize("partial", [1, 4])
def test_a_row_of_zeros_leaves_out_the_bypass_too(partial):
    network = build(8, 3, partial_channels=partial)
    images = torch.randn(2, 3, 8, 8).double()
    weights = torch.as_tensor(SPACE.one_hot(SPACE.random(np.random.default_rng(1))))
    edge_weights = ONES.clone()
    expected = network(images, weights, edge_weights)
    edge_weights[weights.sum(dim=1) == 0] = 7.0
    assert_close(network(images, weights, edge_weights), expected)
    assert_close(network(images, weights, edge_weights, sampled=True), expected)


def test_running_statistics_are_those_of_the_textbook_supernet():
    """Sampled steps choose no pooling here: its statistics are the state's, ours are shared by the state's edges."""
    network, textbook = twins(4, 3)
    weights = torch.rand(SPACE.shape).double()
    for sampled in (False, True, False):
        images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
        chosen = F.one_hot(3 + torch.arange(28) % 5, 8).double() if sampled else weights
        network(images, chosen, ONES, sampled=sampled)
        textbook(images, chosen, ONES, sampled=sampled)
    network.eval()
    textbook.eval()
    assert_close(network(images, weights, ONES), textbook(images, weights, ONES))


def test_untracked_statistics_are_the_batchs():
    network = build(4, 3, track_statistics=False)
    assert not any("running" in name and "stem" not in name for name in network.state_dict())
    tracked = build(4, 3)
    images, weights = torch.randn(4, 3, 8, 8).double(), torch.rand(SPACE.shape).double()
    assert_close(network(images, weights, ONES), tracked(images, weights, ONES))


def test_a_seed_and_a_state_give_the_same_network():
    first, second, other = build(seed=3), build(seed=3), build(seed=4)
    images, weights = torch.randn(2, 3, 8, 8).double(), torch.rand(SPACE.shape).double()
    assert torch.equal(first(images, weights, ONES), second(images, weights, ONES))
    other.load_state_dict(first.state_dict())
    assert torch.equal(first(images, weights, ONES), other(images, weights, ONES))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="10 channels cannot be divided"):
        build(10, partial_channels=4)
    with pytest.raises(ValueError, match="10x8 cannot be halved 2 times"):
        build()(torch.randn(2, 3, 10, 8).double(), torch.rand(SPACE.shape).double(), ONES)


@pytest.mark.parametrize("partial", [1, 4])
def test_bf16_autocast_follows_fp32(partial):
    network = build(8, 3, partial_channels=partial).float()
    images, weights = torch.randn(8, 3, 8, 8), torch.full(SPACE.shape, 0.125).requires_grad_()
    exact = network(images, weights, torch.ones(28))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(images, weights, torch.ones(28))
    rounded.float().sum().backward()
    assert weights.grad.isfinite().all()
    assert (rounded.float() - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 2)])
def test_the_gradients_of_a_wide_depthwise_convolution_are_torchs(stride, size):
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    ours = depthwise(x, weight, stride)
    theirs = F.conv2d(x, weight, stride=stride, padding=2, groups=3)
    assert torch.equal(ours, theirs)
    assert torch.equal(depthwise(x.detach(), weight.detach(), stride), theirs)
    above = torch.randn_like(ours)
    gradients = zip(*(torch.autograd.grad(y, [x, weight], above) for y in (ours, theirs)), strict=True)
    for of_ours, of_theirs in gradients:
        assert_close(of_ours, of_theirs)


@pytest.mark.parametrize("size", [3, 5])
def test_a_dilated_convolution_is_an_ordinary_one_on_the_phases(size):
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    operation = Convolution(3, 1, size).double()
    assert torch.equal(from_phases(to_phases(x)), x)
    assert_close(from_phases(operation(to_phases(x))), operation(x, dilation=2))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_shuffled_channels_stay_channels_last(device):
    x = torch.randn(2, 8, 4, 4).to(device, memory_format=torch.channels_last)
    shuffled = shuffle_channels(x, 4)
    assert shuffled.is_contiguous(memory_format=torch.channels_last)
    if device == "cpu":
        assert torch.equal(shuffled, F.channel_shuffle(x, 4))
