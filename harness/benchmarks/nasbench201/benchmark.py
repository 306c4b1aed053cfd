"""NAS-Bench-201 (Dong and Yang, ICLR 2020) as a benchmark: architectures are looked up in a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import (
    RANK_COLUMNS,
    SCORE_COLUMNS,
    Arch,
    Benchmark,
    Evaluator,
    Headline,
    Oracle,
    SearchSpace,
    lacking,
)
from harness.benchmarks.nasbench201 import protocols, recipes
from harness.benchmarks.nasbench201.space import CELLS, NASBench201, isomorphism_class
from harness.protocol import Budget, NetworkSize, Protocol

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from harness.benchmarks.nasbench201.table import Table
    from harness.evaluate.network import Network
    from harness.evaluate.recipe import Recipe

REPORTED_EPOCHS = 200
"""Training epochs of every accuracy that is reported; those after 12 epochs are a search signal, never a result."""
SPLITS = {"test": "test_accuracy", "x-test": "test_accuracy", "ori-test": "test_accuracy", "x-valid": "valid_accuracy"}
"""Split -> metric, most important split first. x-test and x-valid are halves of the test images of CIFAR-100 and
ImageNet16-120, of which ori-test is all; CIFAR-10 has a test set of its own, and x-valid is a half of its training
images."""
SEARCH = "python run_all.py --methods gaea-darts-erm --seeds 4 --profile paper --dataset {0} --table TABLE"


class NASBench201Benchmark(Benchmark):
    name = NASBench201.name
    full_space = NASBench201()
    supernet_options = ("partial_channels", "auxiliary_skip")
    compiles = True
    datasets = ("digits", "cifar10", "cifar100", "imagenet16-120")
    families: Mapping[str, tuple[str, ...]] = {"gaea": ("gaea-darts-erm", "gaea-darts-bilevel")}
    tools: Mapping[str, tuple[str, str]] = {
        "table": ("harness.benchmarks.nasbench201.table.convert", "make a table of accuracies from a file with them"),
        "decode": ("harness.benchmarks.nasbench201.decoder", "which cells a printed number can stand for"),
    }
    evaluation = f"after {REPORTED_EPOCHS} epochs of training"
    dataset_order = ("cifar10", "cifar100", "imagenet16-120")
    split_order = tuple(SPLITS)
    excerpt = (("cifar10", "test"), ("cifar100", "x-test"), ("imagenet16-120", "x-test"))
    primary = ("cifar10", "test")
    margins: Mapping[tuple[str, str], float] = {
        ("cifar10", "test"): 0.25,
        ("cifar10", "x-valid"): 0.38,
        ("cifar100", "x-test"): 0.66,
        ("cifar100", "ori-test"): 0.41,
        ("cifar100", "x-valid"): 0.42,
        ("imagenet16-120", "x-test"): 0.88,
        ("imagenet16-120", "ori-test"): 0.60,
        ("imagenet16-120", "x-valid"): 0.58,
    }
    margin_source = "training noise: the standard deviation between isomorphic cells, which were trained separately"
    headlines = tuple(
        Headline(
            "NAS-Bench-201, searched on the dataset itself",
            "gaea-darts-erm",
            dataset,
            "test_accuracy",
            split,
            SEARCH.format(dataset),
        )
        for dataset, split in (("cifar10", "test"), ("cifar100", "ori-test"), ("imagenet16-120", "ori-test"))
    )

    retraining_version = 2
    """Version 1 trained the supernet, fixed to the architecture, whose cells have batch norms without parameters."""

    def supernet(self, space: SearchSpace, protocol: Protocol, classes: int, options: Mapping[str, Any]) -> nn.Module:
        from harness.benchmarks.nasbench201.supernet import NASBench201Supernet

        assert isinstance(space, NASBench201)
        size = (protocol.channels, protocol.cells, classes, protocol.track_statistics)
        return NASBench201Supernet(space, *size, **options)

    def default_protocol(self, profile: str, dataset: str, method: str) -> Budget:
        return protocols.of_method(profile, method)

    def method_settings(self, profile: str, dataset: str, method: str) -> Mapping[str, Any]:
        return protocols.settings_of_method(profile, method)

    def default_simulation(self, profile: str) -> Budget:
        """The paper's in every profile."""
        return protocols.of_queries("paper")

    def default_scoring(self, profile: str, method: str) -> Budget:
        return protocols.of_scoring(profile, method)

    no_queries = "the table has no validation accuracies on CIFAR-10"

    def oracle(self, table: Path | None) -> Oracle | None:
        """The x-valid accuracies on CIFAR-10 after 12 epochs, at the price of these epochs and an evaluation."""
        from harness.benchmarks.nasbench201 import simulation
        from harness.benchmarks.nasbench201.table import known, open_table

        opened = open_table(table)
        if not simulation.can_be_queried(opened):
            return None
        epochs = simulation.queried_epochs(opened)
        config = {
            "name": known.NAMES.get(opened.sha256),
            "sha256": opened.sha256,
            "epochs": epochs,
            "trials": simulation.trials_averaged(opened),
            "substitute": epochs != simulation.QUERY_EPOCHS,
            "verified": known.is_verified(opened),
        }
        dataset = {"name": simulation.DATASET, "origin": "official"}
        return Oracle(config, dataset, simulation.queries(opened))

    def evaluator(self, table: Path | None) -> TableLookup:
        from harness.benchmarks.nasbench201.table import open_table

        return TableLookup(open_table(table))

    def untrained(self, arch: Arch, size: NetworkSize, classes: int, affine: bool) -> nn.Module:
        from harness.benchmarks.nasbench201.network import NASBench201Network

        return NASBench201Network(arch, size.channels, size.cells, classes, affine)

    def own_recipe(self, full: bool) -> Recipe:
        return recipes.FULL if full else recipes.SHORT

    def network(self, arch: Arch, recipe: Recipe, classes: int, large: bool) -> Network:
        from harness.benchmarks.nasbench201.network import RetrainedNetwork

        return RetrainedNetwork(arch, recipe.channels, recipe.cells, classes)

    def unsuited_recipe(self, dataset: str, recipe: Recipe) -> str | None:
        return lacking(("auxiliary_weight", "drop_path", "colour_jitter", "image_size"), recipe)

    def equivalence_class(self, architecture: str) -> str:
        """The benchmark's isomorphism string."""
        return isomorphism_class(self.full_space.from_string(architecture))

    def is_verified(self, sha256: str, scores: pd.DataFrame) -> bool:
        from harness.benchmarks.nasbench201.table.known import verified_scores

        return verified_scores(sha256, scores)


