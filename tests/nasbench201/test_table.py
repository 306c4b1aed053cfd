from __future__ import annotations

import hashlib
import io
import pickle
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import run_all
from harness.benchmarks import BENCHMARKS, NASBench201
from harness.benchmarks.nasbench201.benchmark import TableLookup
from harness.benchmarks.nasbench201.space import CELLS, all_cells, index
from harness.benchmarks.nasbench201.table import Metric, NotInTableError, Table, TableError, cell_numbers, open_table
from harness.benchmarks.nasbench201.table.file import MAX_BYTES
from harness.benchmarks.nasbench201.table.table import Accuracies, Cost, cell_strings

deterministic = settings(derandomize=True, max_examples=100)
ALL = np.arange(CELLS)
DATASETS = ("cifar10", "cifar100", "imagenet16-120")
ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
BEST_CIFAR100 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
TEST_200 = Metric("cifar10", "test", 200)


COLUMNS = ["cell", "dataset", "split", "epochs", "value", "trials"]


def test_cells_are_numbered_by_the_space() -> None:
    archs = [("none",) * 6, ("nor_conv_3x3",) * 6, ("skip_connect", *("none",) * 5)]
    strings = [NASBench201().to_string(arch) for arch in archs]
    expected = [index(arch) for arch in archs]
    assert cell_numbers(archs).tolist() == expected
    assert cell_numbers(strings).tolist() == expected
    assert [cell_strings()[number] for number in expected] == strings
    assert cell_numbers(all_cells()).tolist() == list(range(CELLS))
    assert cell_numbers([]).shape == (0,)


@pytest.mark.parametrize("cell", ["", "none", ALL_SKIP[:-1], ALL_SKIP + " ", ("none",) * 5, ("max_pool",) * 6])
def test_what_is_no_cell_has_no_number(cell: Any) -> None:
    with pytest.raises(ValueError, match="not a NAS-Bench-201 cell"):
        cell_numbers([cell])


# Known answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["bundled", "full"])
@pytest.mark.parametrize("dataset, best", [*zip(DATASETS, (91.6067, 73.4933, 46.7333), strict=True)])
def test_best_validation_accuracy(table: str, dataset: str, best: float, request: pytest.FixtureRequest) -> None:
    accuracy, trials = request.getfixturevalue(table).accuracy(ALL, dataset, "x-valid")
    assert accuracy.max() == pytest.approx(best, abs=5e-5)
    assert np.unique(trials, return_counts=True)[1].tolist() == [7456, 8169]
    assert set(trials) == {2, 3}


@pytest.mark.parametrize(
    "dataset, split, best, all_skip",
    [
        ("cifar10", "test", 94.3733, 54.30),
        ("cifar100", "x-test", 73.5133, 15.61),
        ("imagenet16-120", "x-test", 47.3111, 16.32),
        ("cifar100", "ori-test", 73.50333, 15.32),
        ("imagenet16-120", "ori-test", 46.8833, 16.38),
    ],
)
def test_test_accuracies(full: Table, dataset: str, split: str, best: float, all_skip: float) -> None:
    accuracy, trials = full.accuracy(ALL, dataset, split)
    assert accuracy.max() == pytest.approx(best, abs=5e-5)
    assert accuracy[cell_numbers([ALL_SKIP])[0]] == pytest.approx(all_skip, abs=5e-3)
    assert (trials == 3).sum() == 8169


def test_best_cell_of_cifar100(full: Table) -> None:
    accuracy, _ = full.accuracy(ALL, "cifar100", "ori-test")
    assert cell_strings()[accuracy.argmax()] == BEST_CIFAR100
    assert full.accuracy(cell_numbers([BEST_CIFAR100]), "cifar100", "ori-test")[0] == pytest.approx(73.50333, abs=5e-6)


