"""What scores of untrained networks are made of: the weights of a network, and gradients in them.

The weights are those of convolutions and linear layers, as in the code of Abdelfattah, Mehrotra, Dudziak, Lane,
"Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), SamsungLabs/zero-cost-nas: no biases, no batch norms.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def layers(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def weights(network: nn.Module) -> list[Tensor]:
    return [layer.weight for layer in layers(network)]


def gradients(loss: Tensor, inputs: list[Tensor], create_graph: bool = False) -> list[Tensor]:
    """Zeros where the loss does not depend on an input."""
    found = torch.autograd.grad(loss, inputs, create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def total(terms: Iterable[Tensor]) -> float:
    """Of all entries."""
    return sum(float(term.detach().sum()) for term in terms)
