"""Selection by perturbation: an option or an input is chosen by how much accuracy the supernet loses without it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.bases import SoftmaxAdam
from harness.search.simplex import uniform

Accuracy = Callable[[Tensor], float]
"""Of the supernet with a mixture (R, K), %."""


class PerturbationSelection(SoftmaxAdam):
    """The second phase of a search: the supernet is tuned while one choice after another is decided.

    Wang, Cheng, Chen, Tang, Hsieh, "Rethinking Architecture Selection in Differentiable NAS" (ICLR 2021), Algorithm 1,
    as in the authors' code (ruocwang/darts-pt). Options that a choice keeps several of share its row equally.
    """

    decided: Tensor
    """(R,) whether a choice is decided."""
    chosen: Tensor
    """(R, K) rows of the decided choices."""
    kept: Tensor
    """(R,) 1, or 0 for an edge that its node does not keep."""
    open_nodes: Tensor
    """(nodes,) whether the inputs of a node are still to be chosen."""

    def __init__(
        self,
        space: SearchSpace,
        tuning_epochs: int,
        tuning_lr: float,
        tuning_lr_min: float,
        **softmax_adam: float,
    ) -> None:
        super().__init__(space, **softmax_adam)
        if tuning_epochs < 1 or not 0 < tuning_lr_min <= tuning_lr:
            raise ValueError("tuning needs an epoch or more, and 0 < tuning_lr_min <= tuning_lr")
        self.tuning_epochs, self.tuning_lr, self.tuning_lr_min = tuning_epochs, tuning_lr, tuning_lr_min
        self.nodes, self.options = competing_inputs(space), possible_options(space)
        choices = space.shape[0]
        self.register_buffer("decided", torch.zeros(choices, dtype=torch.bool))
        self.register_buffer("chosen", torch.zeros(space.shape))
        self.register_buffer("kept", torch.ones(choices))
        self.register_buffer("open_nodes", torch.ones(len(self.nodes), dtype=torch.bool))

    def distribution(self) -> Tensor:
        return torch.where(self.decided[:, None], self.chosen, super().distribution())

    def edge_weights(self) -> Tensor | None:
        return self.kept if self.nodes else None

    def before_epoch(self, problem: Problem) -> None:
        """In the second phase, set the learning rate and take the decisions that are due: the first one before the
        first epoch, the last one before the last epoch, the others evenly in between."""
        epochs = self.tuning_epochs if self.tuning_epochs < problem.epochs else problem.epochs // 2
        epoch = problem.epoch - (problem.epochs - epochs)
        if epoch < 0:
            return
        if epoch == 0:
            problem.weight_optimizer.state.clear()
        cosine = (1 + math.cos(math.pi * epoch / epochs)) / 2
        for group in problem.weight_optimizer.param_groups:
            group["lr"] = self.tuning_lr_min + (self.tuning_lr - self.tuning_lr_min) * cosine
        total = max(len(choices) + len(nodes) for choices, nodes in self.groups())
        due = total if epoch == epochs - 1 else 1 + epoch * (total - 1) // (epochs - 1)
        while self.rounds() < due:
            self.decide(lambda weights: problem.accuracy(weights, training=True))

    def mixture(self) -> Tensor:
        """(R, K), with the rows of edges that are not kept at zero."""
        return self.distribution() * self.kept[:, None]

    # Decisions -----------------------------------------------------------------------------------------------------

    def groups(self) -> list[tuple[list[int], list[int]]]:
        """Choices and nodes of every group."""
        rows = [range(group.start, group.stop) for group in self.space.groups.values()]
        return [(list(group), [n for n, (edges, _) in enumerate(self.nodes) if edges[0] in group]) for group in rows]

    def rounds(self) -> int:
        """So many rounds of decisions were taken."""
        taken = [self.decided[choices].sum() + (~self.open_nodes[nodes]).sum() for choices, nodes in self.groups()]
        return int(max(taken))

    @torch.no_grad()
    def decide(self, accuracy: Accuracy) -> None:
        """One round: in every group, an undecided choice; where all are decided, a node. Drawn uniformly."""
        for choices, nodes in self.groups():
            undecided = [choice for choice in choices if not self.decided[choice]]
            still_open = [node for node in nodes if self.open_nodes[node]]
            if undecided:
                self.decide_choice(_any_of(undecided), accuracy)
            elif still_open:
                self.decide_inputs(_any_of(still_open), accuracy)

    @torch.no_grad()
    def decide_choice(self, choice: int, accuracy: Accuracy) -> None:
        """The option without which the accuracy is lowest; the rows are not normalised without it."""
        weights, keep, options = self.mixture(), self.space.keep[choice], self.options[choice]
        missed = most_missed([accuracy(_without(weights, (choice, option))) for option in options], keep)
        self.chosen[choice, [options[place] for place in missed]] = 1 / keep
        self.decided[choice] = True

    @torch.no_grad()
    def decide_inputs(self, node: int, accuracy: Accuracy) -> None:
        """The inputs without which the accuracy is lowest, each left out alone."""
        weights, (edges, keep) = self.mixture(), self.nodes[node]
        missed = most_missed([accuracy(_without(weights, edge)) for edge in edges], keep)
        for place, edge in enumerate(edges):
            self.kept[edge] = float(place in missed)
        self.open_nodes[node] = False


def competing_inputs(space: SearchSpace) -> list[tuple[list[int], int]]:
    """The edges into each node that keeps only some of them, and how many it keeps."""
    if not space.competing or space.edge_target is None:
        return []
    present = np.count_nonzero(space.one_hot(space.discretize(uniform(space))), axis=1)  # as in every architecture
    into = {node: [e for e, target in enumerate(space.edge_target) if target == node] for node in space.edge_target}
    counted = [(edges, int(present[edges].sum())) for edges in into.values()]
    return [(edges, keep) for edges, keep in counted if keep < len(edges)]


def possible_options(space: SearchSpace) -> list[list[int]]:
    """The options of each choice that an architecture can have: on the DARTS space not the zero operation, without
    which no accuracy is lost."""
    (choices, _), start = space.shape, uniform(space)

    def can_be(choice: int, option: int) -> bool:
        strength = start.clone()
        strength[choice, option] = choices  # stronger than all others
        return bool(space.one_hot(space.discretize(strength))[choice, option])

    return [[option for option in range(space.lengths[row]) if can_be(row, option)] for row in range(choices)]


def most_missed(accuracies: Sequence[float], keep: int) -> list[int]:
    """Positions of the `keep` lowest accuracies, of equals the first."""
    return sorted(range(len(accuracies)), key=accuracies.__getitem__)[:keep]


def _without(weights: Tensor, entry: int | tuple[int, int]) -> Tensor:
    """A copy with a row or an entry set to zero."""
    changed = weights.clone()
    changed[entry] = 0
    return changed


def _any_of(numbers: Sequence[int]) -> int:
    return numbers[int(torch.randint(len(numbers), ()))]
