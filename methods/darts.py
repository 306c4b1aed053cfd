"""DARTS, first order: operation weights are the softmax of logits, which Adam moves on held-out data.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equation 2 (the relaxation) and
Equation 6 with xi = 0 (the first-order approximation): alpha descends the validation loss at the current w.

Defaults: Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3), the values of the
authors' code (quark0/darts) and of the NAS-Bench-201 baselines (DARTS-V1).
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import SearchSpace


@final
class Darts(OneShot):
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
