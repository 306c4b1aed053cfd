"""The supernet of the DARTS space against the official one, the textbook one, and the discrete network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.spaces import DARTS
from harness.supernets.darts import DARTSSupernet
from tests.supernets.textbook_darts import TextbookDARTS, official_names, part_of

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


def twins(channels, cells, space=SPACE, seed=0, partial=1):
    """Ours and the textbook network with the same weights."""
    network = build(channels, cells, space, seed, partial_channels=partial)
    textbook = TextbookDARTS(channels, cells, partial=partial, operations=space.operations).double()
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
