"""SETN: train uniformly sampled cells, learn on the mixture which operations to prefer, score the most probable cells.

Dong and Yang, "One-Shot Neural Architecture Search via Self-Evaluated Template Network" (ICCV 2019), Section 3.2 and
Algorithm 1. As the NAS-Bench-201 baseline does it (D-X-Y/AutoDL-Projects, SETN): a weight step trains one cell drawn
uniformly, an architecture step sees the softmax mixture, and the candidates are the most probable cells, not samples.

Defaults: 100 candidates, one validation batch each; Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3; logits
drawn from N(0, 1e-3), the values of that baseline.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import Problem
from harness.benchmarks import Arch, SearchSpace
from harness.search.bases import SampledWeights, SoftmaxAdam
from harness.search.simplex import uniform_one_hot


@final
class Setn(SampledWeights, SoftmaxAdam):
    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        candidates: int = 100,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if candidates < 1:
            raise ValueError("at least one candidate is needed")
        self.candidates = candidates

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        if space.keeps_every_edge:
            return None
        return "the most probable operations of all edges are no cell where a cell keeps only some of its edges"

    def weights_for_training(self) -> Tensor:
        return uniform_one_hot(self.space.shape).to(self.alpha)

    @torch.no_grad()
    def derive(self, problem: Problem) -> Arch:
        chosen, log_p = self.alpha.new_zeros(1, 0, dtype=torch.long), self.alpha.new_zeros(1)
        for row in self.alpha.log_softmax(dim=-1):  # the most probable prefixes, one edge longer each time
            total = (log_p[:, None] + row).flatten()
            log_p, place = total.topk(min(self.candidates, len(total)))
            chosen = torch.cat([chosen[place // len(row)], (place % len(row))[:, None]], dim=1)
        one_hots = nn.functional.one_hot(chosen, self.space.shape[1])  # (candidates, R, K)
        return self.best((self.space.discretize(cell) for cell in one_hots), problem)
