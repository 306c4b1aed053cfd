"""Multiply-adds: by hand, and against a count of the textbook supernets' own convolutions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harness.benchmarks import BENCHMARKS, DARTS, NASBench201
from harness.benchmarks.darts.supernet import DARTSSupernet
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.search.cost import KINDS, Counter
from tests.darts.textbook import TextbookDARTS
from tests.nasbench201.textbook import TextbookSupernet
from tests.problems import build_supernet

NB201, DARTS_SPACE = NASBench201(), DARTS()


def counted(network, images, weights, sampled):
    """Of the convolutions and linear layers that run."""
    total = []

    def count(module, _, output):
        total.append(output[0].numel() * module.weight[0].numel())

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        network(images, weights, torch.ones(len(weights)), sampled)
    for hook in hooks:
        hook.remove()
    return sum(total)


def one_hot(space, seed):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(space.one_hot(space.random(rng))).float()


def networks(name):
    if name == "nasbench201":
        return NB201, NASBench201Supernet(NB201, 4, 2, 10), TextbookSupernet(NB201.operations, 4, 2)
    if name == "nasbench201, partial":
        settings = {"partial_channels": 2}
        return (
            NB201,
            NASBench201Supernet(NB201, 4, 1, 10, **settings),
            TextbookSupernet(NB201.operations, 4, 1, **settings),
        )
    if name == "darts, imagenet":
        return DARTS_SPACE, DARTSSupernet(DARTS_SPACE, 4, 4, 10, stem="imagenet"), TextbookDARTS(4, 4, imagenet=True)
    partial = 2 if "partial" in name else 1
    return (
        DARTS_SPACE,
        DARTSSupernet(DARTS_SPACE, 4, 5, 10, partial_channels=partial),
        TextbookDARTS(4, 5, partial=partial),
    )


@pytest.mark.parametrize("name", ["nasbench201", "nasbench201, partial", "darts", "darts, partial", "darts, imagenet"])
def test_equals_a_count_of_the_textbook_supernets_layers(name):
    space, ours, textbook = networks(name)
    images = torch.randn(1, 3, 64, 32) if "imagenet" in name else torch.randn(1, 3, 16, 8)
    shared, operations = ours.multiply_adds(*images.shape[2:])
    assert operations.shape == space.shape
    mixture = torch.full(space.shape, 0.1)
    assert shared + operations.sum() == counted(textbook, images, mixture, sampled=False)
    for seed in range(3):
        cell = one_hot(space, seed)
        assert shared + (operations * cell).sum() == counted(textbook, images, cell, sampled=True)


def test_a_case_by_hand():
    """C = 2, N = 1, 4x4 images, two operations: on each of 6 edges of a cell, 9 C C for every pixel by a 3x3."""
    space = NB201.without("none").without("nor_conv_1x1").without("avg_pool_3x3")
    shared, operations = NASBench201Supernet(space, 2, 1, 10).multiply_adds(4, 4)
    pixels = {2: 16, 4: 4, 8: 1}
    convolution = sum(9 * width * width * pixels[width] for width in pixels)
    assert operations.tolist() == [[0, convolution] if space.operations[0] == "skip_connect" else [convolution, 0]] * 6
    stem, classifier = 27 * 2 * 16, 8 * 10
    blocks = sum((9 * i * o + 9 * o * o + i * o) * pixels[o] for i, o in ((2, 4), (4, 8)))
    assert shared == stem + blocks + classifier


@pytest.mark.parametrize(
    "space, profile, epochs",
    [
        *(("nasbench201", "quick", 67), ("nasbench201", "controlled", 303)),
        *(("darts", "quick", 125), ("darts", "controlled", 575)),
    ],
)
def test_random_search_spends_the_budget_of_darts_in_the_epochs_of_the_documents(space, profile, epochs):
    """DARTS: two forward passes, and backward passes with and without gradients of w, of the mixture; random search:
    one forward and one backward pass with gradients of w, of a random cell."""
    benchmark = BENCHMARKS[space]
    protocol = benchmark.default_protocol(profile, "", "darts").protocol
    searched = benchmark.space(protocol.zero_operation)
    side = {"quick": 8, "controlled": 32}[profile]
    shared, operations = build_supernet(searched, protocol, 10).multiply_adds(side, side)
    cells = torch.stack([one_hot(searched, seed) for seed in range(2000)]).mean(dim=0)
    darts = (2 + 2 + 1) * (shared + operations.sum())
    random_search = (1 + 2) * (shared + (operations * cells).sum())
    assert protocol.epochs * darts / random_search == pytest.approx(epochs, rel=0.01)
    written = (Path(__file__).parents[2] / "docs" / "reproducing.md").read_text()
    assert f"{epochs} instead of {protocol.epochs}" in written


class Fixed(nn.Module):
    def multiply_adds(self, height, width):
        return 1000 * height, torch.tensor([[1.0, 10.0], [100.0, 0.0]])


def test_passes_are_weighted_with_what_ran():
    counter = Counter(Fixed())
    mixture, cell = torch.full((2, 2), 0.5), torch.eye(2)
    images, small = torch.zeros(3, 3, 2, 2), torch.zeros(4, 3, 1, 1)
    counter.forward(images, mixture, "mixture", sampled=False)
    counter.backward(images, mixture, "mixture", sampled=False, of_w=False)
    counter.forward(small, cell, "sampled", sampled=True)
    counter.backward(small, cell, "sampled", sampled=True, of_w=True)
    counter.forward(small, cell, "evaluation", sampled=True)
    assert dict(zip(KINDS, counter.images.T.tolist(), strict=True)) == {
        "mixture": [3, 3],
        "sampled": [4, 4],
        "evaluation": [4, 0],
    }
    mixed, sampled = 3 * (2000 + 111), 4 * (1000 + 1)
    assert counter.multiply_adds().tolist() == [mixed + 2 * sampled, mixed + 2 * sampled]
    assert np.isnan(Counter(nn.Linear(1, 1)).multiply_adds()).all()