class TableLookup(Evaluator):
    """Accuracies after 200 epochs, as a table has them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.sha256, self.source = table.sha256, table.source

    def scores(self, architectures: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
        from harness.benchmarks.nasbench201.table.cells import cell_strings

        names, known = list(dict.fromkeys(architectures)), set(cell_strings())
        frame = self.table.frame(name for name in names if name in known)
        reported = frame[(frame["epochs"] == REPORTED_EPOCHS) & frame["split"].isin(SPLITS)]
        scores = reported.rename(columns={"cell": "architecture"})
        failures = [f"{name[:200]!r} is no cell of the benchmark" for name in names if name not in known]
        return scores.assign(metric=scores["split"].map(SPLITS))[SCORE_COLUMNS], failures

    def best(self) -> list[str]:
        return self.table.best_cells()

    def ranks(self, architectures: Iterable[str]) -> pd.DataFrame:
        import pandas as pd

        from harness.benchmarks.nasbench201.table.cells import cell_strings

        cells = set(cell_strings())
        names = [name for name in dict.fromkeys(architectures) if name in cells]
        parts = [pd.DataFrame(columns=RANK_COLUMNS)]
        for dataset, split, epochs in self.table.available:
            ranks = self.table.ranks(names, dataset, split) if epochs == REPORTED_EPOCHS and split in SPLITS else None
            if ranks is not None:
                of = {"dataset": dataset, "split": split, "rank": ranks, "rank_of": CELLS}
                parts.append(pd.DataFrame({"architecture": names, **of}))
        return pd.concat(parts[1:] or parts)


BENCHMARK = NASBench201Benchmark()
