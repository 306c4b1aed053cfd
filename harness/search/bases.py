"""What several methods share: the softmax parametrisation with Adam, its second-order step, and the training of one
sampled cell at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from harness.api import Batch, LogUniform, OneShot, Outcome, Problem, Uniform
from harness.benchmarks import Arch, SearchSpace
from harness.search.simplex import masked


class SoftmaxAdam(OneShot):
    """theta = softmax(alpha) in every row, and Adam moves alpha.

    Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equation 2. Defaults: those of the
    authors' code (quark0/darts), which the NAS-Bench-201 baselines share. The tuned range, ours: two decades around
    the default.
    """

    tunable: ClassVar[Mapping[str, Uniform]] = {"lr": LogUniform(3e-5, 3e-3)}

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
    ) -> None:
        super().__init__(space)
        self.alpha = nn.Parameter(init_std * torch.randn(space.shape))  # (R, K)
        self.adam = torch.optim.Adam([self.alpha], lr=lr, betas=(beta1, beta2), weight_decay=alpha_decay)

    def logits(self) -> Tensor:
        """(R, K) alpha, minus infinity where there is no option."""
        return masked(self.alpha, self.mask)

    def distribution(self) -> Tensor:
        return self.logits().softmax(dim=-1)

    def step(self) -> None:
        self.adam.step()


class SecondOrder(SoftmaxAdam):
    """The architecture gradient is taken after one virtual weight step.

    Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equations 6 to 8, with momentum and
    weight decay in the virtual step as in the authors' code (quark0/darts). The two gradients whose difference is
    taken are computed in single precision, whatever the precision of the search.
    """

    version = 2  # the difference was taken in the precision of the search

    def architecture_step(self, problem: Problem) -> None:
        def gradients(batch: Batch, inputs: list[Tensor], difference: bool = False) -> list[Tensor]:
            return problem.gradients(problem.loss(self(), batch, fp32=difference, fixed_w=difference).loss, inputs)

        xi = problem.weight_optimizer.param_groups[0]["lr"]
        with problem.shifted(weight_step(problem, gradients(problem.train_batch, problem.w)), -xi):
            direct, *v = gradients(problem.held_out_batch, [self.alpha, *problem.w])
        radius = 0.01 / torch.cat([part.flatten() for part in v]).norm()
        with problem.shifted(v, radius):
            (above,) = gradients(problem.train_batch, [self.alpha], difference=True)
        with problem.shifted(v, -radius):
            (below,) = gradients(problem.train_batch, [self.alpha], difference=True)
        problem.set_gradient([direct - xi * (above - below) / (2 * radius)])
        self.step()


def weight_step(problem: Problem, gradients: list[Tensor]) -> list[Tensor]:
    """The update that one SGD step subtracts from w, divided by the learning rate."""
    (group,) = problem.weight_optimizer.param_groups
    steps = []
    for gradient, w in zip(gradients, problem.w, strict=True):
        buffer = problem.weight_optimizer.state[w].get("momentum_buffer")
        momentum = 0 if buffer is None else group["momentum"] * buffer
        steps.append(momentum + gradient + group["weight_decay"] * w.detach())
    return steps


class WeighsEdges(OneShot):
    """Learns a weight for every edge, relative to the other edges into the same node: beside theta, or as rows of it
    where the space has such rows (`SearchSpace.weighs_inputs`)."""

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        if space.edge_target is not None or space.weighs_inputs:
            return None
        return "it weighs the edges into a node against one another, but the choices here are not edges"

    @property
    def edge_target(self) -> tuple[int, ...]:
        """(R,) the node that each edge enters; empty where rows of theta are the weights of edges."""
        return self.space.edge_target or ()


class SampledWeights(OneShot):
    """Every weight step trains one sampled cell: rows of `weights_for_training()` are one-hot, or have as many ones as
    their choice keeps options."""

    def weight_step(self, problem: Problem) -> Outcome:
        with torch.no_grad():
            weights, edge_weights = self.weights_for_training(), self.edge_weights()
        outcome = problem.loss(weights, problem.train_batch, edge_weights=edge_weights, sampled=True)
        problem.update(problem.gradients(outcome.loss, problem.w))
        return outcome

    def evaluation_weights(self) -> Tensor | None:
        """None: only single cells were trained, so the derived one is validated."""
        return None

    def best(self, candidates: Iterable[Arch], problem: Problem) -> Arch:
        """The candidate of the highest accuracy with the shared weights, each on the next validation batch."""
        return max(candidates, key=lambda arch: problem.accuracy(arch, problem.batch("validation")))
