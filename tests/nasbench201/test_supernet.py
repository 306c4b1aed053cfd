"""The NAS-Bench-201 supernet against the official one, the textbook one, and the discrete network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.benchmarks import NASBench201, mixing
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from tests.nasbench201.textbook import TextbookSupernet, official_names, share_weights
from tests.search.memory import bytes_kept

FULL = NASBench201()
ONES = torch.ones(6, dtype=torch.float64)


@pytest.fixture(autouse=True, scope="module", params=["small", "large"])
def size(request):
    """Every test runs with the formulation for small tensors and with the one for large tensors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixing, "SMALL", {"small": 2**62, "large": 0}[request.param])
        yield


def build(space, channels=4, cells=1, track=True, seed=0, partial_channels=1):
    torch.manual_seed(seed)
    network = NASBench201Supernet(space, channels, cells, 10, track_statistics=track, partial_channels=partial_channels)
    return network.double()


def copy_weights(state, network, space, cells):
    """Load official parameters and, where ours keeps them, running statistics. Returns the names used."""
    used = []
    ours = network.state_dict()
    for official, (name, rows) in official_names(network, space, cells).items():
        if official in state and name in ours:
            ours[name][rows] = state[official]
            used.append(official)
    network.load_state_dict(ours)
    return used


@torch.no_grad()
def relative_error(ours, theirs):
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def load_golden(path, space):
    with np.load(path, allow_pickle=False) as vectors:
        assert tuple(vectors["op_names"]) == space.operations
        golden = {name: torch.as_tensor(vectors[name]) for name in vectors.files if vectors[name].dtype.kind != "U"}
    state = {name[6:]: value for name, value in golden.items() if name.startswith("state/")}
    network = build(space, track="cells.0.edges.1<-0.1.op.2.running_mean" in state)
    used = copy_weights(state, network, space, cells=1)
    assert {name for name in state if name.endswith("weight")} <= set(used), "a weight was not loaded"
    return golden, network


def assert_equals_golden(golden, network, space, weights, alpha, sampled=False):
    """Logits, loss and every gradient; a parameter without a reference gradient must have none, or zeros."""
    logits = network(golden["input"], weights, ONES, sampled=sampled)
    loss = F.cross_entropy(logits, golden["target"])
    loss.backward()

    assert relative_error(logits, golden["logits"]) < 1e-9
    assert relative_error(loss, golden["loss"]) < 1e-9
    assert relative_error(alpha.grad, golden["grad/arch_parameters"]) < 1e-9
    parameters = dict(network.named_parameters())
    compared = 0
    for official, (ours, rows) in official_names(network, space, cells=1).items():
        if ours in parameters:
            zeros = torch.zeros_like(parameters[ours][rows])
            gradient = zeros if parameters[ours].grad is None else parameters[ours].grad[rows]
            expected = golden.get(f"grad/{official}", zeros)
            assert torch.allclose(gradient, expected, rtol=1e-9, atol=1e-12), official
            compared += gradient.numel()
    assert compared == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("file, space", [("", FULL), ("_nozero", FULL.without("none"))])
def test_equals_the_official_supernet_in_value_and_every_gradient(test_data, file, space):
    golden, network = load_golden(test_data / "golden" / f"nb201_darts_supernet{file}.npz", space)
    alpha = golden["state/arch_parameters"].clone().requires_grad_()
    assert_equals_golden(golden, network, space, alpha.softmax(-1), alpha)


def test_equals_the_official_sampled_supernet_in_value_and_every_gradient(test_data):
    golden, network = load_golden(test_data / "golden" / "nb201_gdas_supernet.npz", FULL)
    alpha = golden["state/arch_parameters"].clone().requires_grad_()
    soft = ((alpha.log_softmax(dim=1) + golden["gumbels"]) / golden["tau"]).softmax(dim=1)
    one_hot = F.one_hot(soft.argmax(dim=1), len(FULL.operations)).double()
    assert_equals_golden(golden, network, FULL, one_hot - soft.detach() + soft, alpha, sampled=True)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("partial_channels", [1, 2])
