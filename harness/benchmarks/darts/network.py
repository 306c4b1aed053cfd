"""The evaluation network of an architecture of the DARTS space, for retraining from scratch.

Liu, Simonyan and Yang, "DARTS" (ICLR 2019), Section 3.3: 20 cells of 36 channels for CIFAR, 14 of 48 for ImageNet; the
cells at one third and at two thirds of the depth reduce the resolution and double the channels; an auxiliary
classifier reads the output of the second in training. Batch norms have affine parameters; poolings have no batch norm.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.benchmarks import Arch
from harness.benchmarks.base import ZERO
from harness.benchmarks.darts.operations import (
    Convolution,
    FactorizedReduction,
    Projection,
    Separable,
    conv_norm,
    stems,
    undilated,
)
from harness.benchmarks.darts.supernet import DILATED, SEPARABLE
from harness.benchmarks.mixing import average_pool
from harness.evaluate.network import Network

NODES = 4
AUXILIARY_STRIDE = {"cifar": 3, "imagenet": 2}
SIDE = {"cifar": 32, "imagenet": 224}
"""Side of the images for which the auxiliary classifier is made, pixels."""


class DARTSNetwork(Network):
    """forward(images (B, 3, H, W)) -> (logits (B, classes), auxiliary logits or None).

    The auxiliary logits exist in training mode only, and only with `auxiliary`. The attribute `drop_path` is the
    probability of dropping an operation other than the identity for an image in training mode; the schedule sets it.

    Args:
        dataset: "cifar" for a stem that keeps the resolution and 32x32 images, "imagenet" for one that divides it by 8
            and 224x224 images; other sizes need `auxiliary=False`. ValueError if there is no such stem.
    """

    def __init__(
        self, arch: Arch, channels: int, cells: int, classes: int, auxiliary: bool = True, dataset: str = "cifar"
    ) -> None:
        super().__init__()
        if dataset not in AUXILIARY_STRIDE:
            raise ValueError(f"no stem {dataset!r} among {', '.join(AUXILIARY_STRIDE)}")
        self.dataset = dataset
        self.stem, self.second_stem = stems(dataset, channels)
        before_last = last = 3 * channels if dataset == "cifar" else channels
        reduced = dataset == "imagenet"  # the second stem also halves the resolution
        self.cells = nn.ModuleList()
        normal, reduction = arch
        for number in range(cells):
            reduces = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduces else 1
            cell = DiscreteCell(reduction if reduces else normal, (before_last, last), channels, reduced, reduces)
            self.cells.append(cell)
            before_last, last, reduced = last, len(cell.joined) * channels, reduces
            if number == 2 * cells // 3:
                auxiliary_inputs = last
        self.auxiliary_after = 2 * cells // 3
        self.auxiliary = _auxiliary(dataset, auxiliary_inputs, classes) if auxiliary else None
        self.classifier = nn.Linear(last, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        with_auxiliary = self.training and self.auxiliary is not None
        side = SIDE[self.dataset]
        if with_auxiliary and images.shape[2:] != (side, side):
            height, width = images.shape[2:]
            raise ValueError(f"the auxiliary classifier needs images of {side}x{side}, got {height}x{width}")
        before_last = self.stem(images.contiguous(memory_format=torch.channels_last))
        last = self.second_stem(before_last)
        auxiliary_logits = None
        for number, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last, self.drop_path if self.training else 0.0)
            if number == self.auxiliary_after and with_auxiliary:
                auxiliary_logits = cast(nn.Module, self.auxiliary)(last)
        return self.classifier(last.mean(dim=(2, 3))), auxiliary_logits


class DiscreteCell(nn.Module):
    """A cell with two inputs per node and one operation on each. A node whose operations are both the zero operation is
    not part of the cell's output, as in the code of FairDARTS (Chu et al., ECCV 2020).

    pairs: (operation, input state), two per node; inputs: channels of the last cell but one and of the last cell;
    reduced: whether the last cell has half the resolution of the one before; reduces: whether this one halves it.
    """

    def __init__(
        self, pairs: tuple[tuple[str, int], ...], inputs: tuple[int, int], channels: int, reduced: bool, reduces: bool
    ) -> None:
        super().__init__()
        preprocess = FactorizedReduction if reduced else Projection
        self.preprocess = nn.ModuleList(
            [preprocess(inputs[0], channels, affine=True), Projection(inputs[1], channels, affine=True)]
        )
        self.sources = [source for _, source in pairs]
        present = [edge for edge, (operation, _) in enumerate(pairs) if operation != ZERO]
        self.edges_into = [[edge for edge in present if edge // 2 == node] for node in range(NODES)]
        self.joined = [node for node in range(NODES) if self.edges_into[node]] or list(range(NODES))
        self.stride = 2 if reduces else 1
        self.operations = nn.ModuleList(
            Candidate(operation, channels, 2 if reduces and source < 2 else 1) for operation, source in pairs
        )

    def forward(self, before_last: Tensor, last: Tensor, drop_path: float) -> Tensor:
        states = [self.preprocess[0](F.relu(before_last)), self.preprocess[1](F.relu(last))]
        for edges in self.edges_into:
            terms = []
            for edge in edges:
                operation = cast(Candidate, self.operations[edge])
                term = operation(states[self.sources[edge]])
                terms.append(term if operation.is_identity else apply_drop_path(term, drop_path))
            if not terms:
                terms = [torch.zeros_like(states[0][:, :, :: self.stride, :: self.stride])]
            states.append(sum(terms[1:], start=terms[0]))
        return torch.cat([states[2 + node] for node in self.joined], dim=1)


class Candidate(nn.Module):
    """A candidate operation, selected by its name."""

    def __init__(self, name: str, channels: int, stride: int) -> None:
        super().__init__()
        self.name, self.stride = name, stride
        self.is_identity = name == "skip_connect" and stride == 1
        self.weighted: nn.Module | None = None
        if name in SEPARABLE:
            self.weighted = Separable(channels, 1, SEPARABLE[name], stride, affine=True)
        elif name in DILATED:
            self.weighted = Convolution(channels, 1, DILATED[name], affine=True)
        elif name == "skip_connect" and stride == 2:
            self.weighted = FactorizedReduction(channels, channels, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        if self.name == "max_pool_3x3":
            return F.max_pool2d(x, 3, self.stride, 1)
        if self.name == "avg_pool_3x3":
            return average_pool(x, self.stride)
        if self.weighted is None:
            return x
        if self.name in DILATED:
            phases, dilation, rearrange = undilated(F.relu(x), self.stride)
            return rearrange(self.weighted(phases, dilation=dilation))
        return cast(Tensor, self.weighted(F.relu(x)))


def apply_drop_path(x: Tensor, probability: float) -> Tensor:
    """Drop path (Larsson et al., ICLR 2017): zero each image of x (B, C, H, W) with this probability, otherwise divide
    it by the probability of keeping it."""
    if not probability:
        return x
    kept = x.new_empty(len(x), 1, 1, 1).bernoulli_(1 - probability)
    return x * (kept / (1 - probability))


def _auxiliary(dataset: str, inputs: int, classes: int) -> nn.Module:
    """The auxiliary classifier, for feature maps of 8x8 (CIFAR) or 7x7 (ImageNet) pixels.

    For ImageNet without batch norm after the last convolution, as in the code behind the published results.
    """
    last = conv_norm(128, 768, 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.AvgPool2d(5, AUXILIARY_STRIDE[dataset], count_include_pad=False),
        *conv_norm(inputs, 128, 1),
        nn.ReLU(),
        *(last if dataset == "cifar" else last[:1]),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, classes),
    )
