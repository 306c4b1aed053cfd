"""Mathematics on the probability simplex that several methods share."""

from __future__ import annotations

from torch import Tensor


def exponentiated_gradient(theta: Tensor, gradient: Tensor, lr: float, floor: float = 0.0) -> Tensor:
    """One exponentiated-gradient step on every row: argmin over the simplex of lr <g, u> + KL(u || theta).

    theta, gradient: (..., K). The entries of the *unnormalised* product are raised to `floor` before the rows are
    divided by their sums, as the released code does, so an entry can end slightly below or above the floor.
    Source: Geometry-Aware Gradient Algorithms for NAS (ICLR 2021), Algorithm 1; floor: liamcli/gaea_release.
    """
    product = (theta * (-lr * gradient).exp()).clamp(min=floor)
    return product / product.sum(dim=-1, keepdim=True)


def entropy(theta: Tensor) -> Tensor:
    """Shannon entropy of every row in nats, with 0 log 0 = 0. theta: (..., K) on the simplex; returns (...)."""
    return -(theta * theta.clamp(min=1e-45).log()).sum(dim=-1)
