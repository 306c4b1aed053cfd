"""The NAS-Bench-201 supernet against the official one, the textbook one, and the discrete network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.spaces import NASBench201
from harness.supernets.nasbench201 import NASBench201Supernet
from tests.supernets.textbook import TextbookSupernet, official_names

FULL = NASBench201()
ONES = torch.ones(6, dtype=torch.float64)


def build(space, channels=4, cells=1, track=True, seed=0):
    torch.manual_seed(seed)
    return NASBench201Supernet(space, channels, cells, classes=10, track_statistics=track).double()


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


@pytest.mark.parametrize("file, space", [("", FULL), ("_nozero", FULL.without("none"))])
def test_equals_the_official_supernet_in_value_and_every_gradient(test_data, file, space):
    with np.load(test_data / "golden" / f"nb201_darts_supernet{file}.npz", allow_pickle=False) as vectors:
        golden = {name: torch.as_tensor(vectors[name]) for name in vectors.files if vectors[name].dtype.kind != "U"}
        assert tuple(vectors["op_names"]) == space.operations
    state = {name[6:]: value for name, value in golden.items() if name.startswith("state/")}
    network = build(space, track="_nozero" in file)
    used = copy_weights(state, network, space, cells=1)
    assert {name for name in state if name.endswith("weight")} <= set(used), "a weight was not loaded"

    alpha = state["arch_parameters"].clone().requires_grad_()
    logits = network(golden["input"], alpha.softmax(-1), ONES)
    loss = F.cross_entropy(logits, golden["target"])
    loss.backward()

    assert relative_error(logits, golden["logits"]) < 1e-9
    assert relative_error(loss, golden["loss"]) < 1e-9
    assert relative_error(alpha.grad, golden["grad/arch_parameters"]) < 1e-9
    places = official_names(network, space, cells=1)
    parameters = dict(network.named_parameters())
    compared = 0
    for name, gradient in golden.items():
        official = name.removeprefix("grad/")
        if name.startswith("grad/") and official in places:
            ours, rows = places[official]
            assert torch.allclose(parameters[ours].grad[rows], gradient, rtol=1e-9, atol=1e-12), official
            compared += gradient.numel()
    assert compared == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("track", [True, False])
def test_one_hot_weights_are_the_discrete_network(training, track):
    """The textbook network of one cell, which holds only the chosen operations, with the supernet's weights."""
    rng = np.random.default_rng(0)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    supernet = build(FULL, cells=2, track=track)
    supernet(images, torch.full(FULL.shape, 0.2, dtype=torch.float64), ONES)  # makes running statistics non-trivial
    for arch in [("skip_connect",) * 6, ("nor_conv_3x3",) * 6, *(FULL.random(rng) for _ in range(5))]:
        discrete = TextbookSupernet(FULL.operations, 4, 2, track=track).double()
        share_weights(supernet, discrete, FULL, cells=2)
        keep_chosen(discrete, arch)
        supernet.train(training)
        discrete.train(training)
        with torch.no_grad():
            ours = supernet(images, torch.as_tensor(FULL.one_hot(arch)), ONES)
            theirs = discrete(images, torch.ones(6, 1, dtype=torch.float64))
        assert relative_error(ours, theirs) < 1e-10, FULL.to_string(arch)


def share_weights(supernet, textbook, space, cells):
    """Give the textbook network the supernet's weights; its convolution biases, which cancel, become zero."""
    ours = supernet.state_dict()
    theirs = {name: torch.zeros_like(value) for name, value in textbook.state_dict().items() if name.endswith("bias")}
    norms = [f"stages.{s}.0.body.{at}" for s in (1, 2) for at in (2, 5)]
    for official, (name, rows) in official_names(supernet, space, cells).items():
        if name in ours:
            theirs[official] = ours[name][rows]
    statistics = ("running_mean", "running_var")
    for statistic in statistics:
        theirs[f"stem.1.{statistic}"] = ours[f"stem.1.{statistic}"]
        theirs[f"lastact.0.{statistic}"] = ours[f"last_norm.{statistic}"]
        blocks = (cells, cells, 2 * cells + 1, 2 * cells + 1)
        for norm, block in zip(norms, blocks, strict=True):
            conv = "conv_a" if norm.endswith("2") else "conv_b"
            theirs[f"cells.{block}.{conv}.op.2.{statistic}"] = ours[f"{norm}.{statistic}"]
    missing, unexpected = textbook.load_state_dict(theirs, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing), missing


def keep_chosen(discrete, arch):
    for cell in discrete.cells:
        for edge, name in zip(getattr(cell, "edges", {}), arch, strict=False):
            cell.edges[edge] = torch.nn.ModuleList([cell.edges[edge][FULL.operations.index(name)]])


@settings(max_examples=15, deadline=None)
@given(
    channels=st.integers(1, 6),
    cells=st.integers(1, 2),
    size=st.sampled_from([4, 8, 12]),
    dropped=st.sampled_from([None, "none", "nor_conv_1x1", "avg_pool_3x3", "skip_connect"]),
    seed=st.integers(0, 1000),
)
def test_equals_the_textbook_supernet_for_any_size_and_edge_weights(channels, cells, size, dropped, seed):
    space = FULL.without(dropped) if dropped else FULL
    network = build(space, channels, cells, seed=seed)
    textbook = TextbookSupernet(space.operations, channels, cells, track=True).double()
    share_weights(network, textbook, space, cells)
    images = torch.randn(3, 3, size, size, dtype=torch.float64)
    weights = torch.rand(space.shape, dtype=torch.float64)
    edge_weights = torch.rand(6, dtype=torch.float64)
    ours = network(images, weights, edge_weights)
    theirs = textbook(images, weights * edge_weights[:, None])
    assert torch.allclose(ours, theirs, rtol=1e-8, atol=1e-10)


def test_running_statistics_are_those_of_the_textbook_supernet():
    network = build(FULL)
    textbook = TextbookSupernet(FULL.operations, 4, 1, track=True).double()
    share_weights(network, textbook, FULL, cells=1)
    weights = torch.rand(FULL.shape, dtype=torch.float64)
    for _ in range(3):
        images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
        network(images, weights, ONES)
        textbook(images, weights)
    network.eval()
    textbook.eval()
    assert torch.allclose(network(images, weights, ONES), textbook(images, weights), rtol=1e-9)


def test_bf16_autocast_follows_fp32():
    network = build(FULL).float()
    images, weights = torch.randn(8, 3, 8, 8), torch.full(FULL.shape, 0.2)
    exact = network(images, weights, torch.ones(6))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(images, weights, torch.ones(6))
    assert relative_error(rounded.float(), exact) < 0.1
