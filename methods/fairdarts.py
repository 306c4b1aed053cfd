"""FairDARTS: the weight of an operation is the logistic function of its own logit, so that operations do not compete.

Chu, Zhou, Zhang, Li, "Fair DARTS: Eliminating Unfair Advantages in Differentiable Architecture Search" (ECCV 2020),
Equations 3 to 7, as in the authors' code (xiaomi-automl/FairDARTS). With s = sigma(alpha), w descends the training loss
at s, and alpha descends

    L_v(w, s) + weight * L_01,    L_01 = -mean over all options of (s - 1/2)^2, or of |s - 1/2| (loss "l1")

which pushes s towards zero or one. A cell has the options with the largest s that reach `threshold`, so a node of the
DARTS space may keep fewer than two inputs (`SearchSpace.discretize_sparsely`); a cell of which nothing would remain, as
after a short search, is derived without the threshold, which is our own choice. Where every edge has an operation
(NAS-Bench-201 without the zero operation, NAS-Bench-1Shot1) the threshold has no effect. Logged is s divided by its
row's sum.

Defaults: weight 10, threshold 0.85, Adam with lr 3e-3, betas (0.9, 0.999) and weight decay 1e-3, logits that start at
0: the values of that code.
Tuned ranges, ours: two decades around the defaults.
"""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from harness.api import LogUniform, OneShot, Problem
from harness.benchmarks import Arch, SearchSpace


@final
class FairDarts(OneShot):
    paper = "Chu et al., Fair DARTS, ECCV 2020"
    family = "fairdarts"
    tunable: ClassVar = {"lr": LogUniform(3e-4, 3e-2), "weight": LogUniform(1.0, 100.0)}

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        weight: float = 10.0,
        loss: str = "l2",
        threshold: float = 0.85,
    ) -> None:
        super().__init__(space)
        if loss not in ("l1", "l2"):
            raise ValueError(f"loss must be l1 or l2, got {loss!r}")
        self.weight, self.loss, self.threshold = weight, loss, threshold
        self.alpha = nn.Parameter(torch.zeros(space.shape))  # (R, K)
        self.adam = torch.optim.Adam([self.alpha], lr=lr, betas=(beta1, beta2), weight_decay=alpha_decay)

    def forward(self) -> Tensor:
        s = self.alpha.sigmoid()
        return s if self.mask is None else s * self.mask

    def distribution(self) -> Tensor:
        s: Tensor = self()
        return s / s.sum(dim=-1, keepdim=True)

    def evaluation_weights(self) -> Tensor:
        s: Tensor = self()
        return s

    def zero_one(self) -> Tensor:
        """() L_01."""
        s = self.alpha.sigmoid() if self.mask is None else self.alpha[self.mask].sigmoid()
        return -((s - 0.5).square() if self.loss == "l2" else (s - 0.5).abs()).mean()

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        return loss + self.weight * self.zero_one()

    def step(self) -> None:
        self.adam.step()

    def derive(self, problem: Problem) -> Arch:
        return self.space.discretize_sparsely(self(), self.threshold)
