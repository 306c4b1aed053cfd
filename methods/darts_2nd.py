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

from harness.search.bases import SecondOrder


@final
class Darts2nd(SecondOrder):
    """`SecondOrder.architecture_step` is the equations above."""

    paper = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
    family = "darts"
