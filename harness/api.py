"""The contract of methods: what their authors need to read.

Shapes: R rows, one per choice of the space (in a cell space one per edge, both cell types together), and K options, the
candidate operations; `space.shape` is (R, K), `space.options` names the columns of each row, `space.edge_target` (R,)
says which node each edge enters. Where choices have fewer than K options, `space.mask` (R, K) says which entries are
options; what a method gives the other entries must be zero.
Names: `theta` on the simplex, `alpha` logits, `w` the network's weights. Accuracies are in %, losses in nats.

The harness owns loops, budgets, clocks, devices and files. A method owns the mathematics: it never sees a test
accuracy, never counts its budget, never logs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from harness.benchmarks import Arch, SearchSpace

Batch = tuple[Tensor, Tensor]
"""Images (B, 3, H, W) float32, labels (B,)."""

Part = tuple[int, slice]
"""Some of the network's weights: the index of a tensor in `w`, and rows of it."""


class Outcome(NamedTuple):
    """Loss and accuracy of the supernet on a batch."""

    loss: Tensor
    """Mean cross-entropy, nats; ()."""
    accuracy: Tensor
    """In %, without gradient; ()."""


class Problem(Protocol):
    """What a method may use in a step: its only access to supernet, data and budget. It exists for one epoch and holds
    no state that belongs in a checkpoint."""

    space: SearchSpace
    epoch: int
    """Counts from 0."""
    epochs: int
    iteration: int
    """Of this epoch, counts from 0."""
    iterations: int
    """In an epoch: batches in one pass over the training images."""
    w: list[Tensor]
    """The network's weights, leaf tensors of every loss."""
    weight_optimizer: torch.optim.SGD
    """Of `w`, in one group: its learning rate, momentum, decay and momentum buffers. The learning rate is set before
    every epoch."""

    @property
    def cells(self) -> list[slice]:
        """The rows of theta that each cell of the supernet reads, from the first cell to the last. A supernet without
        `cell_rows()` is one cell, which reads all."""

    @property
    def train_batch(self) -> Batch:
        """This iteration's batch for `w`. RuntimeError outside of an iteration."""

    @property
    def held_out_batch(self) -> Batch:
        """This iteration's batch for the architecture: held-out images, or in single-level search training images.
        RuntimeError outside of an iteration."""

    def batch(
        self, source: Literal["train", "held_out", "validation"], size: int | None = None, augmented: bool | None = None
    ) -> Batch:
        """A further batch: the next one of the epoch's stream with this source, size and augmentation.

        Args:
            source: "train" and "held_out" as above; "validation": the held-out images in larger batches, to score
                architectures on. "held_out" continues the stream of `held_out_batch`.
            size: images; None: the protocol's batch size, or that of the validation.
            augmented: None: yes, except for "validation".
        """

    def loss(
        self,
        weights: Tensor,
        batch: Batch,
        *,
        edge_weights: Tensor | None = None,
        training: bool = True,
        sampled: bool = False,
        fp32: bool = False,
        fixed_w: bool = False,
    ) -> Outcome:
        """The supernet's loss, with gradients into `w`, `weights` and `edge_weights`.

        Args:
            weights: (R, K) mixture of the operations, the same in all cells of a type; or (L, R, K), one for each of
                the L cells of the supernet, of which each reads its rows of `cells`. K + 1 columns where the supernet
                has auxiliary skip connections.
            edge_weights: (R,) factor of every edge; None: 1.
            training: whether batch norms take the batch's statistics and update the running ones.
            sampled: rows of `weights` are one-hot (or have `space.keep` ones), or zero where an edge is left out. Only
                the chosen operations run; the other weights, zero in value, are added to their edge as numbers, so that
                they have gradients (straight-through), as in the code of GDAS. ValueError if rows are anything else.
            fp32: compute in single precision whatever the protocol says, for losses whose difference is taken.
            fixed_w: `w` is a constant, into which no gradients flow; a compiled supernet then computes none.
        """

    def gradients(self, loss: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The gradient of a loss in each input, zeros where it does not depend on it; one backward pass."""

    def curvature(self, mixture: Callable[[Tensor], Tensor], x: Tensor, batch: Batch) -> Callable[[Tensor], Tensor]:
        """The products of vectors with the second derivatives, in `x`, of the supernet's loss on a batch in training
        mode: from a vector of the shape of `x` to one. Exact, where differences of gradients would also count the kinks
        of the activations between two points. Each is one more backward pass, in single precision.

        mixture: from x to the weights (R, K).
        """

    def set_gradient(self, loss: Tensor | Sequence[Tensor]) -> None:
        """Fill `grad` of the method's parameters: cleared, filled by one backward pass, clipped where the protocol says
        so. Instead of a loss, the gradients themselves can be given, in the order of the method's `parameters()`."""

    def update(self, gradients: Sequence[Tensor], *, frozen: Iterable[Part] = ()) -> None:
        """One step of SGD on `w`, after clipping the `gradients` of `w` in place where the protocol says so.

        frozen: weights that do not move at all: neither they nor their momentum change, and the norm does not count
        them.
        """

    def shifted(self, direction: Sequence[Tensor], scale: float | Tensor) -> AbstractContextManager[None]:
        """Within, `w` is w + scale * direction; afterwards it is restored bit for bit."""

    def operations(self) -> Mapping[tuple[int, int, str], list[Part]]:
        """(cell, row of theta, operation) -> the weights of this candidate operation alone. Operations without weights
        are missing. TypeError for a supernet without `operation_rows()`."""

    def accuracy(
        self,
        architecture: Tensor | Arch,
        batch: Batch | None = None,
        *,
        edge_weights: Tensor | None = None,
        training: bool = False,
    ) -> float:
        """Accuracy (%) of a mixture (R, K), or of one architecture alone, with the present `w`.

        batch: None: all validation images, without augmentation. training: with the batch's statistics.
        """


@dataclass(frozen=True)
class Uniform:
    """A range from which tuning draws a setting uniformly. ValueError if it is none."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"a range needs a lower and a higher end, got {self.low:g} and {self.high:g}")

    def at(self, share: float) -> float:
        """The value below which a share (0 to 1) of the range lies."""
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class LogUniform(Uniform):
    """A range of positive numbers from which tuning draws the logarithm of a setting uniformly."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low <= 0:
            raise ValueError(f"a logarithmic range begins above 0, got {self.low:g}")

    def at(self, share: float) -> float:
        return float(self.low * (self.high / self.low) ** share)


class Method:
    """What methods of all kinds declare."""

    paper: ClassVar[str] = ""
    family: ClassVar[str] = ""
    version: ClassVar[int] = 1
    """Raised whenever results change."""

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        """The mathematical reason why the method does not run on a space; None if it does."""
        return None


class BlackBox(Method, ABC):
    """A method that queries the validation accuracy of one architecture after another.

    Subclasses take `(space, **settings)`; every setting has a default: the published value, unless the
    method's docstring says otherwise.
    """

    queries: ClassVar[bool] = True
    """Whether it queries accuracies at all."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    @abstractmethod
    def search(self, rng: np.random.Generator) -> Generator[Arch, float, Arch | None]:
        """Yield an architecture, receive its validation accuracy (%), repeat; all randomness comes from `rng`.

        May return its choice. The harness ends the search when the budget is spent; without a choice, the result is the
        first architecture with the highest accuracy.
        """


class TrainingFree(Method, ABC):
    """A method that scores untrained networks: of `cells` random architectures, the best-scored one is the result.

    Subclasses take `(space, **settings)`, `cells` among them; every setting has a default. The harness draws the
    architectures, makes their networks and gives all of them the same batch of training images. What a score draws at
    random comes from torch's global generator, which the harness seeds for every network.
    """

    batch_size: ClassVar[int] = 64
    """Images of the batch (Abdelfattah et al., ICLR 2021, Section 3)."""
    augmented: ClassVar[bool] = True
    """Whether the images are cropped and flipped."""
    affine: ClassVar[bool] = False
    """Whether the batch norms of the cells have affine parameters."""
    classes: ClassVar[int | None] = None
    """Of the network; None: those of the dataset."""

    def __init__(self, space: SearchSpace, cells: int = 1000) -> None:
        """cells: N, drawn at random with repetition; 1000 is the largest N of Mellor et al. (ICML 2021), Table 2."""
        self.space, self.cells = space, cells

    @abstractmethod
    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        """Larger is better; what is not a finite number counts as minus infinity.

        Args:
            network: untrained, in training mode, of plain modules; images (B, 3, H, W) -> logits (B, classes).
            images: (B, 3, H, W) float32.
            labels: (B,), below the number of classes.
        """


class OneShot(nn.Module, Method, ABC):
    """A method that learns a distribution over operations together with the shared weights of a supernet.

    Subclasses take `(space, **settings)`; every setting has a default, the published value. Randomness comes
    from torch's global generator, which the harness seeds before every epoch. Numbers that change are parameters,
    buffers or the state of a `torch.optim` optimizer held as an attribute: so `state_dict()` is a checkpoint.
    """

    supernet: ClassVar[dict[str, Any]] = {}
    """Options of the supernet. `partial_channels=n`: operations act on 1/n of the channels, the others bypass them.
    `auxiliary_skip=True`: every edge has a skip connection besides the candidates, with weights of its own where it
    changes the resolution; mixtures then have one more column, its factors."""
    bilevel: bool = True
    """Architecture steps use held-out data; False: single level (ERM), both steps use all training data."""
    warmup: float = 0.0
    """Share of the epochs, from the first on, without architecture steps."""
    tunable: ClassVar[Mapping[str, Uniform]] = {}
    """The settings that tuning draws (`python -m harness tune`), each with its range."""

    mask: Tensor | None
    """(R, K) which entries are options; None where all are."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.space = space
        self.register_buffer("mask", None if space.mask is None else torch.from_numpy(space.mask), persistent=False)

    # What is learned -----------------------------------------------------------------------------------------------

    @abstractmethod
    def distribution(self) -> Tensor:
        """(R, K), rows on the simplex: the distribution that is logged, and from which the architecture is derived."""

    def forward(self) -> Tensor:
        """(R, K) mixture weights of the supernet in the architecture step; (R, K + 1) with `auxiliary_skip`."""
        return self.distribution()

    def weights_for_training(self) -> Tensor:
        """(R, K) mixture weights in the weight step; no gradient flows into them."""
        weights: Tensor = self.forward()
        return weights.detach()

    def evaluation_weights(self) -> Tensor | None:
        """(R, K) mixture weights in validation; None: the supernet is validated as the derived architecture."""
        return self.distribution()

    def edge_weights(self) -> Tensor | None:
        """(R,) factor of every edge; None: 1."""
        return None

    def objective(self, loss: Tensor, accuracy: Tensor) -> Tensor:
        """The scalar that the architecture step minimises. loss: mean cross-entropy in nats; accuracy in %."""
        return loss

    def step(self) -> None:
        """Update the method's parameters from their gradients."""

    # The two steps of an iteration, overridden by methods whose algorithm differs ------------------------------------

    def architecture_step(self, problem: Problem) -> None:
        outcome = problem.loss(self(), problem.held_out_batch, edge_weights=self.edge_weights(), fixed_w=True)
        problem.set_gradient(self.objective(*outcome))
        self.step()

    def weight_step(self, problem: Problem) -> Outcome:
        """Returns loss and accuracy, for the log."""
        with torch.no_grad():
            weights, edge_weights = self.weights_for_training(), self.edge_weights()
        outcome = problem.loss(weights, problem.train_batch, edge_weights=edge_weights)
        problem.update(problem.gradients(outcome.loss, problem.w))
        return outcome

    # Before and after an epoch -------------------------------------------------------------------------------------

    def before_epoch(self, problem: Problem) -> None:
        """Schedules, shrinking, scoring of operations."""

    def after_epoch(self, problem: Problem) -> None:
        """Updates of a controller, measurements."""

    def finished(self) -> bool:
        """Whether the search stops early, after this epoch; computed from buffers, so that it survives a resume."""
        return False

    def derive(self, problem: Problem) -> Arch:
        """The architecture after an epoch."""
        strength, edge_weights = self.distribution(), self.edge_weights()
        return self.space.discretize(strength if edge_weights is None else strength * edge_weights[:, None])

    # State ---------------------------------------------------------------------------------------------------------

    def get_extra_state(self) -> dict[str, Any]:
        """The optimizers' states: torch calls this from `state_dict()`."""
        return {name: optimizer.state_dict() for name, optimizer in self.held_optimizers()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        for name, optimizer in self.held_optimizers():
            optimizer.load_state_dict(state[name])

    def exchange_optimizers(self, optimizer: Callable[[list[Tensor]], torch.optim.Optimizer]) -> None:
        """Give every parameter that an optimizer held as an attribute moves to one of this class, with its defaults.

        ValueError if there is none to exchange.
        """
        held = self.held_optimizers()
        if not held:
            raise ValueError(f"{type(self).__name__} holds no torch.optim optimizer that could be exchanged")
        for name, before in held:
            setattr(self, name, optimizer([p for group in before.param_groups for p in group["params"]]))

    def held_optimizers(self) -> list[tuple[str, torch.optim.Optimizer]]:
        """The optimizers held as attributes, with the names of these."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, torch.optim.Optimizer)]
