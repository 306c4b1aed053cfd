"""DrNAS: operation weights are drawn from Dirichlet distributions, whose concentrations are learned.

Chen, Wang, Cheng, Tang, Hsieh, "DrNAS: Dirichlet Neural Architecture Search" (ICLR 2021), Section 3. With
concentrations c = ELU(alpha) + 1, where alpha = 0 is the flat Dirichlet distribution,

    theta ~ Dirichlet(c), a new sample in every pass; alpha descends the validation loss through the sample (pathwise)

Bilevel, first order. As in the authors' code (xiangning-chen/DrNAS), samples are mixed in the weight step and in
validation too, and cells are derived from softmax(alpha), which orders edges otherwise than the mean c / sum(c) does.
The progressive search (partial channels that widen, operations that are pruned) is left out, since a supernet that
widens during a search, with its optimizer and its checkpoints, would take over 150 lines here: this is the version
behind the paper's NAS-Bench-201 table; **on the DARTS space, where only the progressive search is published, it is
ours**.

Defaults: Adam with lr 3e-4, betas (0.5, 0.999), logits drawn from N(0, 1e-3²), and weight decay 1e-3 as the regulariser
that pulls c to 1, all from that code's NAS-Bench-201 search. Its other regulariser, KL(Dirichlet(c) || Dirichlet(1))
summed over the rows, is `kl=1e-3` with `alpha_decay=0`.
"""

from typing import final

import torch
from torch import Tensor
from torch.distributions import Dirichlet
from torch.nn import functional as F

from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam


@final
class Drnas(SoftmaxAdam):
    paper = "Chen et al., DrNAS: Dirichlet Neural Architecture Search, ICLR 2021"
    family = "stochastic"

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        kl: float = 0.0,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        self.kl = kl

    def concentration(self) -> Tensor:
        """(R, K) greater than 0; of entries that are no options, too."""
        return F.elu(self.alpha) + 1

    def forward(self) -> Tensor:
        theta = Dirichlet(self.concentration(), validate_args=False).rsample()  # checks would wait for the GPU
        if self.mask is None:
            return theta
        options = theta * self.mask  # divided by their sum, they have the Dirichlet distribution of the options alone
        return options / options.sum(dim=-1, keepdim=True)

    def evaluation_weights(self) -> Tensor:
        return self.weights_for_training()

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        return loss + self.kl * self.divergence_from_flat() if self.kl else loss

    def divergence_from_flat(self) -> Tensor:
        """Sum over the rows of KL(Dirichlet(c) || Dirichlet(1)), nats."""
        options = torch.ones_like(self.alpha, dtype=torch.bool) if self.mask is None else self.mask
        c, n = self.concentration().masked_fill(~options, 1.0), options.sum(dim=-1, keepdim=True).to(self.alpha)
        total = (c * options).sum(dim=-1, keepdim=True)
        expected = ((c - 1) * (c.digamma() - total.digamma())).sum()
        return total.lgamma().sum() - c.lgamma().sum() - n.lgamma().sum() + expected
