"""What a benchmark owns: search space, supernet, protocols, and how its architectures are evaluated. No torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.protocol import Budget

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from harness.evaluate.network import Network
    from harness.evaluate.recipe import Recipe
    from harness.protocol import NetworkSize
    from harness.protocol import Protocol as SearchProtocol

Arch = tuple[Any, ...]
"""One architecture. It holds operation *names*, so that spaces with and without the zero operation speak of the same
architecture."""

QUICK_SCORING = {"cells": 25}
"""Our own choice: the random architectures that a training-free method scores in the quick profile, some seconds."""

ZERO = "none"
"""Name of the zero operation, in every space that has it."""


class Matrix(Protocol):
    """A numpy array or a torch tensor; the spaces need only its numbers."""

    def tolist(self) -> Any: ...


@dataclass(frozen=True)
class Graph:
    """One cell, as every picture of it is drawn."""

    title: str
    nodes: tuple[str, ...]
    """In topological order."""
    edges: tuple[tuple[int, int, str], ...]
    """(source, target, operation); an empty operation is a concatenation."""


class SearchSpace(ABC):
    """R choices. Choice r has `lengths[r]` options, of which at most `keep[r]` remain in an architecture.

    In a cell space a choice is the operation on an edge; the cell types count together. Spaces whose choices all have
    the same options define `operations` and `edge_target`, others define `options`.
    """

    name: ClassVar[str]
    groups: ClassVar[dict[str, slice]]
    """Named slices of the choices, over which entropies are averaged: e.g. {"normal": slice(0, 14), ...}."""
    edge_target: ClassVar[tuple[int, ...] | None] = None
    """(R,) the node that the edge of each choice enters, unique across cell types; None: the choices are not edges, and
    there are no edge weights beside theta."""
    weighs_inputs: ClassVar[bool] = False
    """Whether rows of theta themselves weigh the inputs of each node against one another, as edge weights would."""
    competing: ClassVar[bool] = False
    """Whether choices compete with one another, so that an architecture keeps options of some choices only."""

    operations: tuple[str, ...]
    """Names of the K options, where every choice has the same, in the order of the columns of every (R, K) matrix."""

    @property
    def options(self) -> tuple[tuple[str, ...], ...]:
        """Names of each choice's options, in the order of the columns of every (R, K) matrix."""
        return (self.operations,) * len(self.edge_target or ())

    @property
    def keep(self) -> tuple[int, ...]:
        """(R,) how many options of each choice remain at most."""
        return (1,) * len(self.options)

    @property
    def lengths(self) -> tuple[int, ...]:
        """(R,) how many options each choice has."""
        return tuple(map(len, self.options))

    @property
    def shape(self) -> tuple[int, int]:
        """(R, K), K the largest number of options."""
        return len(self.lengths), max(self.lengths)

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """(R, K) which entries are options; None where all choices have K of them."""
        real = np.arange(self.shape[1]) < np.array(self.lengths)[:, None]
        return None if real.all() else real

    @property
    def row_names(self) -> tuple[str, ...]:
        """(R,) how figures call the choices: by default after their group, numbered where it has several."""
        names = [f"choice {number}" for number in range(1, len(self.options) + 1)]
        for group, rows in self.groups.items():
            places = range(len(names))[rows]
            for number, place in enumerate(places, start=1):
                names[place] = f"{group} {number}" if len(places) > 1 else group
        return tuple(names)

    @property
    def samples_every_choice(self) -> bool:
        """Whether one option of every choice is an architecture."""
        return not self.competing and set(self.keep) == {1}

    # Black boxes ---------------------------------------------------------------------------------------------------

    @property
    def categories(self) -> tuple[int, ...]:
        """How many values each decision has, where every combination of values is another architecture; else empty."""
        return self.lengths if self.samples_every_choice else ()

    def from_categories(self, values: Iterable[int]) -> Arch:
        """The architecture of one value for each of `categories`."""
        chosen = np.zeros(self.shape)
        chosen[np.arange(len(chosen)), list(values)] = 1.0
        return self.discretize(chosen)

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Arch:
        """An architecture drawn uniformly."""

    @abstractmethod
    def mutate(self, arch: Arch, rng: np.random.Generator) -> Arch:
        """An architecture that differs from `arch` in exactly one choice."""

    def neighbours(self, arch: Arch) -> Iterable[Arch]:
        """All architectures that differ from `arch` in exactly one choice. NotImplementedError where a space does not
        list them: only local search asks for it."""
        raise NotImplementedError(f"space {self.name} does not list the neighbours of an architecture")

    # Architectures -------------------------------------------------------------------------------------------------

    def without(self, operation: str) -> SearchSpace:
        """The same space with one candidate operation less. ValueError if it has no such operation."""
        raise ValueError(
            f"space {self.name} cannot leave out {operation!r}: define `without`, or --set protocol.zero_operation=true"
        )

    @abstractmethod
    def discretize(self, strength: Matrix) -> Arch:
        """The architecture that an (R, K) matrix of strengths stands for, by the space's own rule."""

    def discretize_sparsely(self, strength: Matrix, threshold: float) -> Arch:
        """The same without options that are weaker than a threshold, in spaces that have such architectures."""
        return self.discretize(strength)

    @abstractmethod
    def one_hot(self, arch: Arch) -> NDArray[np.float64]:
        """(R, K) weights under which the supernet is this architecture: ones where an option remains."""

    @abstractmethod
    def to_string(self, arch: Arch) -> str:
        """The field's own notation."""

    @abstractmethod
    def from_string(self, text: str) -> Arch:
        """Inverse of `to_string`. ValueError if `text` is not an architecture of this space."""

    def graph(self, arch: Arch) -> tuple[Graph, ...]:
        """What a picture of the architecture shows, one graph per cell type; empty where there is none."""
        return ()