def test_running_only_the_sampled_operations_changes_no_value(training, partial_channels):
    rng = np.random.default_rng(0)
    network = build(FULL, cells=2, partial_channels=partial_channels)
    images, edge_weights = torch.randn(4, 3, 8, 8, dtype=torch.float64), torch.rand(6, dtype=torch.float64)
    network(images, torch.full(FULL.shape, 0.2, dtype=torch.float64), ONES)
    network.train(training)
    for arch in [*((name,) * 6 for name in FULL.operations), *(FULL.random(rng) for _ in range(3))]:
        weights = torch.as_tensor(FULL.one_hot(arch)).requires_grad_()
        mixed = network(images, weights, edge_weights)
        sampled = network(images, weights, edge_weights, sampled=True)
        assert torch.allclose(sampled, mixed, rtol=1e-10, atol=1e-12), FULL.to_string(arch)


@pytest.mark.parametrize("seed", range(4))
def test_sampled_weights_that_were_not_chosen_are_added_to_the_output(seed):
    """Value and gradients of the textbook version; rows that are not quite one-hot make the scalars visible."""
    network = build(FULL)
    textbook = TextbookSupernet(FULL.operations, 4, 1, track=True).double()
    share_weights(network, textbook, FULL, cells=1)
    arch = FULL.random(np.random.default_rng(seed)) if seed else ("nor_conv_3x3",) * 6
    one_hot = torch.as_tensor(FULL.one_hot(arch))
    weights = (one_hot + 0.1 * torch.rand(FULL.shape)).requires_grad_()
    inputs = torch.randn(4, 3, 8, 8).double().requires_grad_(), weights, torch.rand(6).double().requires_grad_()
    assert_same_function(
        lambda *inputs: network(*inputs, sampled=True), lambda *inputs: textbook(*inputs, sampled=True), inputs
    )


def assert_same_function(ours, theirs, inputs):
    """Value and the gradients of all inputs, for a random gradient of the output."""
    values = ours(*inputs), theirs(*inputs)
    assert torch.allclose(*values, rtol=1e-8, atol=1e-10)
    direction = torch.randn(values[0].shape, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad((value * direction).sum(), inputs) for value in values)
    for gradient, expected in zip(ours, theirs, strict=True):
        assert relative_error(gradient, expected) < 1e-8


def test_constant_sampled_weights_add_nothing():
    """Without a gradient to carry there is no reason to add the weights that were not chosen: soft rows show it."""
    network = build(FULL)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    one_hot = torch.as_tensor(FULL.one_hot(("avg_pool_3x3",) * 6))
    logits = network(images, one_hot, ONES, sampled=True)
    assert torch.equal(network(images, one_hot + 0.1 * (1 - one_hot), ONES, True), logits)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("track", [True, False])
def test_one_hot_weights_are_the_discrete_network(training, track):
    """The textbook network of one cell, which holds only the chosen operations, with the supernet's weights."""
    rng = np.random.default_rng(0)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    supernet = build(FULL, cells=2, track=track)
    supernet(images, torch.full(FULL.shape, 0.2, dtype=torch.float64), ONES)  # makes running statistics non-trivial
    for arch in [("skip_connect",) * 6, ("nor_conv_3x3",) * 6, *(FULL.random(rng) for _ in range(3))]:
        discrete = TextbookSupernet(FULL.operations, 4, 2, track=track).double()
        share_weights(supernet, discrete, FULL, cells=2)
        keep_chosen(discrete, arch)
        supernet.train(training)
        discrete.train(training)
        with torch.no_grad():
            ours = supernet(images, torch.as_tensor(FULL.one_hot(arch)), ONES)
            theirs = discrete(images, torch.ones(6, 1, dtype=torch.float64), ONES)
        assert relative_error(ours, theirs) < 1e-10, FULL.to_string(arch)


def keep_chosen(discrete, arch):
    for cell in discrete.cells:
        for edge, name in zip(getattr(cell, "edges", {}), arch, strict=False):
            cell.edges[edge] = torch.nn.ModuleList([cell.edges[edge][FULL.operations.index(name)]])


