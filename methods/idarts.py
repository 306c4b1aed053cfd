"""iDARTS: the architecture gradient of DARTS by the implicit function theorem and a truncated Neumann series.

Zhang, Su, Pan, Chang, Abbasnejad, Haffari, "iDARTS: Differentiable Architecture Search with Stochastic Implicit
Gradients" (ICML 2021), Algorithm 1: after every `weight_steps` (T) steps of w, with losses L_t and L_v on a training
and a held-out batch, H the Hessian of L_t in w and eta the learning rate of w,

    v = dL_v/dw,   s = sum_{k=0..K} (I - eta H)^k v,   gradient = dL_v/dalpha - eta * (d2L_t/dalpha dw) s

Products with second derivatives are central differences of gradients: of H with radius `hessian_radius` / ||term||
(ours; the authors' code differentiates twice), the last one with radius `radius` / ||v||, as in that code.

The released notebook for NAS-Bench-201 (miaozhang0525/iDARTS) does something else: its inner steps are those of a copy
of the optimizer and do not move w, and after the last difference w is not restored. **This is the paper's algorithm;
the notebook's published row need not reproduce with it.**

Defaults: T = 4, K (`terms`) = 2 and radius 0.01, the paper's and the notebook's (whose log is of a run called T1_K2);
Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3²), the notebook's, which are
those of `darts`.
"""

from typing import final

import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam


@final
class Idarts(SoftmaxAdam):
    paper = "Zhang et al., iDARTS: Differentiable Architecture Search with Stochastic Implicit Gradients, ICML 2021"
    family = "darts"

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        weight_steps: int = 4,
        terms: int = 2,
        radius: float = 0.01,
        hessian_radius: float = 0.01,
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if weight_steps < 1 or terms < 0:
            raise ValueError("at least one weight step and no negative number of terms are needed")
        self.weight_steps, self.terms, self.radius, self.hessian_radius = weight_steps, terms, radius, hessian_radius

    def architecture_step(self, problem: Problem) -> None:
        if (problem.epoch * problem.iterations + problem.iteration + 1) % self.weight_steps:
            return
        loss = problem.loss(self(), problem.held_out_batch).loss
        direct, *v = problem.gradients(loss, [self.alpha, *problem.w])
        eta = problem.weight_optimizer.param_groups[0]["lr"]
        term = total = v
        for _ in range(self.terms):
            product = self.derivative(problem, problem.w, term, self.hessian_radius / norm(term))
            term = [t - eta * p for t, p in zip(term, product, strict=True)]
            total = [s + t for s, t in zip(total, term, strict=True)]
        (implicit,) = self.derivative(problem, [self.alpha], total, self.radius / norm(v))
        problem.set_gradient([direct - eta * implicit])
        self.step()

    def derivative(
        self, problem: Problem, inputs: list[Tensor], direction: list[Tensor], radius: Tensor
    ) -> list[Tensor]:
        """The derivative along a direction in w of the training loss's gradient in the inputs."""

        def gradients() -> list[Tensor]:
            fixed_w = inputs is not problem.w
            loss = problem.loss(self(), problem.train_batch, fp32=True, fixed_w=fixed_w).loss
            return problem.gradients(loss, inputs)

        with problem.shifted(direction, radius):
            above = gradients()
        with problem.shifted(direction, -radius):
            below = gradients()
        return [(a - b) / (2 * radius) for a, b in zip(above, below, strict=True)]


def norm(direction: list[Tensor]) -> Tensor:
    return torch.stack([part.square().sum() for part in direction]).sum().sqrt()
