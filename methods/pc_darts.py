"""PC-DARTS: DARTS with partial channel connections and softmax edge weights, both trained with Adam.

Xu et al., "PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search" (ICLR 2020), Equations 2 to
4: the mixture is applied to 1/4 of the channels, which are then shuffled; the edges into a node are weighted by the
softmax of beta. Cells are derived from the product of operation and edge weights. Where rows of theta are the weights
of edges (NAS-Bench-1Shot1), there is no beta.

Defaults: Adam with lr 6e-4, betas (0.5, 0.999), weight decay 1e-3, no architecture steps in the first 15 of 50 epochs,
the values of the authors' code (yuhuixu1993/PC-DARTS). The PC-DARTS runs in the GAEA paper's comparison use `warmup=0`.
The tuned range of lr, ours: two decades around the default.
"""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from harness.api import LogUniform
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam, WeighsEdges
from harness.search.simplex import softmax_by_node


@final
class PcDarts(WeighsEdges, SoftmaxAdam):
    paper = "Xu et al., PC-DARTS, ICLR 2020"
    family = "darts"
    supernet: ClassVar = {"partial_channels": 4}
    tunable: ClassVar = {"lr": LogUniform(6e-5, 6e-3)}

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
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        self.warmup = warmup
        if self.edge_target:
            self.beta = nn.Parameter(init_std * torch.randn(space.shape[0]))  # (R,)
            self.adam.add_param_group({"params": [self.beta]})

    def edge_weights(self) -> Tensor | None:
        return softmax_by_node(self.beta, self.edge_target) if self.edge_target else None
