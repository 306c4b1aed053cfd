"""OLES: DARTS in which the weights of an operation stop learning once their gradients on the two batches disagree.

Jiang, Ji, Zhu, Yuan, Huang, "Operation-Level Early Stopping for Robustifying Differentiable NAS" (NeurIPS 2023).
First-order DARTS; for every convolutional operation (of each cell and edge), with g_t the gradient of its weights in
the last weight step, after clipping, and g_v that in the architecture step,

    similarity = mean over its tensors, and over all but the first dimension of each, of the cosine along the first one

Similarities are summed. Whenever `window` + 1 are in the sum, operations with sum / window below `threshold` are frozen
for good, and the sums start again.

**statistic "code" (default) compares g_t with g_t + g_v**, which is what the authors' code (PasaLab/oles) forms, as it
does not clear the gradients before the architecture step; "paper" compares g_t with g_v, as the paper defines it. With
the same threshold the two are very different: cosines of orthogonal gradients of equal length are 0.71 and 0. The
gradient of a weight step is not kept beyond its epoch, so where the architecture step comes first, nothing is compared
in the first iteration of an epoch. The code may derive the zero operation on the DARTS space, the harness never does
there.

Defaults: threshold 0.4 and window 20, written in that code, whose options for them are ignored; Adam with lr 3e-4,
betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3²), its values, which are those of `darts`.
"""

from typing import Any, final

import torch
from torch import Tensor

from harness.api import Outcome, Part, Problem
from harness.benchmarks import SearchSpace
from harness.search.agreement import similarities
from harness.search.bases import SoftmaxAdam


@final
class Oles(SoftmaxAdam):
    paper = "Jiang et al., Operation-Level Early Stopping for Robustifying Differentiable NAS, NeurIPS 2023"
    family = "robust"

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        threshold: float = 0.4,
        window: int = 20,
        statistic: str = "code",
    ) -> None:
        super().__init__(space, lr, beta1, beta2, alpha_decay, init_std)
        if statistic not in ("code", "paper"):
            raise ValueError(f"statistic must be code or paper, got {statistic!r}")
        self.threshold, self.window, self.statistic = threshold, window, statistic
        self.operations: list[list[Part]] = []
        self.last: list[Tensor] | None = None  # gradients of the last weight step of this epoch
        self.sums, self.count = torch.zeros(()), 0  # (operations,), from the first comparison on
        self.frozen: list[int] = []  # indices of operations

    def before_epoch(self, problem: Problem) -> None:
        self.last = None
        self.operations = [parts for (*_, name), parts in problem.operations().items() if name != "skip_connect"]

    def architecture_step(self, problem: Problem) -> None:
        loss = problem.loss(self(), problem.held_out_batch).loss
        gradient, *held_out = problem.gradients(loss, [self.alpha, *problem.w])
        problem.set_gradient([gradient])
        self.step()
        if self.last is not None and self.operations:
            self.compare(self.last, held_out)

    def weight_step(self, problem: Problem) -> Outcome:
        outcome = problem.loss(self.weights_for_training(), problem.train_batch)
        self.last = problem.gradients(outcome.loss, problem.w)
        problem.update(self.last, frozen=[part for index in self.frozen for part in self.operations[index]])
        return outcome  # `last` is clipped, which `update` does in place

    def compare(self, last: list[Tensor], held_out: list[Tensor]) -> None:
        other = [t + v for t, v in zip(last, held_out, strict=True)] if self.statistic == "code" else held_out
        found = similarities(last, other, self.operations)
        self.sums, self.count = self.sums.to(found) + found, self.count + 1
        if self.count > self.window:
            low = (self.sums / self.window < self.threshold).nonzero().flatten()
            self.frozen, self.sums, self.count = sorted({*self.frozen, *low.tolist()}), torch.zeros(()), 0

    def get_extra_state(self) -> dict[str, Any]:
        return {**super().get_extra_state(), "watched": (self.sums, self.count, self.frozen)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        super().set_extra_state(state)
        self.sums, self.count, self.frozen = state["watched"]
