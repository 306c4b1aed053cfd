"""Training-free scores of random architectures, computed once and kept in a file."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.benchmarks.base import Arch, Benchmark, SearchSpace
from harness.data import Dataset
from harness.evaluate.training_free import SCORES, evaluate
from harness.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["score", "architecture", "value", "seconds"]
EVERY = 30.0
"""Seconds after which new scores are written."""


def compute(
    benchmark: Benchmark, dataset: Dataset, names: Sequence[str], cells: int, file: Path, device: str
) -> pd.DataFrame:
    """The scores of the first `cells` architectures, columns `COLUMNS`; those that the file lacks are added to it.
    ValueError if the space has fewer architectures, or the file is another one."""
    import pandas as pd

    kept = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=COLUMNS)
    if list(kept.columns) != COLUMNS:
        raise ValueError(f"{file} has other columns than {', '.join(COLUMNS)}")
    architectures = sample(benchmark.full_space, cells)
    texts = {benchmark.full_space.to_string(arch): arch for arch in architectures}
    known = set(zip(kept["score"], kept["architecture"], strict=True))
    missing = [(name, text) for name in names for text in texts if (name, text) not in known]
    rows: list[tuple[str, str, float, float]] = list(kept.itertuples(index=False, name=None))
    written = time.monotonic()
    for name, text in missing:
        rows.append((name, text, *_score(benchmark, dataset, name, texts[text], device)))
        if time.monotonic() - written > EVERY:
            _write(file, rows)
            written = time.monotonic()
    if missing:
        _write(file, rows)
    scores = pd.DataFrame(rows, columns=COLUMNS)
    asked = scores[scores["score"].isin(names) & scores["architecture"].isin(texts)]
    return asked.sort_values("score", key=lambda column: column.map(names.index), kind="stable")


def sample(space: SearchSpace, count: int) -> list[Arch]:
    """The first `count` different architectures of one fixed random sequence. ValueError if there are not so many."""
    rng, found = np.random.default_rng(0), dict[Arch, None]()
    for arch in _drawn(space, rng):
        found[arch] = None
        if len(found) == count:
            break
    if len(found) < count:
        raise ValueError(f"the space has {len(found)} architectures, {count} were asked for")
    return list(found)


def _drawn(space: SearchSpace, rng: np.random.Generator) -> Iterator[Arch]:
    """In a random order all architectures of a small space, else as many as one likes."""
    number = int(np.prod(space.categories, dtype=np.int64)) if space.categories else 0
    if not 0 < number < 1_000_000:
        while True:
            yield space.random(rng)
    for index in rng.permutation(number):
        yield space.from_categories(int(value) for value in np.unravel_index(index, space.categories))


def _score(benchmark: Benchmark, dataset: Dataset, name: str, arch: Arch, device: str) -> tuple[float, float]:
    """Value and seconds."""
    start = time.perf_counter()
    value = evaluate(
        SCORES[name], lambda classes, affine: benchmark.untrained(arch, classes, affine), dataset, 0, device
    )
    return value, round(time.perf_counter() - start, 3)


def _write(file: Path, rows: list[tuple[str, str, float, float]]) -> None:
    import pandas as pd

    content = io.StringIO()
    pd.DataFrame(rows, columns=COLUMNS).to_csv(content, index=False)
    write_atomically(file, content.getvalue().encode())
