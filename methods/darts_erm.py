"""A control: DARTS with the single-level objective, in which an epoch has twice the steps, as no data are held out.
Against `darts` it shows what the objective does, against `gaea-darts-erm` what update and step size do.

The relaxation of Liu et al. (DARTS, ICLR 2019, Equation 2) with the objective of Li et al. (GAEA, ICLR 2021): w and
alpha both descend the training loss, on independent batches. Defaults: those of `darts`.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import SearchSpace


@final
class DartsErm(OneShot):
    bilevel = False

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
