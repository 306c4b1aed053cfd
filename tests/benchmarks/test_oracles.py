"""How long look-ups take: `pytest tests/benchmarks/test_oracles.py`, with pytest-benchmark.

The limits are wide enough for a busy machine of two cores. Beside each fast way stands the slow one that it replaces,
so that the ratio can be read off one table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.oracles import Metric, Table, open_table
from harness.oracles.bundled import bundled_table
from harness.oracles.cells import cell_strings
from harness.oracles.convert import read_csv
from harness.oracles.nats import read_nats
from harness.report.decoder import Printed, decode, rounded
from harness.spaces.nasbench201 import CELLS

DATASETS = ("cifar10", "cifar100", "imagenet16-120")
QUERIES = 1_000_000


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
def test_load(benchmark: Any, file: Path) -> None:
    benchmark(Table.load, file)
    assert benchmark.stats["min"] < 0.05


@pytest.mark.benchmark(group="open the table with everything")
def test_load_and_first_query(benchmark: Any, file: Path) -> None:
    """The means are computed when they are first asked for."""
    benchmark(lambda: Table.load(file).accuracy([0], "cifar10", "x-valid"))
    assert benchmark.stats["min"] < 0.05


@pytest.mark.benchmark(group="open the table with everything")
def test_read_csv(benchmark: Any, csv: Path) -> None:
    benchmark.pedantic(read_csv, (csv,), rounds=3)


@pytest.mark.benchmark(group="open the table with everything")
def test_read_bundled_pickles(benchmark: Any) -> None:
    """Validation accuracies only."""
    benchmark(bundled_table.__wrapped__)


@pytest.mark.benchmark(group="open the official files of three cells")
def test_read_nats(benchmark: Any, test_data: Path) -> None:
    folder = test_data / "nasbench201" / "NATS-tss-v1_0-3ffb9-simple"
    benchmark.pedantic(read_nats, (folder,), {"trust": True}, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="a million random cells, three datasets")
def test_a_million_queries(benchmark: Any, file: Path, cells: np.ndarray[Any, Any]) -> None:
    table = Table.load(file)
    benchmark(lambda: [table.accuracy(cells, dataset, "x-valid") for dataset in DATASETS])
    assert benchmark.stats["min"] < 0.5


@pytest.mark.benchmark(group="a million random cells, three datasets")
def test_a_million_looks_into_dictionaries(benchmark: Any, file: Path, cells: np.ndarray[Any, Any]) -> None:
    """The usual way: one cell at a time, by its string."""
    frame = Table.load(file).frame(cell_strings())
    rows = frame[(frame["split"] == "x-valid") & (frame["epochs"] == 200)]
    known = [dict(zip(part["cell"], part["value"], strict=True)) for _, part in rows.groupby("dataset")]
    names = [cell_strings()[number] for number in cells]
    benchmark.pedantic(lambda: [[values[name] for name in names] for values in known], rounds=3)


@pytest.mark.benchmark(group="one cell at a time")
def test_a_single_query(benchmark: Any) -> None:
    """What a search on the table pays per step."""
    benchmark(open_table().accuracy, [7], "cifar10", "x-valid")
    assert benchmark.stats["min"] < 1e-4


@pytest.mark.benchmark(group="one cell at a time")
def test_look_ups_of_a_run(benchmark: Any, file: Path) -> None:
    """Fifty cells of one run, every metric."""
    table = Table.load(file)
    names = cell_strings()[:50]
    benchmark(table.frame, names)


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
def test_decode(benchmark: Any, file: Path, metric: Metric, mean: str, std: str) -> None:
    table = Table.load(file)
    benchmark.pedantic(decode, (table, [Printed(metric, rounded(mean), rounded(std))], 4), rounds=3)
    assert benchmark.stats["min"] < 2
