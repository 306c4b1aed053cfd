"""SDARTS-RS: DARTS whose weight step sees randomly perturbed operation weights.

Chen, Hsieh, "Stabilizing Differentiable Architecture Search via Perturbation-based Regularization" (ICML 2020),
Equation 6 and Algorithm 1, as in the authors' code (xiangning-chen/SmoothDARTS). alpha takes the first-order steps of
DARTS; w descends the training loss at

    P(softmax(alpha) + delta),    delta uniform on [-radius, radius]^(R x K),

where P puts the rows back on the simplex (`harness.search.simplex.clipped`), as the code does and the paper does not
say. So a result can lie a little outside of the box.

Defaults: the radius rises linearly with the epoch from 0.03 towards 0.3, Adam with lr 3e-4, betas (0.5, 0.999), weight
decay 1e-3 and logits drawn from N(0, 1e-3²): the values of that code.
"""

from typing import final

import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam
from harness.search.simplex import clipped


@final
class SdartsRs(SoftmaxAdam):
    paper = "Chen, Hsieh, Stabilizing DARTS via Perturbation-based Regularization, ICML 2020"
    family = "robust"

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        radius_first: float = 0.03,
        radius_last: float = 0.3,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        self.radius_first = self.radius = radius_first
        self.radius_last = radius_last

    def before_epoch(self, problem: Problem) -> None:
        self.radius = self.radius_first + (self.radius_last - self.radius_first) * problem.epoch / problem.epochs

    @torch.no_grad()
    def weights_for_training(self) -> Tensor:
        theta = self.distribution()
        delta = torch.empty_like(theta).uniform_(-self.radius, self.radius)
        return clipped(theta + delta, self.mask)
