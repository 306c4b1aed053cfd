"""Shapley-NAS: operation weights follow the operations' contributions to the supernet's validation accuracy.

Xiao, Wang, Zhu, Zhou, Lu, "Shapley-NAS: Discovering Operation Contribution for Neural Architecture Search" (CVPR 2022),
on the supernet of PC-DARTS without its edge weights. w is trained with softmax(alpha). After the warm-up, before every
epoch, the options are removed one after another in a random order, each by setting its entry of softmax(alpha) to zero;
an option's value is what the accuracy on one batch loses. An order ends when less than `threshold` of the accuracy is
left. With phi the estimate from several orders, normalised within every cell type,

    accumulated = momentum * accumulated + (1 - momentum) * (phi - mean) / std
    alpha = alpha + step_size * accumulated

As in the authors' code (Euphoria16/Shapley-NAS), phi is the mean of the values minus their standard deviation over the
orders; the paper has the mean. Accuracies are of evaluation mode; that code's mode depends on the parity of the epoch.
It also clips the gradient of w together with that of alpha, which it never clears, and moves its schedule before the
first epoch. In our supernet of the DARTS space an edge of which all operations are removed loses the channels that
bypass them, too; in those of the other spaces it keeps them.

Defaults: 10 orders with a batch of 1024 augmented held-out images each, threshold 0.5, momentum 0.8, step size 0.1,
warm-up of 25 of 50 epochs; alpha and the accumulated values start at N(0, 1e-3²); partial channels 1/4: that code's.
The tuned range of the step size, ours: two decades around the default.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, final

import torch

from harness.api import LogUniform, OneShot, Problem
from harness.benchmarks import SearchSpace
from harness.search.simplex import masked, uniform


@final
class ShapleyNas(OneShot):
    paper = "Xiao et al., Shapley-NAS: Discovering Operation Contribution for NAS, CVPR 2022"
    family = "shapley-nas"
    supernet: ClassVar = {"partial_channels": 4}
    tunable: ClassVar = {"step_size": LogUniform(0.01, 1.0)}
    alpha: torch.Tensor
    accumulated: torch.Tensor

    def __init__(
        self,
        space: SearchSpace,
        samples: int = 10,
        images: int = 1024,
        threshold: float = 0.5,
        momentum: float = 0.8,
        step_size: float = 0.1,
        warmup: float = 0.5,
        init_std: float = 1e-3,
    ) -> None:
        super().__init__(space)
        if samples < 1 or images < 1:
            raise ValueError("at least one sample of one image is needed")
        self.samples, self.images, self.threshold = samples, images, threshold
        self.momentum, self.step_size, self.warmup = momentum, step_size, warmup
        self.register_buffer("alpha", init_std * torch.randn(space.shape))  # (R, K)
        self.register_buffer("accumulated", init_std * torch.randn(space.shape))  # (R, K)

    def distribution(self) -> torch.Tensor:
        return masked(self.alpha, self.mask).softmax(dim=-1)

    def architecture_step(self, problem: Problem) -> None:
        """Does nothing: alpha moves between epochs, without gradients."""

    def before_epoch(self, problem: Problem) -> None:
        if problem.epoch >= self.warmup * problem.epochs:
            batches = (problem.batch("validation", self.images, augmented=True) for _ in range(self.samples))
            self.move([self.values(partial(problem.accuracy, batch=batch), self.order()) for batch in batches])

    def order(self) -> torch.Tensor:
        """All options, as indices into the flattened (R, K), in a random order."""
        options = uniform(self.space).flatten().nonzero().flatten()
        return options[torch.randperm(len(options))]

    def values(self, accuracy: Callable[[torch.Tensor], float], order: torch.Tensor) -> torch.Tensor:
        """What the accuracy (%) of the mixture loses with each option, in one order, (R, K)."""
        weights, values = self.distribution(), torch.zeros_like(self.alpha)
        before = first = accuracy(weights)
        for option in order.tolist():
            weights.view(-1)[option] = 0
            after = accuracy(weights)
            values.view(-1)[option], before = before - after, after
            if after < self.threshold * first:
                break
        return values

    def move(self, values: list[torch.Tensor]) -> None:
        """One step of alpha, from the values in several orders."""
        phi = torch.stack(values).mean(dim=0) - torch.stack(values).std(dim=0, correction=0)
        for rows in self.space.groups.values():
            of_type = phi[rows] if self.mask is None else phi[rows][self.mask[rows]]
            phi[rows] = (phi[rows] - of_type.mean()) / of_type.std().clamp(min=torch.finfo(phi.dtype).tiny)
        self.accumulated.lerp_(phi, 1 - self.momentum)
        self.alpha += self.step_size * self.accumulated
