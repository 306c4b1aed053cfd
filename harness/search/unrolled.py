"""The second-order architecture gradient: validation loss after one step of the weights.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equations 6 to 8, with momentum and weight
decay in the step as in the authors' code (quark0/darts). With losses L_t and L_v on a training and a validation batch,

    w' = w - xi * (momentum * m + dL_t/dw + decay * w)            m: the optimizer's momentum buffers
    v  = dL_v/dw at w',    R = 0.01 / ||v||
    gradient = dL_v/dalpha at w' - xi * (dL_t/dalpha at w + R v  -  dL_t/dalpha at w - R v) / (2 R)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STEP = 0.01
"""Numerator of R."""

Loss = Callable[[], Tensor]
"""A scalar with gradients, computed anew at the present values of weights and architecture parameters."""


def unrolled_gradient(
    training_loss: Loss,
    validation_loss: Loss,
    optimizer: torch.optim.SGD,
    architecture: Sequence[Tensor],
) -> list[Tensor]:
    """The gradient in each of the `architecture` parameters. The weights are left as they were, bit for bit.

    `optimizer` holds the weights, their momentum buffers, learning rate xi, momentum and weight decay.
    """
    (group,) = optimizer.param_groups
    weights: list[Tensor] = group["params"]
    here = [w.detach().clone() for w in weights]
    steps = _weight_step(_gradients(training_loss(), weights), weights, optimizer)
    with torch.no_grad():
        for w, step in zip(weights, steps, strict=True):
            w -= group["lr"] * step
    found = _gradients(validation_loss(), [*architecture, *weights])
    direct, direction = found[: len(architecture)], found[len(architecture) :]
    radius = STEP / torch.cat([v.flatten() for v in direction]).norm()

    def at(sign: float) -> list[Tensor]:
        with torch.no_grad():
            for w, origin, v in zip(weights, here, direction, strict=True):
                w.copy_(origin + sign * radius * v)
        return _gradients(training_loss(), architecture)

    above, below = at(1.0), at(-1.0)
    with torch.no_grad():
        for w, origin in zip(weights, here, strict=True):
            w.copy_(origin)
    return [
        d - group["lr"] * (plus - minus) / (2 * radius) for d, plus, minus in zip(direct, above, below, strict=True)
    ]


def _weight_step(gradients: list[Tensor], weights: list[Tensor], optimizer: torch.optim.SGD) -> list[Tensor]:
    """What one step of SGD subtracts from the weights, per unit of learning rate."""
    (group,) = optimizer.param_groups
    steps = []
    for gradient, w in zip(gradients, weights, strict=True):
        buffer = optimizer.state[w].get("momentum_buffer")
        momentum = 0 if buffer is None else group["momentum"] * buffer
        steps.append(momentum + gradient + group["weight_decay"] * w.detach())
    return steps


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(parameters), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, parameters, strict=True)]
