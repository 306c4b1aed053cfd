"""The network of one cell of the DARTS space, as it is trained from scratch.

Liu, Simonyan and Yang, "DARTS" (ICLR 2019), Section 3.3: 20 cells of 36 channels for CIFAR, 14 of 48 for ImageNet; the
cells at one third and at two thirds of the depth reduce the resolution and double the channels; an auxiliary
classifier reads the second of them while training. All batch norms have affine parameters, poolings have none.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from harness.benchmarks import Arch
from harness.benchmarks.darts.supernet import DILATED, SEPARABLE
from harness.supernets.operations import (
    Convolution,
    FactorizedReduction,
    Projection,
    Separable,
    average_pool,
    convolution,
    stems,
    undilated,
)

NODES = 4
AUXILIARY_STRIDE = {"cifar": 3, "imagenet": 2}
SIDE = {"cifar": 32, "imagenet": 224}
"""Of the images, in pixels, that the auxiliary classifier is made for."""


class DARTSNetwork(nn.Module):
    """forward(images (B, 3, H, W)) -> (logits (B, classes), auxiliary logits or None).

    The auxiliary logits exist in training mode only, and only if `auxiliary`. `drop_path` is the probability with
    which an operation other than the identity is dropped for an image in training mode; the schedule sets it.
    """

    def __init__(
        self, arch: Arch, channels: int, cells: int, classes: int, auxiliary: bool = True, dataset: str = "cifar"
    ) -> None:
        """dataset: "cifar" for a stem that keeps the resolution and 32x32 images, "imagenet" for one that divides it
        by 8 and 224x224 images; other sizes need `auxiliary=False`. ValueError if there is no such stem."""
        super().__init__()
        if dataset not in AUXILIARY_STRIDE:
            raise ValueError(f"no stem {dataset!r} among {', '.join(AUXILIARY_STRIDE)}")
        self.dataset = dataset
        self.drop_path = 0.0
        self.stem, self.second_stem = stems(dataset, channels)
        before_last = last = 3 * channels if dataset == "cifar" else channels
        reduced = dataset == "imagenet"  # the last stem before the cells halves the resolution, too
        self.cells = nn.ModuleList()
        normal, reduction = arch
        for number in range(cells):
            reduces = number in (cells // 3, 2 * cells // 3)
            channels *= 2 if reduces else 1
            self.cells.append(
                DiscreteCell(reduction if reduces else normal, (before_last, last), channels, reduced, reduces)
            )
            before_last, last, reduced = last, NODES * channels, reduces
            if number == 2 * cells // 3:
                inputs_of_auxiliary = last
        self.auxiliary_after = 2 * cells // 3
        self.auxiliary = _auxiliary(dataset, inputs_of_auxiliary, classes) if auxiliary else None
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
        of_auxiliary = None
        for number, cell in enumerate(self.cells):
            before_last, last = last, cell(before_last, last, self.drop_path if self.training else 0.0)
            if number == self.auxiliary_after and with_auxiliary:
                of_auxiliary = cast(nn.Module, self.auxiliary)(last)
        return self.classifier(last.mean(dim=(2, 3))), of_auxiliary


class DiscreteCell(nn.Module):
    """Two inputs per node, one operation on each."""

    def __init__(
        self, pairs: tuple[tuple[str, int], ...], inputs: tuple[int, int], channels: int, reduced: bool, reduces: bool
    ) -> None:
        """pairs: (operation, input state), two per node; inputs: channels of the last cell but one and of the last;
        reduced: the last cell has half the resolution of the one before."""
        super().__init__()
        first = FactorizedReduction if reduced else Projection
        self.preprocess = nn.ModuleList(
            [first(inputs[0], channels, affine=True), Projection(inputs[1], channels, affine=True)]
        )
        self.sources = [source for _, source in pairs]
        self.operations = nn.ModuleList(
            Candidate(operation, channels, 2 if reduces and source < 2 else 1) for operation, source in pairs
        )

    def forward(self, before_last: Tensor, last: Tensor, drop_path: float) -> Tensor:
        states = [self.preprocess[0](F.relu(before_last)), self.preprocess[1](F.relu(last))]
        for node in range(NODES):
            terms = []
            for edge in (2 * node, 2 * node + 1):
                operation = cast(Candidate, self.operations[edge])
                term = operation(states[self.sources[edge]])
                terms.append(term if operation.is_identity else dropped(term, drop_path))
            states.append(terms[0] + terms[1])
        return torch.cat(states[2:], dim=1)


class Candidate(nn.Module):
    """One operation by its name."""

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
            sparse, dilation, put_in_place = undilated(F.relu(x), self.stride)
            return put_in_place(self.weighted(sparse, dilation=dilation))
        return cast(Tensor, self.weighted(F.relu(x)))


def dropped(x: Tensor, probability: float) -> Tensor:
    """Drop path (Larsson et al., ICLR 2017): zero for an image with this probability, otherwise divided by the
    probability to keep it. x: (B, C, H, W)."""
    if not probability:
        return x
    kept = x.new_empty(len(x), 1, 1, 1).bernoulli_(1 - probability)
    return x * (kept / (1 - probability))


def parameter_count(network: DARTSNetwork) -> int:
    """Without the auxiliary classifier, as the papers count."""
    return sum(p.numel() for name, p in network.named_parameters() if not name.startswith("auxiliary."))


def multiply_adds(network: DARTSNetwork, size: int) -> int:
    """Of the convolutions and the classifier for one image of size x size, in evaluation mode.

    A network made under `torch.device("meta")` is enough.
    """
    training = network.training
    image = torch.empty(1, 3, size, size, device=network.classifier.weight.device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    network.train(training)
    return int(counter.get_total_flops()) // 2


def _auxiliary(dataset: str, inputs: int, classes: int) -> nn.Module:
    """The classifier beside the network, for maps of 8x8 (CIFAR) or 7x7 (ImageNet) pixels.

    The released ImageNet network has no batch norm after the last convolution, and its results stand for that.
    """
    last = convolution(128, 768, 2)
    return nn.Sequential(
        nn.ReLU(),
        nn.AvgPool2d(5, AUXILIARY_STRIDE[dataset], count_include_pad=False),
        *convolution(inputs, 128, 1),
        nn.ReLU(),
        *(last if dataset == "cifar" else last[:1]),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, classes),
    )
