"""The network of one cell of the DARTS space, against the official one and the published cells' sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.benchmarks.darts.genotypes import PUBLISHED_CELLS, published_cell
from harness.benchmarks.darts.network import DARTSNetwork, DiscreteCell, apply_drop_path
from harness.benchmarks.darts.plain import PlainDARTSNetwork
from harness.evaluate.network import multiply_adds, parameter_count

SIZES = {  # parameters for CIFAR-10 (36 channels, 20 cells) and ImageNet (48, 14), multiply-adds at 224x224
    "GAEA_PC_DARTS_cifar10_3103": (3688246, 5297344, 576057792),
    "GAEA_PC_DARTS_cifar10_1307": (4192390, 5785696, 647078784),
    "GAEA_PC_DARTS_imagenet_156": (4002958, 5620864, 624038592),
    "GAEA_DARTS_edarts4": (1938214, 3101440, 341403456),
    "DARTS_V1": (3169414, 4510432, 505864704),
    "DARTS_V2": (3349342, 4718752, 529911552),
    "PC_DARTS_cifar": (3634678, 5270560, 571137408),
    "PC_DARTS_image": (3721510, 5342464, 581627328),
    "PDARTS": (3433798, 4944352, 542819328),
    "GDAS_V1": (3368782, 4969216, 537597888),
    "DrNAS_cifar10": (4099294, 5738464, 633832320),
    "DrNAS_imagenet": (4048750, 5726368, 624405504),
    "NoisyDARTS_a": (3257110, 4639648, 518716032),
    "Shapley_NAS_cifar10": (3603358, 5138848, 565511424),
    "Shapley_NAS_imagenet": (3814822, 5423872, 598034880),
    "DOTS_cifar10": (3526030, 5023456, 554014848),
    "DOTS_cifar100": (4009438, 5650912, 618930048),
    "DOTS_imagenet": (3750454, 5348032, 587347392),
}


def build(name="DARTS_V2", channels=4, cells=5, seed=0, **options):
    torch.manual_seed(seed)
    return DARTSNetwork(published_cell(name).arch, channels, cells, classes=10, **options).double()


def official_names(network):
    """official name -> ours, parameters and statistics."""
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {"stem.0.weight": "stem.0.weight"}

    def norm(official, ours):
        names.update({f"{official}.{kind}": f"{ours}.{kind}" for kind in kinds})

    def reduction(official, ours):
        names.update({f"{official}.conv_1.weight": f"{ours}.even", f"{official}.conv_2.weight": f"{ours}.odd"})
        norm(f"{official}.bn", f"{ours}.norm")

    def convolution(official, at, ours):
        names.update({f"{official}.{at + k}.weight": f"{ours}.{part}wise" for k, part in enumerate(("depth", "point"))})
        norm(f"{official}.{at + 2}", f"{ours}.norm")

    norm("stem.1", "stem.1")
    for number, cell in enumerate(network.cells):
        for k, preprocess in enumerate(cell.preprocess):
            official, ours = f"cells.{number}.preprocess{k}", f"cells.{number}.preprocess.{k}"
            if hasattr(preprocess, "even"):
                reduction(official, ours)
            else:
                names[f"{official}.op.1.weight"] = f"{ours}.convolution.weight"
                norm(f"{official}.op.2", f"{ours}.norm")
        for edge, operation in enumerate(cell.operations):
            official, ours = f"cells.{number}._ops.{edge}", f"cells.{number}.operations.{edge}.weighted"
            if operation.name == "skip_connect" and not operation.is_identity:
                reduction(official, ours)
            elif operation.name.startswith("sep"):
                convolution(f"{official}.op", 1, f"{ours}.first")
                convolution(f"{official}.op", 5, f"{ours}.second")
            elif operation.name.startswith("dil"):
                convolution(f"{official}.op", 1, ours)
    for kind in ("weight", "bias"):
        names[f"classifier.{kind}"] = f"classifier.{kind}"
        names[f"auxiliary_head.classifier.{kind}"] = f"auxiliary.9.{kind}"
    for at in (2, 5):
        names[f"auxiliary_head.features.{at}.weight"] = f"auxiliary.{at}.weight"
        norm(f"auxiliary_head.features.{at + 1}", f"auxiliary.{at + 1}")
    return names


def test_equals_the_official_network_in_value_and_every_gradient(test_data):
    with np.load(test_data / "golden" / "darts_v2_network.npz", allow_pickle=False) as vectors:
        golden = {name: torch.as_tensor(vectors[name]) for name in vectors.files if vectors[name].dtype.kind != "U"}
    network = build()
    names = official_names(network)
    state = {name[6:]: value for name, value in golden.items() if name.startswith("state/")}
    network.load_state_dict({names[official]: value for official, value in state.items()})

    logits, auxiliary = network(golden["input"])
    loss = F.cross_entropy(logits, golden["target"]) + 0.4 * F.cross_entropy(auxiliary, golden["target"])
    loss.backward()

    for ours, name in ((logits, "logits"), (auxiliary, "aux_logits"), (loss, "loss")):
        torch.testing.assert_close(ours, golden[name], rtol=1e-9, atol=1e-12)
    parameters = dict(network.named_parameters())
    gradients = {names[key[5:]]: value for key, value in golden.items() if key.startswith("grad/")}
    assert set(gradients) == set(parameters)
    for name, gradient in gradients.items():
        error = (parameters[name].grad - gradient).abs().max()
        assert error <= 1e-11 + 1e-9 * gradient.abs().max(), name


def test_every_published_cell_has_a_size():
    assert set(SIZES) == {cell.name for cell in PUBLISHED_CELLS}


QUICK = ("GAEA_PC_DARTS_imagenet_156", "GAEA_DARTS_edarts4")
"""The published cell of the paper's headline, and one of the other space."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.faults) for name in SIZES]
)
def test_published_cells_have_their_sizes(name):
    cifar, imagenet, adds = SIZES[name]
    arch = published_cell(name).arch
    with torch.device("meta"):
        small = DARTSNetwork(arch, 36, 20, classes=10)
        large = DARTSNetwork(arch, 48, 14, classes=1000, dataset="imagenet")
    assert (parameter_count(small), parameter_count(large)) == (cifar, imagenet)
    large.to_empty(device="cpu")  # quicker to run than on the meta device
    assert multiply_adds(large, 224) == adds
    assert large.training