@settings(max_examples=6)
@given(
    channels=st.integers(1, 6),
    cells=st.integers(1, 2),
    size=st.sampled_from([4, 8, 12]),
    dropped=st.sets(st.sampled_from(FULL.operations), max_size=4),
    seed=st.integers(0, 1000),
)
def test_equals_the_textbook_supernet_for_any_size_and_edge_weights(channels, cells, size, dropped, seed):
    space = FULL
    for operation in sorted(dropped):
        space = space.without(operation)
    network = build(space, channels, cells, seed=seed)
    textbook = TextbookSupernet(space.operations, channels, cells, track=True).double()
    share_weights(network, textbook, space, cells)
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    weights = torch.rand(space.shape, dtype=torch.float64)
    edge_weights = torch.rand(6, dtype=torch.float64)
    ours = network(images, weights, edge_weights)
    theirs = textbook(images, weights, edge_weights)
    assert torch.allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@settings(max_examples=6)
@given(n=st.sampled_from([2, 3, 4]), width=st.integers(1, 3), cells=st.integers(1, 2), seed=st.integers(0, 1000))
def test_equals_the_textbook_supernet_with_partial_channels(n, width, cells, seed):
    """Value and the gradients of the images, the operations' weights and the edges' weights."""
    network = build(FULL, n * width, cells, seed=seed, partial_channels=n)
    textbook = TextbookSupernet(FULL.operations, n * width, cells, track=True, partial_channels=n).double()
    share_weights(network, textbook, FULL, cells)
    inputs = [torch.randn(3, 3, 8, 8), torch.rand(FULL.shape), torch.rand(6)]
    assert_same_function(network, textbook, [x.double().requires_grad_() for x in inputs])


@pytest.mark.parametrize("n", [0, 3, 8])
def test_partial_channels_must_divide_the_channels(n):
    with pytest.raises(ValueError, match=f"partial_channels = {n} does not divide 4 channels"):
        NASBench201Supernet(FULL, 4, 1, 10, partial_channels=n)


def test_running_statistics_are_those_of_the_textbook_supernet():
    network = build(FULL)
    textbook = TextbookSupernet(FULL.operations, 4, 1, track=True).double()
    share_weights(network, textbook, FULL, cells=1)
    weights = torch.rand(FULL.shape, dtype=torch.float64)
    for _ in range(3):
        images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
        network(images, weights, ONES)
        textbook(images, weights, ONES)
    network.eval()
    textbook.eval()
    assert torch.allclose(network(images, weights, ONES), textbook(images, weights, ONES), rtol=1e-9)


def test_gradients_in_evaluation_mode_are_those_of_the_textbook_supernet():
    network = build(FULL)
    textbook = TextbookSupernet(FULL.operations, 4, 1, track=True).double()
    inputs = [x.double().requires_grad_() for x in (torch.randn(4, 3, 8, 8), torch.rand(FULL.shape), torch.rand(6))]
    network(*inputs)
    share_weights(network, textbook, FULL, cells=1)
    assert_same_function(network.eval(), textbook.eval(), inputs)


@pytest.mark.parametrize("sampled", [False, True])
def test_counts_the_batches_that_the_running_statistics_saw(sampled):
    network = build(FULL)
    weights = torch.as_tensor(FULL.one_hot(("nor_conv_3x3",) * 6))
    for _ in range(3):
        network(torch.randn(4, 3, 8, 8, dtype=torch.float64), weights, ONES, sampled=sampled)
    counts = [value.item() for name, value in network.named_buffers() if name.endswith("num_batches_tracked")]
    assert counts == [3] * len(counts)


def test_bf16_autocast_follows_fp32():
    network = build(FULL).float()
    images, weights = torch.randn(8, 3, 8, 8), torch.full(FULL.shape, 0.2)
    exact = network(images, weights, torch.ones(6))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(images, weights, torch.ones(6))
    assert relative_error(rounded.float(), exact) < 0.1


@pytest.mark.parametrize("architecture_step", [False, True])
def test_keeps_less_than_three_quarters_of_the_textbook_supernets_memory(monkeypatch, architecture_step):
    monkeypatch.setattr(mixing, "SMALL", 0)
    network, textbook = build(FULL, 16, cells=2).float(), TextbookSupernet(FULL.operations, 16, 2)
    images = torch.randn(8, 3, 32, 32)
    weights = torch.full(FULL.shape, 0.2, requires_grad=architecture_step)
    ours, theirs = (bytes_kept(lambda net=net: net(images, weights, torch.ones(6))) for net in (network, textbook))
    assert ours < 0.75 * theirs
