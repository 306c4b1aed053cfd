"""DARTS, second order: the architecture gradient is taken after one virtual weight step.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equations 6 to 8, with momentum and weight
decay in the virtual step as in the authors' code (quark0/darts). With losses L_t and L_v on the training and the
held-out batch, xi the current learning rate of w and m its momentum buffers,

    w' = w - xi * (momentum * m + dL_t/dw + decay * w)
    v  = dL_v/dw at w',    R = 0.01 / ||v||
    gradient = dL_v/dalpha at w' - xi * (dL_t/dalpha at w + R v  -  dL_t/dalpha at w - R v) / (2 R)

Defaults: those of `darts`, the values of the authors' code and of the NAS-Bench-201 baseline (DARTS-V2).
"""

from typing import final

import torch
from torch import Tensor

from harness.api import Batch, Problem
from harness.search.bases import SoftmaxAdam


@final
class Darts2nd(SoftmaxAdam):
    paper = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
    family = "darts"

    def architecture_step(self, problem: Problem) -> None:
        def gradients(batch: Batch, inputs: list[Tensor]) -> list[Tensor]:
            return problem.gradients(problem.loss(self(), batch).loss, inputs)

        xi = problem.weight_optimizer.param_groups[0]["lr"]
        with problem.shifted(weight_step(problem, gradients(problem.train_batch, problem.w)), -xi):
            direct, *v = gradients(problem.held_out_batch, [self.alpha, *problem.w])
        radius = 0.01 / torch.cat([part.flatten() for part in v]).norm()
        with problem.shifted(v, radius):
            (above,) = gradients(problem.train_batch, [self.alpha])
        with problem.shifted(v, -radius):
            (below,) = gradients(problem.train_batch, [self.alpha])
        problem.set_gradient([direct - xi * (above - below) / (2 * radius)])
        self.step()


def weight_step(problem: Problem, gradients: list[Tensor]) -> list[Tensor]:
    """The update that one SGD step subtracts from w, divided by the learning rate."""
    (group,) = problem.weight_optimizer.param_groups
    steps = []
    for gradient, w in zip(gradients, problem.w, strict=True):
        buffer = problem.weight_optimizer.state[w].get("momentum_buffer")
        momentum = 0 if buffer is None else group["momentum"] * buffer
        steps.append(momentum + gradient + group["weight_decay"] * w.detach())
    return steps
