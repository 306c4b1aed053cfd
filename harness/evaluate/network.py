"""What is trained from scratch: the network of one architecture."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

AUXILIARY = "auxiliary"
"""Attribute of a network that holds an auxiliary classifier, which does not count in its size."""


class Network(nn.Module):
    """forward(images (B, 3, H, W)) -> (logits (B, classes), auxiliary logits or None)."""

    drop_path: float = 0.0
    """Probability with which an operation is dropped for an image in training; the schedule sets it."""

    def sizes(self, side: int) -> dict[str, int]:
        """What a record says of its size, for images of side x side pixels."""
        return {"parameters": parameter_count(self), "multiply_adds": multiply_adds(self, side)}


def parameter_count(network: nn.Module) -> int:
    """Without the auxiliary classifier, as the papers count."""
    return sum(p.numel() for name, p in network.named_parameters() if not name.startswith(f"{AUXILIARY}."))


def multiply_adds(network: nn.Module, side: int) -> int:
    """Of the convolutions and linear layers for one image of side x side pixels, in evaluation mode.

    A network made under `torch.device("meta")` is enough.
    """
    training = network.training
    image: Tensor = torch.empty(1, 3, side, side, device=next(network.parameters()).device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    network.train(training)
    return int(counter.get_total_flops()) // 2


class FixedSupernet(Network):
    """A supernet of which one architecture is trained: the network of a search space that has no other."""

    weights: Tensor

    def __init__(self, supernet: nn.Module, weights: NDArray[np.float64]) -> None:
        """weights: (R, K), as `SearchSpace.one_hot` has them."""
        super().__init__()
        self.supernet = supernet
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32))

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        return self.supernet(images, self.weights, self.weights.new_ones(len(self.weights))), None

    def sizes(self, side: int) -> dict[str, int]:
        """Nothing: the supernet holds the weights of other architectures too."""
        return {}
