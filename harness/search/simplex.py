"""Mathematics on the probability simplex that several methods share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def exponentiated_gradient(theta: Tensor, gradient: Tensor, lr: float, floor: float = 0.0) -> Tensor:
    """One exponentiated-gradient step on every row: argmin over the simplex of lr <g, u> + KL(u || theta).

    theta, gradient: (..., K). The entries of the *unnormalised* product are raised to `floor` before the rows are
    divided by their sums, as the released code does, so an entry can end slightly below or above the floor.
    Source: Geometry-Aware Gradient Algorithms for NAS (ICLR 2021), Algorithm 1; floor: liamcli/gaea_release.
    """
    product = (theta * (-lr * gradient).exp()).clamp(min=floor)
    return product / product.sum(dim=-1, keepdim=True)


def normalised_by_node(edges: Tensor, target: Sequence[int]) -> Tensor:
    """Divide each edge's weight by the sum over the edges that enter the same node.

    edges: (E,) not negative; target: (E,) the node that each edge enters. Returns (E,).
    """
    nodes = _nodes(tuple(target), edges.device)
    return edges / edges.new_zeros(max(target) + 1).index_add(0, nodes, edges)[nodes]


@lru_cache(maxsize=16)
def _nodes(target: tuple[int, ...], device: torch.device) -> Tensor:
    """(E,) on a device, copied there once."""
    return torch.tensor(target, device=device)


def softmax_by_node(beta: Tensor, target: Sequence[int]) -> Tensor:
    """Softmax over the edges that enter the same node. beta: (E,); target: (E,); returns (E,).

    Source: Xu et al., PC-DARTS (ICLR 2020), Equation 4.
    """
    return normalised_by_node((beta - beta.max()).exp(), target)


def gumbel_one_hot(log_probabilities: Tensor, temperature: float, gumbels: Tensor | None = None) -> Tensor:
    """A one-hot sample of every row, whose gradient is that of the tempered softmax (straight-through).

    log_probabilities: (E, K); gumbels: (E, K) standard Gumbel noise, drawn if not given. Returns (E, K).
    Source: Dong and Yang, GDAS (CVPR 2019), Equations 5 and 6.
    """
    if gumbels is None:
        tiny = torch.finfo(log_probabilities.dtype).tiny
        gumbels = -torch.empty_like(log_probabilities).exponential_().clamp(min=tiny).log()
    soft = ((log_probabilities + gumbels) / temperature).softmax(dim=-1)
    hard = torch.zeros_like(soft).scatter_(-1, soft.argmax(dim=-1, keepdim=True), 1.0)
    return hard - soft.detach() + soft


def uniform_one_hot(shape: tuple[int, int]) -> Tensor:
    """(E, K) with one entry per row set, each with the same chance."""
    edges, operations = shape
    return torch.eye(operations)[torch.randint(operations, (edges,))]


def entropy(theta: Tensor) -> Tensor:
    """Shannon entropy of every row in nats, with 0 log 0 = 0. theta: (..., K) on the simplex; returns (...)."""
    return -(theta * theta.clamp(min=1e-45).log()).sum(dim=-1)
