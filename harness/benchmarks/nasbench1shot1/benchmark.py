"""NAS-Bench-1Shot1 (Zela, Siems and Hutter, ICLR 2020) as three benchmarks: cells are looked up in NAS-Bench-101."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.benchmarks.base import SCORE_COLUMNS, Arch, Benchmark, Evaluator, Oracle, SearchSpace, Signal
from harness.benchmarks.nasbench1shot1 import protocols
from harness.benchmarks.nasbench1shot1.space import NASBench1Shot1, Space1, Space2, Space3
from harness.benchmarks.nasbench1shot1.table import IMAGES, Table, known
from harness.protocol import Budget, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import nn

DATASET = "cifar10"
METRICS = {"test": "test_accuracy", "held-out": "valid_accuracy"}
"""Split -> metric. held-out: 10,000 training images, on which the networks of the table were not trained."""
EPOCHS = 108
"""Of training, for every accuracy of the table."""


class NASBench1Shot1Benchmark(Benchmark):
    datasets = ("digits", DATASET)
    families: Mapping[str, tuple[str, ...]] = {"gaea": ("gaea-pc-darts", "gaea-darts-erm", "gaea-darts-bilevel")}
    tools: Mapping[str, tuple[str, str]] = {
        "table": ("harness.benchmarks.nasbench1shot1.table.convert", "make a table of accuracies from a file with them")
    }
    evaluation = f"after {EPOCHS} epochs of training"
    excerpt = (("cifar10", "test"),)
    dataset_order = (DATASET,)
    split_order = tuple(METRICS)
    primary = (DATASET, "test")
    no_queries = "there are no accuracies to query: a --table made from the official files has held-out ones"

    def __init__(self, space: NASBench1Shot1, optimum: int) -> None:
        """optimum: the most test images, of `IMAGES`, that a training of a cell of the space classified correctly."""
        self.full_space: NASBench1Shot1 = space
        self.name = space.name
        self.optima = {(DATASET, "test"): 100 * optimum / IMAGES}
        self.without_table = (
            "its accuracies are those of NAS-Bench-101, from --table FILE (python -m harness table --space"
            f" {space.name} SOURCE FILE; docs/data.md has the sources)"
        )

    def supernet(self, space: SearchSpace, protocol: Protocol, classes: int, options: Mapping[str, Any]) -> nn.Module:
        from harness.benchmarks.nasbench1shot1.supernet import NASBench1Shot1Supernet

        assert isinstance(space, NASBench1Shot1)
        size = (protocol.channels, protocol.cells, classes, protocol.track_statistics)
        return NASBench1Shot1Supernet(space, *size, **options)

    def default_protocol(self, profile: str, dataset: str, method: str) -> Budget:
        return protocols.of_method(profile, method)

    def default_simulation(self, profile: str) -> Budget:
        return protocols.of_queries(profile)

    def method_settings(self, profile: str, dataset: str, method: str) -> Mapping[str, Any]:
        return protocols.settings_of_method(profile, method)

    def oracle(self, table: Path | None) -> Oracle | None:
        """The held-out accuracy of a random training of the cell, at its price, as Ying et al. ("NAS-Bench-101", ICML
        2019) have it; or the means over its trainings."""
        opened = Table.load(table) if table else None
        if opened is None or opened.held_out is None or opened.seconds is None:
            return None
        space, accuracies, seconds = self.full_space, 100 / IMAGES * opened.held_out, opened.seconds

        def query(arch: Arch, rng: np.random.Generator | None) -> Signal:
            try:
                number = opened.number(space.hash(arch))
            except (TypeError, ValueError):
                raise ValueError(f"the method queried {str(arch)[:200]}, which is no cell of {space.name}") from None
            if rng is None:
                return Signal(float(accuracies[number].mean()), float(seconds[number].mean()))
            training = rng.integers(accuracies.shape[1])
            return Signal(float(accuracies[number, training]), float(seconds[number, training]))

        config = {
            "name": known.NAMES.get(opened.sha256),
            "sha256": opened.sha256,
            "epochs": EPOCHS,
            "trials": 1,
            "substitute": False,
            "verified": known.is_verified(opened.sha256),
        }
        return Oracle(config, {"name": DATASET, "origin": "official"}, query)

    def evaluator(self, table: Path | None) -> TableLookup | None:
        return TableLookup(self.full_space, Table.load(table)) if table else None

    def equivalence_class(self, architecture: str) -> str:
        """The hash of the cell."""
        return self.full_space.hash(self.full_space.from_string(architecture))

    def is_verified(self, sha256: str, scores: pd.DataFrame) -> bool:
        return known.is_verified(sha256)


class TableLookup(Evaluator):
    """Means over the trainings of a cell, as a table has them."""

    def __init__(self, space: NASBench1Shot1, table: Table) -> None:
        self.space, self.table = space, table
        self.sha256, self.source = table.sha256, table.source

    def scores(self, architectures: Iterable[str]) -> tuple[pd.DataFrame, list[str]]:
        import pandas as pd

        rows, failures = [], []
        for text in dict.fromkeys(architectures):
            try:
                number = self.table.number(self.space.hash(self.space.from_string(text)))
            except ValueError as error:  # of a record that was written by hand
                failures.append(str(error))
                continue
            for split, accuracies in self.table.accuracies.items():
                rows.append((text, DATASET, split, METRICS[split], accuracies[number], self.table.trainings))
        return pd.DataFrame(rows, columns=SCORE_COLUMNS), failures


BENCHMARKS = tuple(
    # The constants of automl/nasbench-1shot1, search_space_N.py: least test errors 5.4487, 5.7592 and 5.3385 %.
    NASBench1Shot1Benchmark(space, optimum)
    for space, optimum in ((Space1(), 9440), (Space2(), 9409), (Space3(), 9451))
)
