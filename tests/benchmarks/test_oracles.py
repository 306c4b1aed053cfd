"""How long look-ups take: `pytest tests/benchmarks/test_oracles.py -n 0 --benchmark-enable`.

Beside each fast way stands the slow one that it replaces, so that the ratio can be read off one table.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.benchmarks.nasbench201.decoder import Printed, decode, rounded
from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table import Metric, Table, open_table
from harness.benchmarks.nasbench201.table.bundled import bundled_table
from harness.benchmarks.nasbench201.table.cells import cell_strings
from harness.benchmarks.nasbench201.table.convert import read_csv
from harness.benchmarks.nasbench201.table.official import read_nats

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
QUERIES = 1_000_000


@pytest.fixture
def measured(record: Any, benchmark: Any) -> Callable[..., None]:
    """measured(what, unit, note, **goal): a row with the median of what `benchmark` has timed in this test."""

    def add(what: str, unit: str, note: str = "", **goal: float) -> None:
        if benchmark.stats is None:  # --benchmark-disable
            return
        per_second = {"s": 1, "ms": 1e3, "µs": 1e6}[unit]
        rounds = benchmark.stats.stats.rounds
        how = f"median of {rounds:,} round{'s' * (rounds != 1)}, 1 thread{note and '; '}{note}"
        record("look-ups", what, per_second * benchmark.stats.stats.median, unit, how, **goal)

    return add


@pytest.fixture(scope="module")
def csv(test_data: Path) -> Path:
    return test_data / "nasbench201" / "nasbench201.csv.gz"


@pytest.fixture(scope="module")
def file(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table with everything: 18 columns of accuracies, 4.0 MB."""
    path = tmp_path_factory.mktemp("table") / "full.npz"
    read_csv(csv)[0].save(path)
    return path


@pytest.fixture(scope="module")
def cells() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(CELLS, size=QUERIES)


@pytest.mark.benchmark(group="open the table with everything")
def test_load(benchmark: Any, measured: Any, record: Any, file: Path) -> None:
    benchmark(Table.load, file)
    measured("open the table with everything", "ms", at_most=50)
    record("look-ups", "file of the table with everything", file.stat().st_size / 1e6, "MB", "counted", at_most=20)


@pytest.mark.benchmark(group="open the bundled table")
def test_load_bundled(benchmark: Any, measured: Any, record: Any, tmp_path: Path) -> None:
    """The bundled numbers, written as a table of their own."""
    path = tmp_path / "bundled.npz"
    open_table().save(path)
    benchmark(Table.load, path)
    measured("open a table of the bundled numbers", "ms", at_most=50)
    size = path.stat().st_size / 1e6
    record("look-ups", "file of a table of the bundled numbers", size, "MB", "counted", at_most=20)


@pytest.mark.benchmark(group="open the table with everything")
def test_load_and_first_query(benchmark: Any, measured: Any, file: Path) -> None:
    """The means are computed when they are first asked for."""
    benchmark(lambda: Table.load(file).accuracy([0], "cifar10", "x-valid"))
    measured("open the table with everything, and a first query", "ms", at_most=50)


@pytest.mark.benchmark(group="open the table with everything")
def test_read_csv(benchmark: Any, measured: Any, rounds: Any, csv: Path) -> None:
    benchmark.pedantic(read_csv, (csv,), rounds=rounds(3))
    measured("slow way: read the table with everything from its CSV", "s")


@pytest.mark.benchmark(group="open the table with everything")
def test_read_bundled_pickles(benchmark: Any, measured: Any) -> None:
    """Validation accuracies only. Once per process: what is built is kept."""
    benchmark(bundled_table.__wrapped__)
    measured("bundled table, first call: built from the package's files", "ms")


@pytest.mark.benchmark(group="open the bundled table")
def test_bundled_table_is_kept(benchmark: Any, measured: Any) -> None:
    assert open_table() is open_table()
    benchmark(open_table)
    measured("bundled table, second call: the same object", "µs")


@pytest.mark.benchmark(group="open the official files of three cells")
def test_read_nats(benchmark: Any, measured: Any, rounds: Any, test_data: Path) -> None:
    folder = test_data / "nasbench201" / "NATS-tss-v1_0-3ffb9-simple"
    benchmark.pedantic(read_nats, (folder,), {"trust": True}, rounds=rounds(3), warmup_rounds=1)
    measured("read the official files of three cells", "ms")


@pytest.mark.benchmark(group="a million random cells, three datasets")
def test_a_million_queries(benchmark: Any, measured: Any, file: Path, cells: np.ndarray[Any, Any]) -> None:
    table = Table.load(file)
    benchmark(lambda: [table.accuracy(cells, dataset, "x-valid") for dataset in DATASETS])
    measured("a million random cells in each of three datasets", "s", at_most=0.5)


@pytest.mark.benchmark(group="a million random cells, three datasets")
def test_a_million_looks_into_dictionaries(
    benchmark: Any, measured: Any, rounds: Any, file: Path, cells: np.ndarray[Any, Any]
) -> None:
    """The usual way: one cell at a time, by its string."""
    frame = Table.load(file).frame(cell_strings())
    rows = frame[(frame["split"] == "x-valid") & (frame["epochs"] == 200)]
    known = [dict(zip(part["cell"], part["value"], strict=True)) for _, part in rows.groupby("dataset")]
    names = [cell_strings()[number] for number in cells]
    benchmark.pedantic(lambda: [[values[name] for name in names] for values in known], rounds=rounds(3))
    measured("slow way: the same from dictionaries, by the cells' strings", "s")


@pytest.mark.benchmark(group="one cell at a time")
def test_a_single_query(benchmark: Any, measured: Any) -> None:
    """What a search on the table pays per step."""
    benchmark(open_table().accuracy, [7], "cifar10", "x-valid")
    measured("one cell", "µs")


@pytest.mark.benchmark(group="one cell at a time")
def test_look_ups_of_a_run(benchmark: Any, measured: Any, file: Path) -> None:
    """Fifty cells of one run, every metric."""
    table = Table.load(file)
    names = cell_strings()[:50]
    benchmark(table.frame, names)
    measured("fifty cells of a run, every metric", "ms")


@pytest.mark.benchmark(group="decode a row of four runs")
@pytest.mark.parametrize(
    "metric, mean, std",
    [
        (Metric("cifar100", "ori-test", 200), "73.43", "0.13"),
        (Metric("cifar100", "ori-test", 200), "71.87", "0.57"),
        (Metric("cifar10", "test", 200), "94.10", "0.29"),
    ],
    ids=lambda value: str(value).replace(" ", "-"),
)
def test_decode(benchmark: Any, measured: Any, rounds: Any, file: Path, metric: Metric, mean: str, std: str) -> None:
    table = Table.load(file)
    benchmark.pedantic(decode, (table, [Printed(metric, rounded(mean), rounded(std))], 4), rounds=rounds(3))
    measured(f"decode a row of four runs: {mean} ± {std}, {metric.dataset}, {metric.split}", "s")
