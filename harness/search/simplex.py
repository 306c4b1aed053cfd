"""Mathematics on the probability simplex that several methods share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from harness.benchmarks import SearchSpace


def exponentiated_gradient(theta: Tensor, gradient: Tensor, lr: float, floor: float = 0.0) -> Tensor:
    """One exponentiated-gradient step on every row: argmin over the simplex of lr <g, u> + KL(u || theta).

    theta, gradient: (..., K). The entries of the *unnormalised* product are raised to `floor` before the rows are
    divided by their sums, as the released code does, so an entry can end slightly below or above the floor. An entry
    that is zero is no option, and stays zero.
    Source: Geometry-Aware Gradient Algorithms for NAS (ICLR 2021), Algorithm 1; floor: liamcli/gaea_release.
    """
    return floored(theta * (-lr * gradient).exp(), theta, floor)


def floored(moved: Tensor, theta: Tensor, floor: float) -> Tensor:
    """Rows with every entry raised to at least `floor`, but for those where theta is zero, divided by their sums.

    moved, theta: (..., K).
    """
    raised = moved.clamp(min=floor) * (theta > 0)
    return raised / raised.sum(dim=-1, keepdim=True)


def clipped(weights: Tensor, mask: Tensor | None) -> Tensor:
    """Rows clamped to [0, 1] and divided by their sums. Of a row without a positive entry, only the largest remains.

    weights: (R, K); mask: (R, K) which entries are options, None where all are.
    Source: xiangning-chen/SmoothDARTS, `clip` of the supernets.
    """
    weights = masked(weights, mask)
    largest = torch.zeros_like(weights).scatter_(-1, weights.argmax(dim=-1, keepdim=True), 1.0)
    bounded = weights.clamp(0, 1)
    bounded = torch.where(bounded.sum(dim=-1, keepdim=True) > 0, bounded, largest)
    return bounded / bounded.sum(dim=-1, keepdim=True)


def uniform(space: SearchSpace) -> Tensor:
    """(R, K) the centre of the simplices: each row's options have the same share."""
    if space.mask is None:
        return torch.full(space.shape, 1 / space.shape[1])
    options = torch.from_numpy(space.mask).to(torch.get_default_dtype())
    return options / options.sum(dim=-1, keepdim=True)


def masked(logits: Tensor, mask: Tensor | None) -> Tensor:
    """(R, K) logits, minus infinity where the mask says that there is no option."""
    return logits if mask is None else logits.masked_fill(~mask, -torch.inf)


def log(theta: Tensor, mask: Tensor | None) -> Tensor:
    """(R, K) logarithms, minus infinity (without a gradient) where there is no option."""
    return theta.log() if mask is None else masked(theta.masked_fill(~mask, 1.0).log(), mask)


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


def gumbel_softmax(log_probabilities: Tensor, temperature: float, gumbels: Tensor | None = None) -> Tensor:
    """A sample of the concrete distribution of every row.

    log_probabilities: (E, K), up to a constant of each row; gumbels: (E, K) standard Gumbel noise, drawn if not given.
    Returns (E, K). Source: Maddison, Mnih, Teh (ICLR 2017); Jang, Gu, Poole (ICLR 2017).
    """
    if gumbels is None:
        tiny = torch.finfo(log_probabilities.dtype).tiny
        gumbels = -torch.empty_like(log_probabilities).exponential_().clamp(min=tiny).log()
    return ((log_probabilities + gumbels) / temperature).softmax(dim=-1)


def gumbel_one_hot(
    log_probabilities: Tensor, temperature: float, gumbels: Tensor | None = None, keep: Sequence[int] = (1,)
) -> Tensor:
    """A one-hot sample of every row, whose gradient is that of the tempered softmax (straight-through).

    log_probabilities: (E, K); gumbels: (E, K) standard Gumbel noise, drawn if not given. keep: (E,) or one for all, how
    many ones each row has: its options of the largest samples, which are drawn without replacement (Kool, van Hoof and
    Welling, ICML 2019). Returns (E, K). Source: Dong and Yang, GDAS (CVPR 2019), Equations 5 and 6.
    """
    soft = gumbel_softmax(log_probabilities, temperature, gumbels)
    if max(keep) == 1:
        hard = torch.zeros_like(soft).scatter_(-1, soft.argmax(dim=-1, keepdim=True), 1.0)
    else:
        ranks = soft.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
        hard = (ranks < torch.tensor(keep, device=soft.device)[:, None]).to(soft)
    return hard - soft.detach() + soft


def divergence_from_uniform(theta: Tensor, mask: Tensor | None) -> Tensor:
    """Sum over all rows of the Kullback-Leibler divergence from the uniform distribution, nats. theta: (R, K)."""
    if mask is None:
        return (theta * (theta * theta.shape[1]).log()).sum()
    lengths = mask.sum(dim=-1, keepdim=True)
    theta = theta.masked_fill(~mask, 0.0) + (~mask).to(theta) / lengths  # entries that are no options add nothing
    return (theta * (theta * lengths).log()).sum()


def uniform_one_hot(space: SearchSpace) -> Tensor:
    """(R, K) with one option of every row set, each with the same chance."""
    choices, most = space.shape
    if space.mask is None:
        return torch.eye(most)[torch.randint(most, (choices,))]
    return torch.eye(most)[uniform(space).multinomial(1).squeeze(dim=1)]


def entropy(theta: Tensor) -> Tensor:
    """Shannon entropy of every row in nats, with 0 log 0 = 0. theta: (..., K) on the simplex; returns (...)."""
    return -(theta * theta.clamp(min=1e-45).log()).sum(dim=-1)