def test_twelve_epochs(full: Table) -> None:
    """Row 1 of the benchmark; only the CIFAR-10 validation value is a mean over two trials."""
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"
    number = cell_numbers([cell])
    answers = {
        (dataset, split): tuple(answer.item() for answer in full.accuracy(number, dataset, split, 12))
        for dataset in DATASETS
        for split in full.splits(dataset, 12)
    }
    assert answers == {
        ("cifar10", "x-valid"): (82.83399999389648, 2),
        ("cifar10", "test"): (88.22, 1),
        ("cifar100", "x-valid"): (57.79999996948242, 1),
        ("cifar100", "x-test"): (58.25999995727539, 1),
        ("cifar100", "ori-test"): (pytest.approx(58.03), 1),
        ("imagenet16-120", "x-valid"): (35.433333353678384, 1),
        ("imagenet16-120", "x-test"): (33.80000003051758, 1),
        ("imagenet16-120", "ori-test"): (pytest.approx(34.616666692), 1),
    }


def test_costs(full: Table) -> None:
    number = cell_numbers(
        ["|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"]
    )
    assert full.train_seconds(number, "cifar10") == 1444.2185997962952
    assert full.train_seconds(number, "cifar10", epochs=12) == pytest.approx(1444.2185997962952 * 12 / 200)
    assert full.latency_seconds(number, "cifar100") == 0.013182918230692545
    assert full.params(number, "imagenet16-120") == 136456
    assert full.params(number, "imagenet16-120").dtype == np.int64
    assert full.flops_millions(number, "cifar10") == 15.64737


def test_trials(full: Table, bundled: Table) -> None:
    """The trials of row 0, in order; and ori-test is known trial by trial only where both of its halves are."""
    number = cell_numbers(
        ["|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"]
    )
    for table in (full, bundled):
        trials = table.trial_accuracies(number, "cifar10", "x-valid")
        assert trials.tolist() == [[82.09199998291015, 81.61599997314453, 82.24000001464844]]
    assert full.trial_accuracies(ALL, "cifar100", "ori-test", 12).shape == (CELLS, 1)
    assert np.isnan(full.trial_accuracies(ALL, "cifar100", "x-valid")[:, 2]).sum() == 7456
    for dataset, split, epochs in (("cifar10", "test", 200), ("cifar100", "ori-test", 200), ("cifar10", "x-valid", 12)):
        with pytest.raises(NotInTableError, match="only means"):
            full.trial_accuracies(number, dataset, split, epochs)


# Queries ------------------------------------------------------------------------------------------------------------


