"""Lambda-DARTS: the weights are trained such that the cells agree on the gradients of their operation weights.

Movahedi, Adabinejad, Imani, Keshavarz, Dehghani, Shakery, Araabi, "Lambda-DARTS: Mitigating Performance Collapse by
Harmonizing Operation Selection among Cells" (ICLR 2023). With g_l the gradient of the training loss in cell l's own
copy of theta, the weight step descends L - lambda Lambda, where Lambda is the mean over pairs of cells of a similarity
of g_i and g_j. Its gradient in w is a central difference, by two further passes on the same batch:

    v = dLambda/dg,   eps = epsilon / ||v||
    -dLambda/dw = (dL/dw at theta_l - eps v_l  -  dL/dw at theta_l + eps v_l) / (2 eps)

lambda grows linearly from 0 to `strength` over the epochs. The architecture step is that of `darts`. As in the authors'
code (dr-faustus/Lambda-DARTS), the normal cells of the DARTS space are aligned and the reduction cells are not; more
generally, all cells that read the same rows as the first one. With fewer than two such cells, as in quick searches
on the DARTS space, nothing is aligned: what is left is DARTS with another learning rate.

Defaults: strength 0.25, epsilon 1e-4, Adam with lr 1e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from
N(0, 1e-3²), the values of that code's script for NAS-Bench-201; its script for the DARTS space has epsilon 1e-3 and lr
3e-4. similarity "cosine" is Lambda, "sign" the paper's second regulariser, Lambda_+-: g_i . g_j / (|g_i| . |g_j|).
Tuned ranges, ours: two decades around the defaults.
"""

from typing import ClassVar, final

import torch
from torch import Tensor

from harness.api import LogUniform, Outcome, Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam

SIMILARITIES = ("cosine", "sign")
TINY = 1e-12
"""Least denominator, for gradients that are zero or the same in all cells."""


@final
class LambdaDarts(SoftmaxAdam):
    paper = "Movahedi et al., Lambda-DARTS, ICLR 2023"
    family = "robust"
    tunable: ClassVar = {"lr": LogUniform(1e-5, 1e-3), "strength": LogUniform(0.025, 2.5)}

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 1e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        strength: float = 0.25,
        epsilon: float = 1e-4,
        similarity: str = "cosine",
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if similarity not in SIMILARITIES:
            raise ValueError(f"similarity must be one of {', '.join(SIMILARITIES)}, got {similarity!r}")
        self.strength, self.epsilon, self.similarity = strength, epsilon, similarity

    def weight_step(self, problem: Problem) -> Outcome:
        cells = problem.cells
        aligned = [number for number, rows in enumerate(cells) if rows == cells[0]]
        if len(aligned) < 2:
            return super().weight_step(problem)
        theta = self.distribution().detach().repeat(len(cells), 1, 1).requires_grad_()  # (L, R, K)
        outcome = problem.loss(theta, problem.train_batch)
        g, *gradients = problem.gradients(outcome.loss, [theta, *problem.w])
        v = torch.zeros_like(g)
        v[aligned, cells[0]] = gradient_of_alignment(g[aligned, cells[0]], self.similarity)
        eps = self.epsilon / v.norm().clamp(min=TINY)

        def at(mixtures: Tensor) -> list[Tensor]:
            return problem.gradients(problem.loss(mixtures, problem.train_batch, fp32=True).loss, problem.w)

        below, above = at(theta.detach() - eps * v), at(theta.detach() + eps * v)
        factor = self.strength * problem.epoch / max(1, problem.epochs - 1) / (2 * eps)
        problem.update([g + factor * (b - a) for g, b, a in zip(gradients, below, above, strict=True)])
        return outcome


def alignment(g: Tensor, similarity: str) -> Tensor:
    """Lambda, the mean similarity of two cells' gradients. g: (L, rows, K); returns ()."""
    flat, cells = g.flatten(1), len(g)
    if similarity == "cosine":
        flat = flat / flat.norm(dim=1, keepdim=True).clamp(min=TINY)
    similarities = flat @ flat.T
    if similarity == "sign":
        similarities = similarities / (flat.abs() @ flat.abs().T).clamp(min=TINY)
    return (similarities.sum() - similarities.trace()) / (cells * (cells - 1))


@torch.enable_grad()
def gradient_of_alignment(g: Tensor, similarity: str) -> Tensor:
    """v = dLambda/dg, (L, rows, K)."""
    g = g.detach().requires_grad_()
    (v,) = torch.autograd.grad(alignment(g, similarity), g)
    return v
