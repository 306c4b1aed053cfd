"""DARTS, second order: the architecture's gradient looks one weight step ahead.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equations 6 to 8: alpha descends the
validation loss at w' = w - xi * (step of SGD with momentum and weight decay on the training loss), where xi is the
current learning rate of w; the mixed second derivative is a finite difference (`harness.search.unrolled`).

Defaults: as first order, the values of the authors' code (quark0/darts) and of the NAS-Bench-201 baseline (DARTS-V2).
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import SearchSpace


@final
class Darts2nd(OneShot):
    unrolled = True

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
    ) -> None:
        super().__init__(space)
        self.alpha = nn.Parameter(init_std * torch.randn(space.shape))  # (E, K)
        self.adam = torch.optim.Adam([self.alpha], lr=lr, betas=(beta1, beta2), weight_decay=alpha_decay)

    def distribution(self) -> Tensor:
        return self.alpha.softmax(dim=-1)

    def step(self) -> None:
        self.adam.step()
