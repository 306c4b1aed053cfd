"""A user's own search space as a benchmark.

The class derives from `SearchSpace` and defines `supernet(channels, cells, classes, track_statistics,
partial_channels)`, which may take `auxiliary_skip=False` as well. It may define

    evaluate(arch) -> {(dataset, split): accuracy in %}     else its architectures are retrained from scratch
    best() -> [arch, ...]                                   the best by every dataset and split; else there is no regret
    query(arch) -> (validation accuracy in %, seconds)      what black boxes ask for; else they do not run
    untrained(arch, channels, cells, classes, affine)       the network that training-free methods score; else they do
                                                            not run

A split whose name contains "valid" is one of validation, any other one of tests.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.benchmarks.base import SCORE_COLUMNS, Arch, Benchmark, Evaluator, Oracle, SearchSpace, Signal, lacking
from harness.benchmarks.darts.recipes import RECIPES
from harness.benchmarks.nasbench201 import protocols
from harness.evaluate.recipe import Recipe
from harness.protocol import Budget, NetworkSize, Protocol

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from harness.evaluate.network import Network

AUXILIARY_SKIP = "auxiliary_skip"
RETRAINED_ON = ("digits", "cifar10", "cifar100")


class ExternalBenchmark(Benchmark):
    """Searches have the protocols of NAS-Bench-201; architectures are retrained as the supernet, fixed to them."""

    datasets = ("digits", "cifar10", "cifar100", "imagenet16-120")

    def __init__(self, space: type[SearchSpace], sha256: str) -> None:
        """sha256: of the source file and the class's name. ValueError, in one line, if the class is not complete."""
        missing = sorted(getattr(space, "__abstractmethods__", ()))
        missing += [name for name in ("supernet", "groups") if not hasattr(space, name)]
        if not issubclass(space, SearchSpace) or missing:
            needs = f" and define {', '.join(missing)}" if missing else ""
            raise ValueError(f"{space.__name__} must derive from harness.benchmarks.SearchSpace{needs}")
        if not vars(space).get("name"):
            raise ValueError(f"{space.__name__} needs a name of its own")
        self.name = space.name
        self.class_name = space.__name__
        self.sha256 = sha256
        try:
            self.full_space = space()
            _try_out(self.full_space)
        except Exception as error:  # whatever the user's code raises
            raise ValueError(f"{space.__name__} raised {type(error).__name__}: {error}") from error
        takes_auxiliary = AUXILIARY_SKIP in inspect.signature(getattr(space, "supernet")).parameters  # noqa: B009
        self.supernet_options = ("partial_channels", *([AUXILIARY_SKIP] if takes_auxiliary else []))

    def supernet(self, space: SearchSpace, protocol: Protocol, classes: int, options: Mapping[str, Any]) -> nn.Module:
        size = (protocol.channels, protocol.cells, classes, protocol.track_statistics)
        return self._sized(space, *size, **options)

    def _sized(
        self,
        space: SearchSpace,
        channels: int,
        cells: int,
        classes: int,
        track_statistics: bool,
        partial_channels: int = 1,
        **options: Any,
    ) -> nn.Module:
        make: Any = getattr(space, "supernet")  # noqa: B009 - which SearchSpace does not have
        if missing := [name for name in options if name not in self.supernet_options]:
            raise ValueError(f"the supernet of {self.name} has no option {', '.join(missing)}")
        supernet: nn.Module = make(channels, cells, classes, track_statistics, partial_channels, **options)
        return supernet

    def network(self, arch: Arch, recipe: Recipe, classes: int, large: bool) -> Network:
        from harness.evaluate.network import FixedSupernet

        supernet = self._sized(self.full_space, recipe.channels, recipe.cells, classes, True)
        return FixedSupernet(supernet, self.full_space.one_hot(arch))

    def unsuited_recipe(self, dataset: str, recipe: Recipe) -> str | None:
        # Batch norms of search cells are calls of functions, whose modules are not converted to synchronised ones.
        return lacking(
            ("auxiliary_weight", "drop_path", "colour_jitter", "image_size", "synchronised_batch_norm"), recipe
        )

    def default_protocol(self, profile: str, dataset: str, method: str) -> Budget:
        return protocols.of_method("controlled" if profile == "paper" else profile, method)

    def default_simulation(self, profile: str) -> Budget:
        return protocols.of_function(profile)

    def default_scoring(self, profile: str, method: str) -> Budget | None:
        if not hasattr(self.full_space, "untrained"):
            return None
        return protocols.of_scoring("controlled" if profile == "paper" else profile, method)

    def untrained(self, arch: Arch, size: NetworkSize, classes: int, affine: bool) -> nn.Module:
        make = getattr(self.full_space, "untrained", None)
        if make is None:
            return super().untrained(arch, size, classes, affine)
        network: nn.Module = make(arch, size.channels, size.cells, classes, affine)
        return network

    def oracle(self, table: Path | None) -> Oracle | None:
        query = getattr(self.full_space, "query", None)
        if query is None:
            return None
        config = {"name": self.name, "sha256": self.sha256, "epochs": 0, "substitute": False, "verified": False}
        dataset = {"name": self.name, "origin": "external", "sha256": self.sha256}

        def checked(arch: Arch, rng: np.random.Generator | None) -> Signal:  # noqa: ARG001 - it draws itself
            accuracy, seconds = query(arch)
            return Signal(float(accuracy), float(seconds))

        return Oracle(config, dataset, checked)

    def evaluator(self, table: Path | None) -> Evaluator | None:
        if table:
            raise ValueError(f"--table: {self.name} is not a tabular benchmark")
        return UserEvaluator(self.full_space, str(self.sha256)) if hasattr(self.full_space, "evaluate") else None

    def recipes(self) -> Mapping[str, Recipe]:
        """Those of the DARTS space without what its network alone has."""
        if hasattr(self.full_space, "evaluate"):
            return {}
        return {name: replace(RECIPES[name], auxiliary_weight=0.0, drop_path=0.0) for name in RETRAINED_ON}

    def own_recipe(self, full: bool) -> Recipe:
        recipe = RECIPES["cifar10" if full else "digits"]
        return replace(recipe, auxiliary_weight=0.0, drop_path=0.0, flip=False, cutout=0)