class Signal(NamedTuple):
    """What a query of a black box returns."""

    accuracy: float
    """Of a validation, %."""
    seconds: float
    """Simulated time that it costs."""


@dataclass(frozen=True)
class Oracle:
    """What black boxes query."""

    config: Mapping[str, Any]
    """Its identity: `table` of a config (`harness.experiment.config`)."""
    dataset: Mapping[str, Any]
    """What its architectures were trained on: `dataset` of a config."""
    query: Callable[[Arch, np.random.Generator | None], Signal]
    """Draws the accuracy of one trial, or without a generator returns the mean of all. ValueError if it does not know
    the architecture."""


def lacking(names: Sequence[str], recipe: Recipe) -> str | None:
    """Why architectures cannot be retrained by a recipe, if their networks have none of these; None if they can be."""
    asked = [name for name in names if getattr(recipe, name)]
    return f"these networks are trained without {asked[0]}" if asked else None


class Evaluator(ABC):
    """A source of scores that takes no training: a table, or a user's own function."""

    sha256: str
    source: str
    """In words."""

    @abstractmethod
    def scores(self, architectures: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
        """Everything that is known of each architecture, as `SearchSpace.to_string` has it.

        Returns:
            Scores, columns `SCORE_COLUMNS`, and a line for every architecture whose evaluation failed.
        """

    def best(self) -> list[str]:
        """The best architectures of every dataset and split, from which regret is counted; empty: none is."""
        return []

    def ranks(self, architectures: Iterable[str]) -> pd.DataFrame:
        """Ranks among all architectures of the space by each accuracy, columns `RANK_COLUMNS`; none by an accuracy that
        is not known of every architecture."""
        import pandas as pd

        return pd.DataFrame(columns=RANK_COLUMNS)


SCORE_COLUMNS = ["architecture", "dataset", "split", "metric", "value", "trials"]
"""A score: `value` in % is the mean over `trials` trainings."""
RANK_COLUMNS = ["architecture", "dataset", "split", "rank", "rank_of"]
"""1 is the best of `rank_of` architectures; equal accuracies share the better rank."""


@dataclass(frozen=True)
class Headline:
    """One number of a paper's own leaderboard, and the command that makes ours."""

    task: str
    method: str
    dataset: str
    metric: str
    split: str
    command: str
    architecture: str = ""
    """The published cell whose training from scratch the number is of; empty: of searches."""
    processes: int = 1
    """Of the published training."""


class Benchmark(ABC):
    """A search space with everything that is true of it only."""

    name: str
    title: str = ""
    """How headings name it; empty: as `name`."""
    full_space: SearchSpace
    """With all candidates."""
    version: int = 1
    """Of the supernet: raised when its numbers change."""
    sha256: str | None = None
    """Of the source file and the class of a user's own; None: built in."""
    class_name: str | None = None
    """Of a user's own."""
    supernet_options: tuple[str, ...] = ("partial_channels",)
    """Names of the options of the supernet that a method can declare."""
    compiles: bool = False
    """Whether the supernet takes `compiled=True`."""
    gains_on_cpu: bool = True
    """Whether its compiled passes are faster than eager ones on a CPU too."""
    datasets: tuple[str, ...] = ()
    """To search on, besides a user's own."""
    default_datasets: Mapping[str, str] = {"quick": "digits", "controlled": "cifar10", "paper": "cifar10"}
    """By profile."""
    proxies: Mapping[str, str] = {"digits": "cifar10"}
    """Datasets that stand in for another one, whose published values are shown next to theirs."""
    families: Mapping[str, tuple[str, ...]] = {}
    """Members of method families here, where the paper's choice differs from the family's."""
    tools: Mapping[str, tuple[str, str]] = {}
    """Commands of its own (`python -m harness COMMAND`): name -> module with a `main(arguments)`, and what it does."""

    # The space -----------------------------------------------------------------------------------------------------

    def space(self, zero_operation: bool = True) -> SearchSpace:
        """With or without the zero operation, where there is one."""
        full = self.full_space
        has_zero = any(ZERO in options for options in full.options)
        return full if zero_operation or not has_zero else full.without(ZERO)

    @abstractmethod
    def supernet(
        self, space: SearchSpace, protocol: SearchProtocol, classes: int, options: Mapping[str, Any]
    ) -> nn.Module:
        """At a protocol's size, with the options that a method declares (`OneShot.supernet`)."""

    # Protocols -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def default_protocol(self, profile: str, dataset: str, method: str) -> Budget:
        """Of a weight-sharing method, before overrides."""

    def default_simulation(self, profile: str) -> Budget | None:
        """Of a black box, before overrides; None: there is nothing to query."""
        return None

    def default_scoring(self, profile: str, method: str) -> Budget | None:
        """Of a training-free method, before overrides: the size of the networks; None: architectures have none."""
        return None

    def scoring_settings(self, profile: str) -> Mapping[str, Any]:
        """Settings of every training-free method in a profile, where they are not the defaults of its file."""
        return QUICK_SCORING if profile == "quick" else {}

    def method_settings(self, profile: str, dataset: str, method: str) -> Mapping[str, Any]:
        """Settings of a method in a profile, where they are not the defaults of its file."""
        return {}

    def unsuited(self, datasets: Sequence[str]) -> str | None:
        """Why one cannot search on these datasets; None if one can."""
        return None

    # Evaluation ----------------------------------------------------------------------------------------------------

    no_queries: str = "there are no accuracies to query"
    """Why black boxes do not run where `oracle` is None."""

    def oracle(self, table: Path | None) -> Oracle | None:
        """What black boxes query: a table in a file, or the benchmark's own. ValueError or OSError if it cannot be
        read."""
        return None

    without_table: str = ""
    """Where only a table that is given has accuracies: which one is missing, and how to get it."""

    def evaluator(self, table: Path | None) -> Evaluator | None:
        """The source of scores that takes no training; None: architectures are retrained. ValueError or OSError if
        there is no use for a table, or it cannot be read."""
        if table:
            raise ValueError(f"--table: {self.name} is not a tabular benchmark")
        return None

    def recipes(self) -> Mapping[str, Recipe]:
        """By dataset, how architectures are retrained from scratch; empty: they are not."""
        return {}

    retraining_version: int = 1
    """Raised when the networks of architectures, or how they are trained, change."""

    def own_recipe(self, full: bool) -> Recipe | None:
        """How architectures are retrained on images of a user's own, briefly or in full; None: they are not."""
        return None

    def network(self, arch: Arch, recipe: Recipe, classes: int, large: bool) -> Network:
        """Of one architecture, to be trained from scratch.

        large: on class folders, with images of the recipe's size.
        """
        raise ValueError(f"architectures of {self.name} are not retrained")

    def untrained(self, arch: Arch, size: NetworkSize, classes: int, affine: bool) -> nn.Module:
        """The network of one architecture in plain modules, of which training-free scores are taken.

        affine: whether the batch norms of the cells have affine parameters.
        """
        raise ValueError(self.no_scores)

    no_scores: str = "its architectures have no network in plain modules, of which training-free scores are taken"
    """Why training-free methods do not run where `default_scoring` is None."""

    def unsuited_recipe(self, dataset: str, recipe: Recipe) -> str | None:
        """Why architectures cannot be retrained on a dataset by this recipe; None if they can."""
        return None

    def named(self, text: str) -> tuple[str, str] | None:
        """Name and string of a published architecture by its name or an alias; None where none is published.
        ValueError if there is no such name."""
        return None

    # Reports -------------------------------------------------------------------------------------------------------

    evaluation: str = ""
    """How accuracies of architectures come about, e.g. "after 200 epochs of training"."""
    dataset_order: tuple[str, ...] = ()
    split_order: tuple[str, ...] = ()
    """Of tables, most important first: the first split that a dataset has is the one that figures show."""
    published_columns: tuple[tuple[str, str], ...] = ()
    """(dataset, metric) of the published numbers that stand next to retrained architectures."""
    published_epochs: Mapping[str, int] = {}
    """By dataset, of the trainings behind published errors: a shorter retraining is called a short schedule."""
    headlines: tuple[Headline, ...] = ()
    excerpt: tuple[tuple[str, str], ...] = ()
    """(dataset, split) of the columns of a short table."""
    primary: tuple[str, str] | None = None
    """(dataset, split) of the comparisons between methods that are tested first, apart from all others."""
    optima: Mapping[tuple[str, str], float] = {}
    """By dataset and split, the accuracy (%) from which the field counts regret, where it is not that of the best
    architecture of the table (`Evaluator.best`)."""
    margins: Mapping[tuple[str, str], float] = {}
    """By dataset and split, the largest difference in points at which a mean agrees with a published one. Fixed here,
    independent of any result; without one, nothing agrees."""
    margin_source: str = ""
    """What the margins are."""

    def equivalence_class(self, architecture: str) -> str:
        """Equal for architectures that compute the same."""
        return architecture

    def is_verified(self, sha256: str, scores: pd.DataFrame) -> bool:
        """Whether stored scores, all from one table, are those of the benchmark."""
        return False