def test_the_imagenet_network_divides_the_resolution_by_32_and_has_an_auxiliary_classifier():
    network = build(channels=4, cells=6, dataset="imagenet").float()
    seen = []
    for cell in network.cells:
        cell.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0].shape[-1], output.shape[-1])))
    logits, auxiliary = network(torch.randn(2, 3, 224, 224))
    assert seen == [(56, 28), (28, 28), (28, 14), (28, 14), (14, 7), (14, 7)]
    assert logits.shape == auxiliary.shape == (2, 10)
    assert [type(layer).__name__ for layer in network.auxiliary][5:7] == ["Conv2d", "ReLU"]
    assert network.eval()(torch.randn(2, 3, 224, 224))[1] is None
    with pytest.raises(ValueError, match="no stem 'digits' among cifar, imagenet"):
        build(dataset="digits")


def test_there_are_auxiliary_logits_in_training_only():
    images = torch.randn(2, 3, 32, 32).double()
    assert build()(images)[1] is not None
    assert build().eval()(images)[1] is None
    without = build(auxiliary=False)
    assert without(images)[1] is None
    assert parameter_count(without) == parameter_count(build()) == sum(p.numel() for p in without.parameters())


def test_other_image_sizes_need_a_network_without_auxiliary_classifier():
    images = torch.randn(2, 3, 16, 16).double()
    with pytest.raises(ValueError, match="images of 32x32, got 16x16"):
        build()(images)
    assert build(auxiliary=False)(images)[0].shape == (2, 10)


def test_drop_path_is_per_image_and_keeps_the_mean():
    torch.manual_seed(0)
    y = apply_drop_path(torch.ones(20_000, 2, 3, 3), 0.3)
    assert all(((image == 0).all() or (image == image[0, 0, 0]).all()) for image in y[:200])
    assert torch.allclose(y.unique(), torch.tensor([0, 1 / 0.7]))
    assert abs(y[:, 0, 0, 0].mean() - 1) < 4 * (0.3 / 0.7 / 20_000) ** 0.5
    assert apply_drop_path(y, 0.0) is y


def test_drop_path_spares_identities_and_acts_in_training_only():
    torch.manual_seed(0)
    identities = (("skip_connect", 0), ("skip_connect", 1)) * 4
    x = torch.randn(4, 3, 8, 8)
    cell = DiscreteCell(identities, (3, 3), 2, reduced=False, reduces=False)
    assert torch.equal(cell(x, x, 0.999), cell(x, x, 0.0))
    halving = DiscreteCell(identities, (3, 3), 2, reduced=False, reduces=True)
    assert (halving(x, x, 0.999)[:, :2] == 0).any()  # a reduction is no identity

    network = build(auxiliary=False)
    network.drop_path = 0.5
    images = torch.randn(4, 3, 32, 32).double()
    assert not torch.equal(network(images)[0], network(images)[0])
    network.eval()
    assert torch.equal(network(images)[0], network(images)[0])


@pytest.mark.parametrize("name", ["DARTS_V2", "GDAS_V1", "PC_DARTS_cifar"])
def test_the_network_of_plain_modules_is_the_same_function(name):
    """Its parameters are in the same order. In training mode, as it is scored."""
    network = build(name, auxiliary=False)
    plain = PlainDARTSNetwork(published_cell(name).arch, 4, 5, classes=10, affine=True).double()
    with torch.no_grad():
        for ours, theirs in zip(plain.parameters(), network.parameters(), strict=True):
            ours.copy_(theirs + 0.1 * torch.rand_like(theirs))
            theirs.copy_(ours)
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    direction = torch.randn(3, 10, dtype=torch.float64)
    logits, expected = plain(images), network(images)[0]
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-12)
    gradients, expected_gradients = (
        torch.autograd.grad((y * direction).sum(), of.parameters()) for y, of in ((logits, plain), (expected, network))
    )
    for ours, theirs in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-10)


def test_nodes_without_operations_are_left_out_of_the_network_of_plain_modules():
    """As in `DiscreteCell`."""
    pairs = (
        ("none", 0),
        ("none", 1),
        ("skip_connect", 0),
        ("none", 1),
        *(("skip_connect", 0), ("skip_connect", 1)) * 2,
    )
    network = DARTSNetwork((pairs, pairs), 4, 3, classes=10, auxiliary=False)
    plain = PlainDARTSNetwork((pairs, pairs), 4, 3, classes=10, affine=True)
    for ours, theirs in zip(plain.parameters(), network.parameters(), strict=True):
        ours.data.copy_(theirs.data)
    images = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(plain(images), network(images)[0])
