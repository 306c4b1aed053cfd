"""SETN: train uniformly sampled cells, learn operation probabilities with the mixture, score the most probable cells.

Dong and Yang, "One-Shot Neural Architecture Search via Self-Evaluated Template Network" (ICCV 2019), Section 3.2 and
Algorithm 1. As in the NAS-Bench-201 baseline (D-X-Y/AutoDL-Projects, SETN), a weight step trains one uniformly drawn
cell, an architecture step uses the softmax mixture, and the candidates are the most probable cells, not samples.

Defaults: 100 candidates, one validation batch each; Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3; logits
drawn from N(0, 1e-3²), the values of that baseline.
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
    paper = "Dong, Yang, One-Shot NAS via Self-Evaluated Template Network, ICCV 2019"
    family = "setn"

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
        if space.samples_every_choice:
            return None
        return "it scores the most probable options of all choices, one of each, which are no cell of this space"

    def weights_for_training(self) -> Tensor:
        return uniform_one_hot(self.space).to(self.alpha)

    @torch.no_grad()
    def derive(self, problem: Problem) -> Arch:
        chosen, log_p = self.alpha.new_zeros(1, 0, dtype=torch.long), self.alpha.new_zeros(1)
        rows = zip(self.logits().log_softmax(dim=-1), self.space.lengths, strict=True)
        for row, options in rows:  # beam search: extend the most probable prefixes by one edge
            total = (log_p[:, None] + row[:options]).flatten()
            log_p, indices = total.topk(min(self.candidates, len(total)))
            chosen = torch.cat([chosen[indices // options], (indices % options)[:, None]], dim=1)
        one_hots = nn.functional.one_hot(chosen, self.space.shape[1])  # (candidates, R, K)
        return self.best((self.space.discretize(cell) for cell in one_hots), problem)
