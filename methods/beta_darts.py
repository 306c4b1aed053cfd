"""beta-DARTS: DARTS whose architecture step also minimises the logarithm of the partition function of the logits.

Ye, Li, Li, Chen, Fan, Ouyang, "b-DARTS: Beta-Decay Regularization for Differentiable Architecture Search" (CVPR 2022),
as in the authors' code (Sunshine-Ye/Beta-DARTS, optimizers/darts/architect.py). In epoch t, alpha descends

    L_v(w, softmax(alpha)) + slope * t * (mean over the edges of a cell type of log sum_k exp(alpha_ek))

with one mean per cell type: on the DARTS space, where that code ends with an error, our own reading. The derivative of
the penalty on an edge is softmax(alpha_e) over the number of edges.

Defaults: slope 0.5 per epoch, which the code writes as 50 t / 100 and uses with 100 epochs; in a shorter search the
penalty ends at a smaller weight. Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from
N(0, 1e-3²), the values of the same code and those of `darts`.
Tuned ranges, ours: two decades around the defaults.
"""

from typing import ClassVar, final

import torch
from torch import Tensor

from harness.api import LogUniform, Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam


@final
class BetaDarts(SoftmaxAdam):
    paper = "Ye et al., b-DARTS: Beta-Decay Regularization for Differentiable Architecture Search, CVPR 2022"
    family = "robust"
    tunable: ClassVar = {"lr": LogUniform(3e-5, 3e-3), "slope": LogUniform(0.05, 5.0)}

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        slope: float = 0.5,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        self.slope, self.strength = slope, 0.0

    def before_epoch(self, problem: Problem) -> None:
        self.strength = self.slope * problem.epoch

    def penalty(self) -> Tensor:
        per_edge = self.logits().logsumexp(dim=-1)  # (R,)
        return torch.stack([per_edge[edges].mean() for edges in self.space.groups.values()]).sum()

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        return loss + self.strength * self.penalty()
