"""Training-free scores: what an untrained network and one batch of images say of an architecture. Larger is better.

Abdelfattah, Mehrotra, Dudziak, Lane, "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), Section 3, as in the authors'
code (SamsungLabs/zero-cost-nas): all but the last. Mellor, Turner, Storkey, Crowley, "Neural Architecture Search
without Training" (ICML 2021), Section 3, as in BayesWatch/nas-without-training (hook_logdet): `naswot`. Networks are in
training mode; W are the weights of convolutions and linear layers, L is the mean cross-entropy of the batch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data import Batches, Dataset
from harness.search.problem import stream

Function = Callable[[nn.Module, Tensor, Tensor], float]
"""(network, images (B, 3, H, W), labels (B,)) -> score."""


@dataclass(frozen=True)
class Score:
    function: Function
    paper: str
    batch_size: int = 64
    augmented: bool = True
    """Whether images are cropped and flipped."""
    affine: bool = False
    """Whether the batch norms of the cells have affine parameters."""
    classes: int | None = None
    """Of the network; None: those of the dataset."""


def evaluate(score: Score, make: Callable[[int, bool], nn.Module], dataset: Dataset, seed: int, device: str) -> float:
    """Score one architecture on one batch of training images; minus infinity where the score is not a number, as of a
    network that no signal passes.

    make: from the number of classes and whether the cells' batch norms are affine to a network. Its initial weights and
    the batch depend on the seed alone, so they are the same whatever else is scored.
    """
    padding = dataset.train.pixels.shape[-1] // 8
    mean_and_std = dataset.mean, dataset.std
    crop_and_flip = (padding, True) if score.augmented else (0, False)
    batches = Batches(dataset.train, score.batch_size, *mean_and_std, *crop_and_flip)
    generator = torch.Generator().manual_seed(stream(seed, "scored images"))
    images, labels = next(batches.one_pass(generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "initial weights"))
        network = make(score.classes or dataset.classes, score.affine)
    network, images, labels = network.to(device), images.to(device), labels.to(device)
    value = score.function(network, images, labels % (score.classes or dataset.classes))
    return value if math.isfinite(value) else -math.inf


def layers(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def weights(network: nn.Module) -> list[Tensor]:
    return [layer.weight for layer in layers(network)]  # type: ignore[misc]


def gradients(loss: Tensor, inputs: list[Tensor], create_graph: bool = False) -> list[Tensor]:
    """Zeros where the loss does not depend on an input."""
    found = torch.autograd.grad(loss, inputs, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def total(terms: Iterable[Tensor]) -> float:
    """Of all entries."""
    return sum(float(term.detach().sum()) for term in terms)


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over the layers of ||dL/dW||."""
    found = gradients(F.cross_entropy(network(images), labels), weights(network))
    return total(gradient.norm() for gradient in found)


def snip(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum of |W dL/dW| (Lee, Ajanthan, Torr, ICLR 2019)."""
    w = weights(network)
    found = gradients(F.cross_entropy(network(images), labels), w)
    return total((x * g).abs() for x, g in zip(w, found, strict=True))


def grasp(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """-sum of W (H g), H the second derivatives of L and g = dL/dW (Wang, Zhang, Grosse, ICLR 2020, with the sign of
    the code)."""
    w = weights(network)
    found = gradients(F.cross_entropy(network(images), labels), w, create_graph=True)
    product = sum(((g.detach() * g).sum() for g in found), start=images.new_zeros(()))
    return -total(x * hg for x, hg in zip(w, gradients(product, w), strict=True))


def fisher(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Sum over the layers' output channels of the mean over the images of (sum over the pixels of a dL/da)^2 / 2, a
    the channel's activations (Theis et al., 2018); a channel counts once for each of its incoming weights, as in the
    code."""
    outputs: list[tuple[Tensor, int]] = []

    def keep(layer: Any, _: Any, output: Tensor) -> None:
        outputs.append((output, layer.weight[0].numel()))

    hooks = [layer.register_forward_hook(keep) for layer in layers(network)]
    loss = F.cross_entropy(network(images), labels)
    for hook in hooks:
        hook.remove()
    found = gradients(loss, [a for a, _ in outputs])
    per_image = [
        (a * g).flatten(2).sum(dim=2) if a.dim() > 2 else a * g for (a, _), g in zip(outputs, found, strict=True)
    ]
    return total(n / 2 * x.square().mean(dim=0) for x, (_, n) in zip(per_image, outputs, strict=True))


def jacob_cov(network: nn.Module, images: Tensor, labels: Tensor) -> float:  # noqa: ARG001 - it needs no labels
    """-sum over the eigenvalues v of the images' correlations of log(v + k) + 1 / (v + k), k = 1e-5, where an image is
    the gradient of the sum of all logits in it."""
    images = images.detach().requires_grad_()
    (jacobian,) = torch.autograd.grad(network(images).sum(), images)
    v = torch.linalg.eigvalsh(torch.corrcoef(jacobian.flatten(1).double()).nan_to_num()) + 1e-5
    return -float((v.log() + 1 / v).sum())


def synflow(network: nn.Module, images: Tensor, labels: Tensor) -> float:  # noqa: ARG001 - it needs no labels
    """Sum of |W dR/dW|, R the sum of the logits of an image of ones with the absolute values of all weights and no
    batch norms, in double precision (Tanaka, Kunin, Yamins, Ganguli, NeurIPS 2020)."""
    positive = copy.deepcopy(network).double()
    for module in list(positive.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for parameter in positive.parameters():
            parameter.abs_()
    w = weights(positive)
    found = gradients(positive(torch.ones_like(images[:1], dtype=torch.float64)).sum(), w)
    return total((x * g).abs() for x, g in zip(w, found, strict=True))


def naswot(network: nn.Module, images: Tensor, labels: Tensor) -> float:  # noqa: ARG001 - it needs no labels
    """log |det K|, K_ij the number of rectified units that are both on or both off for images i and j.

    Units before a convolution count twice: the code counts at all modules whose class name contains "ReLU", as that of
    a rectifier and that of its blocks of rectifier, convolution and batch norm.
    """
    blocks = [block for block in network.modules() if isinstance(block, nn.Sequential)]
    twice = {first for block in blocks for first, second in pairwise(block) if isinstance(second, nn.Conv2d)}
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)

    def count(relu: nn.Module, inputs: tuple[Tensor, ...], __: Any) -> None:
        on = (inputs[0] > 0).flatten(1).to(images.dtype)
        kernel.add_((on @ on.T + (1 - on) @ (1 - on).T).double(), alpha=1 + (relu in twice))

    hooks = [relu.register_forward_hook(count) for relu in network.modules() if isinstance(relu, nn.ReLU)]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(kernel).logabsdet)


ZERO_COST = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
SCORES = {
    "synflow": Score(synflow, ZERO_COST),
    "snip": Score(snip, ZERO_COST),
    "grasp": Score(grasp, ZERO_COST),
    "fisher": Score(fisher, ZERO_COST),
    "jacob-cov": Score(jacob_cov, ZERO_COST),
    "grad-norm": Score(grad_norm, ZERO_COST),
    "naswot": Score(
        naswot,
        "Mellor et al., NAS without Training, ICML 2021",
        batch_size=128,
        augmented=False,
        affine=True,
        classes=1,
    ),
}
