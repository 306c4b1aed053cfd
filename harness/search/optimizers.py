"""The exponentiated-gradient step as a `torch.optim.Optimizer`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from harness.search.simplex import exponentiated_gradient, normalised_by_node


class ExponentiatedGradient(torch.optim.Optimizer):
    """Mirror descent on products of simplices: theta <- theta * exp(-lr * g), floored, divided by its sums.

    Every step is argmin over the simplices of lr <g, u> + KL(u || theta), apart from the floor.
    Source: Li et al., Geometry-Aware Gradient Algorithms for NAS (ICLR 2021), Algorithm 1.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float = 0.1, floor: float = 0.0, nodes: Sequence[int] | None = None
    ) -> None:
        """params: tensors that start on their simplices: every row of the last dimension (..., K) is one.

        floor: least value of an entry before the division, as in the released code, which has 1e-5 for operations.
        nodes: (E,) for parameters of shape (E,) instead: the entries with the same node form one simplex (weights of
        edges); these have no floor. ValueError if lr is not positive or floor is negative.
        """
        if not lr > 0 or not floor >= 0:
            raise ValueError(f"exponentiated gradient needs lr > 0 and floor >= 0, got {lr} and {floor}")
        super().__init__(params, {"lr": lr, "floor": floor, "nodes": None if nodes is None else tuple(nodes)})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            for theta in group["params"]:
                if theta.grad is None:
                    continue
                if group["nodes"] is None:
                    theta.copy_(exponentiated_gradient(theta, theta.grad, group["lr"], group["floor"]))
                else:
                    theta.copy_(normalised_by_node(theta * (-group["lr"] * theta.grad).exp(), group["nodes"]))
        return loss
