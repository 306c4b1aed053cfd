"""The contract: everything that the author of a method reads.

Shapes: E edges of the cell (both cell types together), K candidate operations; `space.shape == (E, K)`,
`space.operations` names the K columns, `space.target` (E,) says which node each edge enters.
Names: `theta` on the simplex, `alpha` logits, `w` the weights of the supernet. Accuracies are in percent.

The harness owns loops, budgets, clocks, devices and files. A method owns the mathematics: it never sees a test
accuracy, never counts its budget, never logs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.benchmarks import Arch, SearchSpace


class BlackBox(ABC):
    """A method that asks for the validation accuracy of one cell after another.

    Subclasses take `(space, **settings)`; every setting has a default, the published value.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    @abstractmethod
    def search(self, rng: np.random.Generator) -> Generator[Arch, float, Arch | None]:
        """Yield a cell, receive its validation accuracy (%), repeat; all randomness comes from `rng`.

        May return its choice. The harness stops asking when the budget is spent; without a choice, the cell of the
        highest accuracy is taken, of several the first.
        """


class OneShot(nn.Module, ABC):
    """A method that learns a distribution over operations together with the shared weights of a supernet.

    Subclasses take `(space, **settings)`; every setting has a default, the published value. Randomness comes
    from torch's global generator, which the harness seeds. Numbers that change are parameters, buffers or the state of
    a `torch.optim` optimizer held as an attribute: so `state_dict()` is a checkpoint.
    """

    bilevel: bool = True
    """Architecture steps use held-out data; False: single level (ERM), both steps use all training data."""
    unrolled: bool = False
    """Architecture gradients look one weight step ahead (second order)."""
    partial_channels: int = 1
    """Mix operations on 1/n of the channels; the others pass by."""
    sampled: bool = False
    """Rows of `weights_for_training()` are one-hot (or zero, which leaves the edge out): only the chosen operations
    run."""
    straight_through: bool = False
    """Rows of `forward()` are one-hot, with gradients for all their entries: only the chosen operations run, every
    other weight is added to its edge as a number, which has the value zero but a gradient."""
    warmup: float = 0.0
    """Share of the epochs, from the first on, without architecture steps."""
    architecture_steps: int | None = None
    """None: one per weight step; n: n after each epoch; 0: none."""
    architecture_mode: str = "train"
    """"eval": architecture steps see the supernet in evaluation mode, and no gradient comes through it."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space

    @abstractmethod
    def distribution(self) -> Tensor:
        """(E, K), rows on the simplex: what is logged and derived from."""

    def forward(self) -> Tensor:
        """(E, K) weights that the supernet mixes operations with in the architecture step."""
        return self.distribution()

    def weights_for_training(self) -> Tensor:
        """(E, K) weights for the weight step; no gradient flows into them."""
        weights: Tensor = self.forward()
        return weights.detach()

    def edge_weights(self) -> Tensor:
        """(E,) factor of every edge."""
        theta = self.distribution()
        return torch.ones(theta.shape[0], device=theta.device, dtype=theta.dtype)

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        """The scalar that the architecture step minimises. loss: mean cross-entropy in nats; accuracy in %."""
        return loss

    def step(self) -> None:
        """Use the parameters' gradients of the architecture step, which were cleared before its backward pass."""

    def anneal(self, epoch: int, epochs: int) -> None:
        """Called before every epoch, which counts from 0; `epochs` is how many there are."""

    def derive(self, evaluate: Callable[[Arch], float]) -> Arch:
        """The cell found so far.

        evaluate(arch): accuracy (%) of a cell with the shared weights on the next validation batches.
        """
        return self.space.discretize(self.distribution() * self.edge_weights()[:, None])

    def get_extra_state(self) -> dict[str, Any]:
        """The optimizers' states: torch calls this from `state_dict()`."""
        return {name: optimizer.state_dict() for name, optimizer in self._optimizers()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        for name, optimizer in self._optimizers():
            optimizer.load_state_dict(state[name])

    def exchange_optimizers(self, optimizer: Callable[[list[Tensor]], torch.optim.Optimizer]) -> None:
        """Give every parameter that an optimizer held as an attribute moves to one of this class, with its defaults.

        ValueError if there is none to exchange.
        """
        held = self._optimizers()
        if not held:
            raise ValueError(f"{type(self).__name__} holds no torch.optim optimizer that could be exchanged")
        for name, before in held:
            setattr(self, name, optimizer([p for group in before.param_groups for p in group["params"]]))

    def _optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        return [(name, value) for name, value in vars(self).items() if isinstance(value, torch.optim.Optimizer)]