@deterministic
@given(
    seed=st.integers(0, 10**6),
    columns=st.integers(1, 4),
    missing=st.floats(0, 0.9),
    cells=st.lists(st.integers(0, CELLS - 1)),
)
def test_a_query_is_what_one_would_compute_cell_by_cell(
    seed: int, columns: int, missing: float, cells: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    halves = rng.uniform(0, 100, (2, CELLS, columns))
    halves[:, rng.random((CELLS, columns)) < missing] = np.nan
    halves[:, :, 0] = rng.uniform(0, 100, (2, CELLS))
    valid, test = (Accuracies(half) for half in halves)
    table = Table("made up", {Metric("cifar100", "x-valid", 200): valid, Metric("cifar100", "x-test", 200): test}, {})

    accuracy, trials = table.accuracy(cells, "cifar100", "x-valid")
    whole, whole_trials = table.accuracy(cells, "cifar100", "ori-test")
    per_trial = table.trial_accuracies(cells, "cifar100", "x-valid")

    assert accuracy.shape == trials.shape == whole.shape == (len(cells),)
    for row, cell in enumerate(cells):
        there = [value for value in halves[0, cell].tolist() if value == value]
        there_too = [value for value in halves[1, cell].tolist() if value == value]
        assert trials[row] == whole_trials[row] == len(there)
        assert accuracy[row] == pytest.approx(sum(there) / len(there), rel=1e-15)
        assert whole[row] == pytest.approx((sum(there) + sum(there_too)) / (2 * len(there)), rel=1e-14)
        assert [value for value in per_trial[row].tolist() if value == value] == there


@deterministic
@given(seed=st.integers(0, 10**6), cells=st.lists(st.integers(0, CELLS - 1), min_size=1))
def test_means_keep_their_number_of_trials(seed: int, cells: list[int]) -> None:
    """ori-test of a known trial count and an unknown one has an unknown one."""
    rng = np.random.default_rng(seed)
    valid, test = rng.uniform(0, 100, (2, CELLS, 1))
    counts = rng.integers(0, 4, CELLS)
    accuracies = {
        Metric("cifar100", "x-valid", 200): Accuracies(valid, np.full(CELLS, 3)),
        Metric("cifar100", "x-test", 200): Accuracies(test, counts),
    }
    table = Table("made up", accuracies, {})
    whole, trials = table.accuracy(cells, "cifar100", "ori-test")
    assert whole == pytest.approx([(valid[cell, 0] + test[cell, 0]) / 2 for cell in cells], rel=1e-15)
    assert trials.tolist() == [counts[cell] for cell in cells]


def test_a_missing_value_is_a_mean_over_no_trials() -> None:
    known = Accuracies(with_value(np.nan), np.full(CELLS, 3))
    assert known.counts[6:9].tolist() == [3, 0, 3]


@pytest.mark.parametrize(
    "dataset, split, epochs, hint",
    [
        ("cifar10", "ori-test", 200, r"no split 'ori-test'; ask for x-valid .* or test \(all test images"),
        ("cifar10", "x-test", 200, r"no split 'x-test'; ask for x-valid .* or test \(all test images"),
        ("cifar100", "test", 200, r"no split 'test'; ask for .* x-test .* or ori-test"),
        ("imagenet16-120", "valid", 200, r"no split 'valid'; ask for x-valid"),
        ("imagenet", "x-valid", 200, r"no dataset 'imagenet'; it has cifar10, cifar100, imagenet16-120"),
        (
            "cifar10",
            "x-valid",
            12,
            r"no cifar10 x-valid at 12 epochs; of cifar10 it has x-valid at 200 epochs; .*python -m harness table",
        ),
        (
            "cifar10",
            "test",
            200,
            r"no cifar10 test at 200 epochs; of cifar10 it has x-valid at 200 epochs; .*python -m harness table",
        ),
        ("cifar100", "ori-test", 200, r"no cifar100 ori-test at 200 epochs"),
    ],
)
def test_what_the_bundled_table_lacks(bundled: Table, dataset: str, split: str, epochs: int, hint: str) -> None:
    with pytest.raises(NotInTableError, match=hint) as error:
        bundled.accuracy([0], dataset, split, epochs)
    assert isinstance(error.value, LookupError)
    assert "\n" not in str(error.value)


def test_ranks_count_the_cells_that_are_better(small: Table) -> None:
    names = [cell_strings()[number] for number in (CELLS - 1, 0, CELLS - 3)]
    assert small.ranks(names, "cifar10", "test").tolist() == [1, CELLS, 3]
    assert small.ranks(names, "cifar10", "x-valid") is None


def test_equal_cells_share_the_better_rank() -> None:
    values = np.full((CELLS, 1), 50.0)
    values[7], values[:3] = 60.0, 40.0
    table = Table("numbers made up", {Metric("cifar10", "test", 200): Accuracies(values)}, {})
    names = [cell_strings()[number] for number in (7, 5, 2)]
    assert table.ranks(names, "cifar10", "test").tolist() == [1, 2, CELLS - 2]


def test_an_incomplete_table_ranks_nothing() -> None:
    values = np.full((CELLS, 1), 50.0)
    values[3] = np.nan
    table = Table("numbers made up", {Metric("cifar10", "test", 200): Accuracies(values)}, {})
    assert table.ranks([cell_strings()[7]], "cifar10", "test") is None


def test_installed_table_ranks_validation_accuracies_only(bundled: Table) -> None:
    best = bundled.best_cells()
    found = TableLookup(bundled).ranks([*best, "no cell"])
    assert set(found["architecture"]) == set(best)
    assert set(found["split"]) == {"x-valid"}
    assert (found.groupby("dataset")["rank"].min() == 1).all()
    assert (found["rank_of"] == CELLS).all()


def test_a_cost_that_the_table_lacks(full: Table, bundled: Table) -> None:
    with pytest.raises(NotInTableError, match="no flops_millions of cifar100, only of cifar10"):
        full.flops_millions([0], "cifar100")
    with pytest.raises(NotInTableError, match="no flops_millions of cifar10, of no dataset"):
        bundled.flops_millions([0], "cifar10")


def test_cells_that_the_table_lacks() -> None:
    """One of them is enough, and it is named; the others can be asked for."""
    values = np.full((CELLS, 2), np.nan)
    values[5] = 50.0, np.nan
    seconds = values[:, 0].copy()
    table = Table("made up", {TEST_200: Accuracies(values)}, {Cost("train_seconds", "cifar10"): seconds})
    assert [answer.tolist() for answer in table.accuracy([5, 5], "cifar10", "test")] == [[50.0, 50.0], [1, 1]]
    for query in (table.accuracy, table.trial_accuracies):
        with pytest.raises(NotInTableError, match="for 2 of the queried cells") as error:
            query([5, 7, 5, 6], "cifar10", "test")
        assert cell_strings()[7] in str(error.value)
    with pytest.raises(NotInTableError, match="for 1 of the queried cells"):
        table.train_seconds([0, 5], "cifar10")
    assert table.frame(cell_strings())["cell"].tolist() == [cell_strings()[5]]


@pytest.mark.parametrize("cells", [[-1], [CELLS], [0.0], [True], ["0"], np.array([2**63], dtype=np.uint64)])
def test_numbers_that_are_no_cell(small: Table, cells: Any) -> None:
    with pytest.raises(ValueError, match="whole numbers from 0 to 15624"):
        small.accuracy(cells, "cifar10", "test")


def test_what_is_available(full: Table, bundled: Table) -> None:
    assert bundled.splits("cifar10") == ("x-valid",)
    assert bundled.splits("cifar10", 12) == ()
    assert full.splits("cifar10") == ("x-valid", "test")
    assert full.splits("cifar100", 12) == ("x-valid", "x-test", "ori-test")
    assert len(full.available) == 16
    assert bundled.available == tuple(Metric(dataset, "x-valid", 200) for dataset in DATASETS)


def test_frame_holds_everything_that_is_available(full: Table) -> None:
    frame = full.frame([BEST_CIFAR100, ALL_SKIP, BEST_CIFAR100])
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 2 * len(full.available)
    assert not frame.duplicated(COLUMNS[:4]).any()
    assert frame["epochs"].dtype == frame["trials"].dtype == np.int64
    for cell, dataset, split, epochs, value, trials in frame.itertuples(index=False):
        assert full.accuracy(cell_numbers([cell]), dataset, split, epochs) == (value, trials)
    assert list(full.frame([]).columns) == COLUMNS
    assert len(full.frame([])) == 0


def test_arrays_cannot_be_changed(full: Table, small: Table, tmp_path: Path) -> None:
    small.save(tmp_path / "small.npz")
    for table in (full, small, Table.load(tmp_path / "small.npz")):
        with pytest.raises(ValueError, match="read-only"):
            table.accuracies[TEST_200].values[0] = 100.0


def test_fast(full: Table, tmp_path: Path) -> None:
    """Limits for a busy machine of two cores; the measured times are a tenth of them."""
    path = tmp_path / "full.npz"
    full.save(path)
    assert path.stat().st_size < MAX_BYTES
    assert fastest(lambda: Table.load(path)) < 0.05
    cells = np.random.default_rng(0).integers(CELLS, size=1_000_000)
    table = Table.load(path)
    assert fastest(lambda: [table.accuracy(cells, dataset, "x-valid") for dataset in DATASETS]) < 0.5


def fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


# Files --------------------------------------------------------------------------------------------------------------


def test_round_trip(full: Table, tmp_path: Path) -> None:
    path = tmp_path / "full.npz"
    path.write_text("old")
    with path.open() as reader:
        full.save(path)
        assert reader.read() == "old", "whoever reads the old file goes on reading it"
    loaded = open_table(path)
    assert loaded.source == full.source
    assert loaded.accuracies.keys() == full.accuracies.keys()
    assert loaded.costs.keys() == full.costs.keys()
    for metric, known in full.accuracies.items():
        np.testing.assert_array_equal(loaded.accuracies[metric].values, known.values)
        np.testing.assert_array_equal(loaded.accuracies[metric].counts, known.counts)
        assert (loaded.accuracies[metric].trials is None) == (known.trials is None)
    for cost, values in full.costs.items():
        np.testing.assert_array_equal(loaded.costs[cost], values)
    assert loaded.sha256 == full.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert [file.name for file in tmp_path.iterdir()] == ["full.npz"]


def test_numpy_reads_the_file_too(small: Table, tmp_path: Path) -> None:
    small.save(tmp_path / "small.npz")
    with np.load(tmp_path / "small.npz", allow_pickle=False) as file:
        assert file["source"] == "numbers made up"
        np.testing.assert_array_equal(file["accuracy/cifar10/test/200"], small.accuracies[TEST_200].values)


def test_identity_is_that_of_the_content(small: Table) -> None:
    """Not of the time, the order in which it was put together, or the layout in memory."""
    values, seconds = small.accuracies[TEST_200].values, np.ones(CELLS)
    accuracies = {TEST_200: Accuracies(values), Metric("cifar100", "x-test", 12): Accuracies(np.ones((CELLS, 2)))}
    costs = {Cost("params", "cifar10"): seconds, Cost("train_seconds", "cifar10"): seconds}
    one = Table("made up", accuracies, costs)
    transposed = {metric: Accuracies(np.asfortranarray(known.values)) for metric, known in accuracies.items()}
    other = Table("made up", dict(reversed(transposed.items())), dict(reversed(costs.items())))
    assert one.sha256 == other.sha256
    assert one.sha256 == hashlib.sha256(one.to_bytes()).hexdigest()
    changed = values.copy()
    changed[0] = 0.001
    assert Table("made up", accuracies | {TEST_200: Accuracies(changed)}, costs).sha256 != one.sha256
    assert Table("made up too", accuracies, costs).sha256 != one.sha256
    assert Table("made up", accuracies, {}).sha256 != one.sha256


def test_a_save_that_fails_leaves_the_old_file(small: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "small.npz"
    path.write_text("old")

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        small.save(path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["small.npz"]


def npz(compression: int = zipfile.ZIP_STORED, **changes: Any) -> bytes:
    """A table's file in which some entries are replaced by arrays or bytes, or left out (None)."""
    entries: dict[str, Any] = {
        "format": np.array("NAS-Bench-201 table 1"),
        "source": np.array("made up"),
        "accuracy/cifar10/test/200": np.full((CELLS, 1), 50.0),
    }
    entries.update(changes)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, entry in entries.items():
            if isinstance(entry, np.ndarray):
                member = io.BytesIO()
                np.lib.format.write_array(member, entry, version=(1, 0))
                entry = member.getvalue()
            if entry is not None:
                archive.writestr(f"{name}.npy", entry)
    return buffer.getvalue()


def header(shape: tuple[int, ...], descr: str = "<f8") -> bytes:
    """A `.npy` file that promises an array and does not have it."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(64)


def accuracy(values: Any, **more: Any) -> bytes:
    return npz(**{"accuracy/cifar10/test/200": values}, **more)


def with_value(value: float) -> np.ndarray[Any, Any]:
    values = np.full((CELLS, 1), 50.0)
    values[7] = value
    return values


ONES = np.ones((CELLS, 1))
FOREIGN = {
    "empty file": b"",
    "text": b"arch,cifar10_test_200\n|none~0|,10\n",
    "random bytes": np.random.default_rng(0).bytes(10_000),
    "pickle": pickle.dumps({"a": [1.0]}),
    "empty zip": b"PK\x05\x06" + bytes(18),
    "zip of other things": npz(format=b"hello", source=b"hello"),
    "other npz": npz(format=None, source=None),
    "another format": npz(format=np.array("NAS-Bench-201 table 2")),
    "no source": npz(source=None),
    "source of two lines": npz(source=np.array("one\ntwo")),
    "source of two parts": npz(source=np.array(["one", "two"])),
    "source is a number": npz(source=np.array(1.0)),
    "no accuracies": accuracy(None),
    "unknown entry": npz(extra=ONES),
    "unknown split": npz(**{"accuracy/cifar10/ori-test/200": ONES}),
    "compressed": npz(zipfile.ZIP_DEFLATED),
    "truncated": npz()[:-100],
    "first half": npz()[: CELLS * 4],
    "one bit": npz()[: CELLS * 4] + bytes([npz()[CELLS * 4] ^ 1]) + npz()[CELLS * 4 + 1 :],
    "objects": accuracy(np.full((CELLS, 1), None)),
    "one dimension": accuracy(np.ones(CELLS)),
    "three dimensions": accuracy(np.ones((CELLS, 1, 1))),
    "no dimension": accuracy(np.array(1.0)),
    "too few cells": accuracy(np.ones((CELLS - 1, 1))),
    "too many cells": accuracy(np.ones((CELLS + 1, 1))),
    "no trials": accuracy(np.ones((CELLS, 0))),
    "single precision": accuracy(ONES.astype(np.float32)),
    "other byte order": accuracy(ONES.astype(">f8")),
    "whole numbers": accuracy(ONES.astype(np.int64)),
    "columns first": accuracy(np.asfortranarray(np.ones((CELLS, 2)))),
    "nothing but NaN": accuracy(ONES * np.nan),
    "negative": accuracy(with_value(-0.001)),
    "over 100": accuracy(with_value(100.001)),
    "infinite": accuracy(with_value(np.inf)),
    "huge shape": accuracy(header((CELLS, 10**12))),
    "huge one-dimensional shape": accuracy(header((2**62,))),
    "huge header": accuracy(np.lib.format.magic(1, 0) + b"\xff\xff" + bytes(2**16)),
    "huge text": npz(source=header((), "<U500000000")),
    "shape without its numbers": accuracy(header((CELLS, 1))),
    "trials of a table of trials": accuracy(
        np.ones((CELLS, 2)), **{"trials/cifar10/test/200": np.ones(CELLS, dtype=np.int64)}
    ),
    "trials that are fractions": npz(**{"trials/cifar10/test/200": np.ones(CELLS)}),
    "negative trials": npz(**{"trials/cifar10/test/200": -np.ones(CELLS, dtype=np.int64)}),
    "trials without accuracies": npz(**{"trials/cifar10/x-valid/200": np.ones(CELLS, dtype=np.int64)}),
    "cost of another shape": npz(**{"params/cifar10": ONES}),
    "negative cost": npz(**{"params/cifar10": -np.ones(CELLS)}),
    "infinite cost": npz(**{"params/cifar10": np.full(CELLS, np.inf)}),
}


def test_the_file_that_the_foreign_ones_vary_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(npz())
    assert Table.load(tmp_path / "a.npz").accuracy([3], "cifar10", "test") == (50.0, 1)


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(FOREIGN[name])
    tracemalloc.start()
    with pytest.raises(
        TableError, match=r"foreign\.npz is not a NAS-Bench-201 table \(.+\); .*python -m harness table"
    ) as error:
        Table.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ValueError)
    assert peak < 10_000_000


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_not_unpacked(compression: int, tmp_path: Path) -> None:
    """Even if the file's directory is silent about its size."""
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("format.npy", bytes(30_000_000))
        archive.getinfo("format.npy").file_size = 100
    tracemalloc.start()
    with pytest.raises(TableError, match="compressed"):
        Table.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_many_entries_for_the_same_bytes_are_not_read(tmp_path: Path) -> None:
    """A zip directory may name one stretch of the file a thousand times."""
    path = tmp_path / "overlap.npz"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", bytes(100_000))
        archive.filelist *= 1000
    path.write_bytes(buffer.getvalue())
    with pytest.raises(TableError, match="compressed"):
        Table.load(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"cannot read the table .*missing\.npz: no such file"):
        open_table(tmp_path / "missing.npz")
    with pytest.raises(TableError, match="no such file"):
        open_table(tmp_path)
    with pytest.raises(TableError, match="no such file"):
        open_table(Path("/dev/zero"))
    with (tmp_path / "big.npz").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TableError, match="more than 20 MB"):
        open_table(tmp_path / "big.npz")


@pytest.mark.parametrize(
    "accuracies, costs, reason",
    [
        ({Metric("cifar100", "ori-test", 200): Accuracies(ONES.copy())}, {}, "not a measured accuracy"),
        ({Metric("cifar10", "test", 90): Accuracies(ONES.copy())}, {}, "not a measured accuracy"),
        ({TEST_200: Accuracies(ONES.copy())}, {Cost("price", "cifar10"): np.ones(CELLS)}, "not a cost"),
        (
            {TEST_200: Accuracies(with_value(101.0))},
            {},
            r"cifar10 test at 200 epochs: 101\.0 is not .* \(cell \|none~0",
        ),
        ({}, {}, "no accuracies"),
    ],
)
def test_a_table_that_cannot_be_right(accuracies: Any, costs: Any, reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        Table("made up", accuracies, costs)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "fuzzed.npz"


@deterministic
@given(content=st.binary(max_size=2000), zip_like=st.booleans())
def test_random_bytes_are_no_table(scratch: Path, content: bytes, zip_like: bool) -> None:
    scratch.write_bytes(b"PK\x03\x04" + content + b"PK\x05\x06" + content[:18] if zip_like else content)
    with pytest.raises(TableError):
        Table.load(scratch)


@deterministic
@given(header=st.text(max_size=200), fraction=st.floats(0, 1))
def test_random_array_headers_are_no_table(scratch: Path, header: str, fraction: float) -> None:
    text = header.encode()
    member = np.lib.format.magic(1, 0) + len(text).to_bytes(2, "little") + text + bytes(int(fraction * 100))
    scratch.write_bytes(npz(**{"accuracy/cifar10/test/200": member}))
    with pytest.raises(TableError):
        Table.load(scratch)


FILE = npz()
STRUCTURE = [*range(1000), *range(len(FILE) - 500, len(FILE))]
"""Where the file is not just numbers: the names and headers in front, the directory behind."""


@deterministic
@given(flips=st.dictionaries(st.sampled_from(STRUCTURE), st.integers(1, 255), min_size=1, max_size=4))
def test_a_damaged_table_is_an_error_or_harmless(scratch: Path, flips: dict[int, int]) -> None:
    content = bytearray(FILE)
    for position, bits in flips.items():
        content[position] ^= bits
    scratch.write_bytes(content)
    try:
        table = Table.load(scratch)
    except TableError:
        return
    assert table.accuracy(ALL, "cifar10", "test")[0].tolist() == [50.0] * CELLS


@deterministic
@given(length=st.integers(0, len(FILE) - 1))
def test_part_of_a_table_is_no_table(scratch: Path, length: int) -> None:
    scratch.write_bytes(FILE[:length])
    with pytest.raises(TableError):
        Table.load(scratch)


def test_an_architecture_that_is_no_cell_is_a_line_and_stops_no_report(full):
    cell = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    scores, failures = TableLookup(full).scores([cell, "nonsense"])
    assert set(scores["architecture"]) == {cell}
    assert failures == ["'nonsense' is no cell of the benchmark"]


def test_a_table_without_validation_accuracies_cannot_be_queried(full, tmp_path, capsys):
    only = {metric: accuracies for metric, accuracies in full.accuracies.items() if metric.split != "x-valid"}
    replace(full, accuracies=only, sha256="").save(tmp_path / "table.npz")
    words = ["--table", str(tmp_path / "table.npz"), "--seeds", "1", "--results", str(tmp_path / "results")]
    assert run_all.main(["--methods", "random-search", *words]) == 2
    assert "the table has no validation accuracies on CIFAR-10" in capsys.readouterr().err
    assert run_all.main(["--methods", "darts", "--dry-run", *words]) == 0


def test_the_best_cells_are_those_after_200_epochs(full):
    """Those after 12 are never reported."""
    best = full.best_cells()
    for metric in full.available:
        if metric.epochs == 200:
            values, _ = full.accuracy(np.arange(CELLS), metric.dataset, metric.split)
            assert full.accuracy(cell_numbers(best), metric.dataset, metric.split)[0].max() == values.max()
    assert len(best) <= sum(metric.epochs == 200 for metric in full.available)


@pytest.mark.parametrize("number", [0, 77, 1234, 9999, CELLS - 1])
def test_cells_are_retrained_in_the_benchmarks_network(full, number):
    """With the parameters and the multiply-adds that the benchmark has of its own trainings."""
    benchmark = BENCHMARKS["nasbench201"]
    arch = benchmark.full_space.from_string(cell_strings()[number])
    with torch.device("meta"):
        sizes = benchmark.network(arch, benchmark.own_recipe(full=True), 10, large=False).sizes(32)
    assert sizes["parameters"] == full.params(number, "cifar10")
    assert sizes["multiply_adds"] / 1e6 == pytest.approx(full.flops_millions(number, "cifar10"), rel=0.1)
