"""Training-free scores against vectors of the authors' code."""

import numpy as np
import pytest
import torch
from torch import nn

from harness.benchmarks import NASBench201
from harness.benchmarks.nasbench201.network import NASBench201Network
from harness.evaluate.training_free import SCORES

SPACE = NASBench201()
WITHOUT_BIASES = ("fisher", "synflow")
"""The convolutions of the cells have biases there, which only these two feel."""


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "golden" / "newer" / "zero_cost.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def official_network(golden, number):
    """Ours with the official one's weights."""
    network = NASBench201Network(SPACE.from_string(str(golden["archs"][number])), 2, 1, 3, affine=False).double()
    ours, names = network.state_dict(), {}
    for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        names |= {f"stem.{layer}.{kind}": f"stem.net.{layer}.{kind}" for layer in (0, 1)}
        names |= {f"last.0.{kind}": f"top.lastact.0.{kind}", f"classifier.{kind}": f"top.classifier.{kind}"}
        for block, reduction in ((1, 1), (3, 2)):
            names[f"blocks.{block}.shortcut.1.{kind}"] = f"reduction{reduction}.residual.1.{kind}"
            for place, part in ((1, "conv_a.op.1"), (2, "conv_a.op.2"), (4, "conv_b.op.1"), (5, "conv_b.op.2")):
                names[f"blocks.{block}.body.{place}.{kind}"] = f"reduction{reduction}.{part}.{kind}"
    for stage, block in enumerate((0, 2, 4), 1):
        names |= {
            f"blocks.{block}.operations.{edge}.1.weight": f"stage{stage}/edge{edge}/conv.weight" for edge in range(6)
        }
    network.load_state_dict({name: torch.as_tensor(golden[f"net{number}/{names[name]}"]) for name in ours})
    return network


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("name", SCORES)
def test_scores_are_the_official_ones(golden, name, number):
    network = official_network(golden, number)
    images, labels = torch.as_tensor(golden["images"]), torch.as_tensor(golden["labels"])
    official = name.replace("-", "_") + "_without_conv_biases" * (name in WITHOUT_BIASES)
    before = [parameter.clone() for parameter in network.parameters()]
    score = SCORES[name].function(network, images, labels)
    assert score == pytest.approx(float(golden[f"net{number}/score/{official}"]), rel=1e-9)
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True)), "left as it was"


def test_a_network_that_the_images_do_not_pass_has_finite_scores():
    torch.manual_seed(0)
    network = NASBench201Network(("none",) * 6, 4, 1, 3, affine=False)
    images, labels = torch.randn(8, 3, 8, 8), torch.arange(8) % 3
    assert all(
        np.isfinite(score.function(network, images, labels)) or name == "naswot" for name, score in SCORES.items()
    )
    assert SCORES["synflow"].function(network, images, labels) == 0


def test_naswot_counts_equal_signs():
    """Two images, of which one of three units has the same sign: K = [[3, 1], [1, 3]]."""
    images = torch.tensor([[1.0, -1.0, 2.0], [1.0, 1.0, -2.0]])
    assert SCORES["naswot"].function(nn.Sequential(nn.ReLU()), images, None) == pytest.approx(np.log(8))
