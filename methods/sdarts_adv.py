"""SDARTS-ADV: DARTS whose weight step sees the operation weights that raise the training loss most.

Chen, Hsieh, "Stabilizing Differentiable Architecture Search via Perturbation-based Regularization" (ICML 2020),
Equation 7 and Algorithm 1, as in the authors' code (xiangning-chen/SmoothDARTS). alpha takes the first-order steps of
DARTS. With theta = softmax(alpha) and the weight step's batch, n steps of projected gradient ascent find where w
descends the training loss L:

    theta_0 = P(theta + delta),    delta uniform on [-radius, radius]^(R x K)
    theta_i = P(theta + clip(theta_{i-1} + (2 radius / n) sign(dL/dtheta at theta_{i-1}) - theta, -radius, radius))

P puts the rows back on the simplex (`harness.search.simplex.clipped`). As in the code, the attack runs in evaluation
mode, and w descends at theta itself if L(theta_n) < L(theta).

Defaults: 7 steps; the radius rises linearly with the epoch from 0.03 towards 0.3; Adam with lr 3e-4, betas (0.5,
0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3²): the values of that code.
"""

from typing import final

import torch
from torch import Tensor

from harness.api import Outcome, Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam
from harness.search.simplex import clipped


@final
class SdartsAdv(SoftmaxAdam):
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
        steps: int = 7,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if steps < 1:
            raise ValueError("at least one step is needed")
        self.radius_first = self.radius = radius_first
        self.radius_last, self.steps = radius_last, steps

    def before_epoch(self, problem: Problem) -> None:
        self.radius = self.radius_first + (self.radius_last - self.radius_first) * problem.epoch / problem.epochs

    def weight_step(self, problem: Problem) -> Outcome:
        theta = self.distribution().detach()
        delta = torch.empty_like(theta).uniform_(-self.radius, self.radius)
        outcome = problem.loss(self.worst(problem, theta, delta), problem.train_batch)
        problem.update(problem.gradients(outcome.loss, problem.w))
        return outcome

    def worst(self, problem: Problem, theta: Tensor, delta: Tensor) -> Tensor:
        """(R, K) theta_n, or theta if the loss is larger there."""

        def loss(weights: Tensor, fp32: bool = False) -> Tensor:
            return problem.loss(weights, problem.train_batch, training=False, fp32=fp32, fixed_w=True).loss

        attacked = clipped(theta + delta, self.mask)
        for _ in range(self.steps):
            (gradient,) = problem.gradients(loss(attacked.requires_grad_()), [attacked])
            moved = attacked.detach() + 2 * self.radius / self.steps * gradient.sign()
            attacked = clipped(theta + (moved - theta).clamp(-self.radius, self.radius), self.mask)
        with torch.no_grad():
            return torch.where(loss(attacked, fp32=True) < loss(theta, fp32=True), theta, attacked)
