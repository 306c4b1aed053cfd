"""PC-DARTS: operations on a part of the channels, and weights of the edges, both softmax and Adam.

Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search" (ICLR 2020), Equations 2 to
4: the mixture acts on 1/4 of the channels, which are then shuffled; the edges into a node are weighted by the softmax
of beta. A cell is derived from the product of both.

Defaults: Adam with lr 6e-4, betas (0.5, 0.999), weight decay 1e-3, no architecture steps in the first 15 of 50 epochs,
the values of the authors' code (yuhuixu1993/PC-DARTS). The PC-DARTS runs that GAEA compares with have `warmup=0`.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import OneShot
from harness.benchmarks import SearchSpace
from harness.search.simplex import softmax_by_node


@final
class PcDarts(OneShot):
    partial_channels = 4

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 6e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        warmup: float = 0.3,
    ) -> None:
        super().__init__(space)
        self.warmup = warmup
        self.alpha = nn.Parameter(init_std * torch.randn(space.shape))  # (E, K)
        self.beta = nn.Parameter(init_std * torch.randn(space.shape[0]))  # (E,)
        self.adam = torch.optim.Adam([self.alpha, self.beta], lr=lr, betas=(beta1, beta2), weight_decay=alpha_decay)

    def distribution(self) -> Tensor:
        return self.alpha.softmax(dim=-1)

    def edge_weights(self) -> Tensor:
        return softmax_by_node(self.beta, self.space.target)

    def step(self) -> None:
        self.adam.step()
