"""DARTS-ES: second-order DARTS that stops when the curvature of the validation loss rises, and goes back.

Zela, Elsken, Saikia, Marrakchi, Brox, Hutter, "Understanding and Robustifying Differentiable Architecture Search" (ICLR
2020), Section 4.3, as in the authors' code (automl/RobustDARTS). After every second epoch but the last, on one batch of
held-out images,

    lambda = largest eigenvalue of d2L_v/dalpha2 + alpha_decay * I, over all logits together
    m = mean of the last 5 values of lambda, of fewer at the start

and the search stops as soon as m is more than 1.3 times what it was 4 values of m before. As m belongs to the middle of
its 5 epochs, the result is the cell of 6 values of lambda before, which must not be of one of the first 10 epochs. (In
the paper, lambda is measured after every epoch, and the threshold is 0.75 for the inverse of the ratio.) The code forms
the whole matrix; here Lanczos's method needs some of its products only.

Defaults: those of the code and its scripts, as above, with 30 products, which is our own choice; Adam with lr 3e-4,
betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3²), as in `darts-2nd`.
"""

from typing import final

import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import Arch, SearchSpace
from harness.search.bases import SecondOrder
from harness.search.lanczos import largest_eigenvalue
from harness.search.simplex import masked

WINDOW, APART = 5, 4


@final
class DartsEs(SecondOrder):
    paper = "Zela et al., Understanding and Robustifying DARTS, ICLR 2020"
    family = "robust"
    largest: Tensor
    thetas: Tensor
    stopped: Tensor

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        every: int = 2,
        factor: float = 1.3,
        first_epoch: int = 10,
        products: int = 30,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if min(every, products) < 1:
            raise ValueError("every and products must be at least 1")
        self.alpha_decay, self.every, self.products = alpha_decay, every, products
        self.factor, self.first_epoch = factor, first_epoch
        self.register_buffer("largest", torch.full((WINDOW + APART,), torch.nan))  # lambda, the latest one last
        self.register_buffer("thetas", torch.zeros(WINDOW // 2 + APART + 1, *space.shape))  # of the latest lambdas
        self.register_buffer("stopped", torch.tensor(False))

    def after_epoch(self, problem: Problem) -> None:
        if problem.epoch % self.every == 0 and problem.epoch < problem.epochs - 1:
            self.measured(problem.epoch, self.curvature(problem))

    @torch.no_grad()
    def measured(self, epoch: int, largest: Tensor) -> None:
        self.largest.copy_(torch.cat([self.largest[1:], largest.to(self.largest).reshape(1)]))
        self.thetas.copy_(torch.cat([self.thetas[1:], self.distribution()[None]]))
        if epoch - (len(self.thetas) - 1) * self.every >= self.first_epoch:
            now, before = self.largest[-WINDOW:].nanmean(), self.largest[:WINDOW].nanmean()
            self.stopped.copy_(now / before > self.factor)

    def finished(self) -> bool:
        return bool(self.stopped)

    def derive(self, problem: Problem) -> Arch:
        return self.space.discretize(self.thetas[0] if self.stopped else self.distribution())

    def curvature(self, problem: Problem) -> Tensor:
        """() lambda, on the next batch of held-out images."""
        product = problem.curvature(
            lambda alpha: masked(alpha, self.mask).softmax(dim=-1), self.alpha, problem.batch("held_out")
        )
        start = torch.randn_like(self.alpha).flatten()
        largest = largest_eigenvalue(lambda v: product(v.view_as(self.alpha)).flatten(), start, self.products)
        return largest + self.alpha_decay