def _try_out(space: SearchSpace) -> None:
    """Ask for everything that a search and its record will need, once."""
    for what, values in (("keep", space.keep), ("row_names", space.row_names)):
        if len(values) != len(space.lengths):
            raise ValueError(f"{what} has {len(values)} entries, and there are {len(space.lengths)} choices")
    for name, rows in space.groups.items():
        start, stop, step = rows.indices(len(space.lengths))
        if step != 1 or start >= stop:
            raise ValueError(f"the group {name} must be a slice of some of the {len(space.lengths)} choices in a row")
    arch = space.random(np.random.default_rng(0))
    text = space.to_string(arch)
    if "\n" in text or "\r" in text:
        raise ValueError("to_string must give one line")
    if space.one_hot(space.from_string(text)).shape != space.shape:
        raise ValueError(f"one_hot must give an array of shape {space.shape}")
    for graph in space.graph(arch):
        json.dumps(asdict(graph))
        if not all(0 <= source < target < len(graph.nodes) for source, target, _ in graph.edges):
            raise ValueError(f"every edge of graph {graph.title} must lead from one of its nodes to a later one")


class UserEvaluator(Evaluator):
    """What a space's own `evaluate` says."""

    def __init__(self, space: SearchSpace, sha256: str) -> None:
        self.space, self.sha256 = space, sha256
        self.source = f"{type(space).__name__}.evaluate"

    def best(self) -> list[str]:
        best: Any = getattr(self.space, "best", list)
        try:
            return [self.space.to_string(arch) for arch in best()]
        except Exception as error:  # whatever the user's code raises
            raise ValueError(f"{type(self.space).__name__}.best raised {type(error).__name__}: {error}") from error

    def scores(self, architectures: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
        import pandas as pd

        rows, failures = [], []
        for text in dict.fromkeys(architectures):
            try:
                rows += self._rows(text)
            except ValueError as error:
                failures.append(str(error))
        return pd.DataFrame(rows, columns=SCORE_COLUMNS), failures

    def _rows(self, text: str) -> list[tuple[Any, ...]]:
        evaluate: Any = getattr(self.space, "evaluate")  # noqa: B009 - which SearchSpace does not have
        try:
            values = {key: float(value) for key, value in evaluate(self.space.from_string(text)).items()}
            if any(not np.isfinite(value) or not 0 <= value <= 100 for value in values.values()):
                raise ValueError(f"accuracies are percentages, got {values}")
            return [
                (text, dataset, split, "valid_accuracy" if "valid" in split else "test_accuracy", value, 1)
                for (dataset, split), value in values.items()
            ]
        except Exception as error:  # whatever the user's code raises
            raise ValueError(f"{self.source}({text[:80]}) raised {type(error).__name__}: {error}") from error
