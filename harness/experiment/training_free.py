"""Training-free scores of random architectures, computed once and kept in a file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
from torch import nn

from harness.api import TrainingFree
from harness.benchmarks.base import Arch, Benchmark, SearchSpace
from harness.data import Dataset
from harness.experiment import training_free_files as files
from harness.experiment.store import Store
from harness.experiment.training_free_files import COLUMNS, Computed, Scored
from harness.protocol import Budget, NetworkSize
from harness.search.scoring import Scorer

if TYPE_CHECKING:
    import pandas as pd


EVERY = 30.0
"""Seconds after which new scores are written."""
EXHAUSTED = 10_000
"""Draws without a new architecture, or twenty for each that was found, after which a space has no more of them."""


def compute(
    benchmark: Benchmark,
    dataset: Dataset,
    methods: Mapping[str, type[TrainingFree]],
    cells: int,
    store: Store,
    device: str,
) -> pd.DataFrame:
    """The scores of the first `cells` architectures, columns `COLUMNS`, by method and in the order of the sample; those
    that are not stored are computed and added. All are scored under seed 0. ValueError if the space has fewer
    architectures, or there is another file in the place of the scores."""
    import pandas as pd

    space = [benchmark.name, *([benchmark.sha256[:8]] if benchmark.sha256 else [])]
    file = store.folder / files.FOLDER / f"{'-'.join([*space, dataset.name, dataset.sha256[:8]])}.csv"
    size = cast(NetworkSize, cast(Budget, benchmark.default_scoring("controlled", "")).protocol)
    texts = {benchmark.full_space.to_string(arch): arch for arch in sample(benchmark.full_space, cells)}
    known, new, written = files.read(file), dict[Scored, Computed](), time.monotonic()
    asked = [
        Scored(name, cls.version, size.channels, size.cells, text) for name, cls in methods.items() for text in texts
    ]
    for name, cls in methods.items():
        missing = [scored for scored in asked if scored.score == name and scored not in known]
        scorer = _scorer(benchmark, dataset, cls, size, device) if missing else None
        for scored in missing:
            start = time.perf_counter()
            value = cast(Scorer, scorer)(texts[scored.architecture]).value
            new[scored] = Computed(value, round(time.perf_counter() - start, 3))
            if time.monotonic() - written > EVERY:
                known, new, written = files.add(store, file.name, new), {}, time.monotonic()
    if new:
        known = files.add(store, file.name, new)
    return pd.DataFrame([(*scored, *known[scored]) for scored in asked], columns=COLUMNS)


def sample(space: SearchSpace, count: int) -> list[Arch]:
    """The first `count` different architectures of one fixed random sequence. ValueError if there are not so many."""
    rng, found, repeats = np.random.default_rng(0), dict[Arch, None](), 0
    for arch in _drawn(space, rng):
        repeats = repeats + 1 if arch in found else 0
        found[arch] = None
        if len(found) == count or repeats >= max(EXHAUSTED, 20 * len(found)):
            break
    if len(found) < count:
        raise ValueError(f"{len(found)} different architectures were found, {count} were asked for")
    return list(found)


def _drawn(space: SearchSpace, rng: np.random.Generator) -> Iterator[Arch]:
    """In a random order all architectures of a small space, else as many as one likes."""
    number = int(np.prod(space.categories, dtype=np.int64)) if space.categories else 0
    if not 0 < number < 1_000_000:
        while True:
            yield space.random(rng)
    for index in rng.permutation(number):
        yield space.from_categories(int(value) for value in np.unravel_index(index, space.categories))


def _scorer(benchmark: Benchmark, dataset: Dataset, cls: type[TrainingFree], size: NetworkSize, device: str) -> Scorer:
    def make(arch: Arch, classes: int, affine: bool) -> nn.Module:
        return benchmark.untrained(arch, size, classes, affine)

    return Scorer(cls(benchmark.full_space), make, dataset, 0, device)
