"""The decoder against brute force, and against rows of the literature whose cells are known."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.benchmarks.nasbench201 import decoder
from harness.benchmarks.nasbench201.decoder import Decoded, Interval, Printed, decode, main, rounded
from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table import Metric, Table, cell_numbers
from harness.benchmarks.nasbench201.table.table import Accuracies, cell_strings

ROOT = Path(__file__).parents[2]
FIRST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
SECOND = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"
ALL_SKIP = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"

CIFAR10 = Metric("cifar10", "test", 200)
CIFAR100 = Metric("cifar100", "ori-test", 200)
IMAGENET = Metric("imagenet16-120", "ori-test", 200)


def printed(metric: Metric, mean: str, std: str | None = None) -> Printed:
    return Printed(metric, rounded(mean), None if std is None else rounded(std))


def multisets(decoded: Decoded) -> list[dict[str, int]]:
    """Of each solution, its cells and how often they are there; equal ones joined by a space."""
    return [{" ".join(part.cells): part.times for part in solution.parts} for solution in decoded.solutions]


# Rows of the literature ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dataset, split, cells, mean, std",
    [
        ("cifar100", "ori-test", [FIRST, FIRST, FIRST, SECOND], "73.43", "0.13"),
        ("cifar100", "x-test", [FIRST, FIRST, FIRST, SECOND], "73.41", "0.18"),
        ("imagenet16-120", "ori-test", [FIRST] * 4, "46.36", "0.00"),
        ("imagenet16-120", "x-test", [FIRST] * 4, "46.34", "0.00"),
    ],
)
def test_the_published_single_level_row_is_four_known_cells(
    full: Table, dataset: str, split: str, cells: list[str], mean: str, std: str
) -> None:
    """From the table alone: mean and population standard deviation print as published (ori-test)."""
    accuracy, _ = full.accuracy(cell_numbers(cells), dataset, split)
    assert (f"{accuracy.mean():.2f}", f"{accuracy.std():.2f}") == (mean, std)


def test_the_published_single_level_row_is_no_other_cells(full: Table) -> None:
    four = decode(full, [printed(CIFAR100, "73.43", "0.13")], n=4)
    assert multisets(four) == [{SECOND: 1, FIRST: 3}]
    assert four.solutions[0].means == pytest.approx([73.4275], abs=1e-6)
    assert four.solutions[0].stds == pytest.approx([0.13135], abs=1e-5)
    assert multisets(decode(full, [printed(IMAGENET, "46.36", "0.00")], n=4)) == [{FIRST: 4}]
    assert decode(full, [printed(CIFAR100, "73.43", "0.13")], n=4, ddof=1).total == 0


@pytest.mark.parametrize(
    "metric, mean, std, values",
    [
        (CIFAR100, "71.87", "0.57", [72.0167, 71.36, 72.7433, 71.36]),
        pytest.param(IMAGENET, "45.69", "0.56", [45.2, 46.1333, 45.0833, 46.3556], marks=pytest.mark.faults),
    ],
)
def test_the_published_bilevel_row_is_among_many(
    full: Table, metric: Metric, mean: str, std: str, values: list[float]
) -> None:
    """The values of its four runs are known from a figure."""
    decoded = decode(full, [printed(metric, mean, std)], n=4, limit=100_000)
    assert decoded.total == len(decoded.solutions) > 1000
    found = {
        tuple(sorted(round(part.values[0], 4) for part in solution.parts for _ in range(part.times)))
        for solution in decoded.solutions
    }
    assert len(found) == decoded.total
    assert tuple(sorted(values)) in found


@pytest.mark.parametrize(
    "row, cells",
    [
        ({"cifar10:test": "94.36", "cifar100:x-test": "73.51", "imagenet16-120:x-test": "46.34"}, [FIRST]),
        ({"cifar10:x-valid": "91.55", "cifar100:x-valid": "73.49", "imagenet16-120:x-valid": "46.37"}, [FIRST]),
        ({"cifar10:test": "54.30", "cifar100:x-test": "15.61", "imagenet16-120:x-test": "16.32"}, [ALL_SKIP]),
        ({"cifar10:test": "93.97", "cifar100:x-test": "70.86", "imagenet16-120:x-test": "43.63"}, []),
    ],
)
def test_rows_of_one_cell(
    full_table: str, row: dict[str, str], cells: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The last, printed for ResNet in the literature, is of an older file of the benchmark."""
    means = [argument for column, mean in row.items() for argument in ("--mean", f"{column}={mean}")]
    assert main(["--table", full_table, *means]) == (0 if cells else 1)
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.startswith(f"{len(cells) or 'no'} solution\n")
    assert [line.split()[-1] for line in output.splitlines() if "|" in line] == cells
    assert "±" not in output


def test_a_row_whose_dataset_names_are_mixed_up_has_no_cell(full: Table) -> None:
    """All columns count: one alone has many cells."""
    alone = decode(full, [printed(Metric("cifar10", "test", 200), "94.36")])
    both = decode(full, [printed(CIFAR10, "94.36"), printed(Metric("cifar100", "x-test", 200), "46.34")])
    assert (alone.total, both.total) == (1, 0)


def test_the_command_line_for_several_cells(full_table: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = ["--mean", "cifar100:ori-test=73.43", "--std", "cifar100:ori-test=0.13", "-n", "4", "--ddof", "0"]
    assert main(["--table", full_table, *row]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 solution",
        "1. cifar100 ori-test at 200 epochs: 73.4275 ± 0.1313",
        f"   1 x 73.2000  {SECOND}",
        f"   3 x 73.5033  {FIRST}",
    ]


def test_cells_with_equal_values_are_one_solution(full: Table) -> None:
    """The best accuracy on CIFAR-10 is that of two cells; CIFAR-100 tells them apart."""
    best = decode(full, [printed(CIFAR10, "94.37")])
    assert [len(solution.parts[0].cells) for solution in best.solutions] == [2]
    for cell in best.solutions[0].parts[0].cells:
        number = cell_numbers([cell])
        assert full.accuracy(number, *CIFAR10)[0] == pytest.approx(94.3733, abs=5e-5)
        other = Printed(CIFAR100, rounded(f"{full.accuracy(number, *CIFAR100)[0][0]:.2f}"))
        both = decode(full, [printed(CIFAR10, "94.37"), other])
        assert multisets(both) == [{cell: 1}]


def test_a_long_list_is_cut_and_says_so(full_table: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = ["--mean", "cifar100:ori-test=71.87", "--std", "cifar100:ori-test=0.57", "-n", "4", "--limit", "3"]
    assert main(["--table", full_table, *row]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(" solutions, of which 3 are listed")
    assert sum(line[0].isdigit() for line in lines[1:]) == 3


# Brute force ---------------------------------------------------------------------------------------------------------

METRICS = [CIFAR10, Metric("cifar100", "x-test", 200)]


def small(values: np.ndarray) -> Table:
    """A table of which only the first cells have values, (D, C)."""
    columns = np.full((CELLS, len(METRICS)), np.nan)
    columns[: len(values), : values.shape[1]] = values
    known = {metric: Accuracies(columns[:, [c]]) for c, metric in enumerate(METRICS) if c < values.shape[1]}
    return Table("made up", known, {})


def inside(value: float, interval: Interval | None) -> bool:
    return interval is None or interval.low <= value <= interval.high


@settings(derandomize=True, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    different=st.integers(1, 9),
    columns=st.integers(1, 2),
    n=st.integers(1, 5),
    ddof=st.integers(0, 1),
    decimals=st.integers(0, 2),
    spread=st.sampled_from([1, 20, 600]),
    with_std=st.booleans(),
)
def test_finds_what_trying_everything_finds(
    seed: int, different: int, columns: int, n: int, ddof: int, decimals: int, spread: int, with_std: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = 60 + rng.integers(0, 3 * spread, (different, columns)) / 600  # accuracies over 10,000 images and trials
    hidden = values[rng.integers(different, size=n)]
    row = [
        Printed(
            METRICS[c],
            rounded(f"{hidden[:, c].mean():.{decimals}f}"),
            rounded(f"{hidden[:, c].std(ddof=ddof):.{decimals}f}") if with_std and n > 1 else None,
        )
        for c in range(columns)
    ]
    expected = set()
    for chosen in itertools.combinations_with_replacement(sorted({tuple(line) for line in values.tolist()}), n):
        array = np.array(chosen)
        stds = array.std(axis=0, ddof=ddof) if n > 1 else np.zeros(columns)
        if all(inside(array[:, c].mean(), row[c].mean) and inside(stds[c], row[c].std) for c in range(columns)):
            expected.add(chosen)
    decoded = decode(small(values), row, n=n, ddof=ddof, limit=10_000)
    found = [
        tuple(sorted(part.values for part in solution.parts for _ in range(part.times)))
        for solution in decoded.solutions
    ]
    assert len(found) == len(set(found)) == decoded.total
    assert set(found) == expected
    assert tuple(sorted(map(tuple, hidden.tolist()))) in expected
    names = {cell_strings()[d]: tuple(line) for d, line in enumerate(values.tolist())}
    for solution in decoded.solutions:
        for part in solution.parts:
            assert set(part.cells) == {cell for cell, line in names.items() if line == part.values}


def test_pairs_are_looked_at_in_pieces(full: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    row = [printed(CIFAR100, "71.87", "0.57")]
    at_once = decode(full, row, n=4, limit=10)
    monkeypatch.setattr(decoder, "CHUNK", 1000)
    assert decode(full, row, n=4, limit=10) == at_once


# Rounding ------------------------------------------------------------------------------------------------------------


def test_a_half_may_have_been_rounded_either_way() -> None:
    assert rounded("73.43") == pytest.approx((73.425, 73.435), abs=1.1e-6)
    for text in ("50.12", "50.13"):
        assert decode(small(np.array([[50.125]])), [printed(CIFAR10, text)]).total == 1
    for text in ("50.11", "50.14"):
        assert decode(small(np.array([[50.125]])), [printed(CIFAR10, text)]).total == 0
    for noise in (-1e-7, 1e-7):
        assert decode(small(np.array([[50.125 + noise], [50.125]])), [printed(CIFAR10, "50.13")]).total == 1


def test_decimals() -> None:
    assert rounded("94") == pytest.approx((93.5, 94.5), abs=1.1e-6)
    assert rounded("94.4", decimals=2) == rounded("94.40")
    with pytest.raises(ValueError, match="more than 1 decimals"):
        rounded("94.36", decimals=1)


@pytest.mark.parametrize("text", ["", "-1", "nan", "1e3", "94,36", "94.", ".5", "94.36%", "٣", "1" * 300])
def test_what_is_no_printed_number(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number as in a table"):
        rounded(text)


# What cannot be answered ---------------------------------------------------------------------------------------------

MEAN = ["--mean", "cifar10:test=91.63"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            [*MEAN, "--std", "cifar10:test=2.57", "-n", "4"],
            "too many multisets of 4 among 4522 different values could fit",
        ),
        ([*MEAN, "-n", "1000"], "too many multisets"),
        ([*MEAN, "--std", "cifar10:test=2.57"], "give their number (n)"),
        ([*MEAN, "--std", "cifar100:x-test=2.57", "-n", "4"], "a --std without a --mean: cifar100:x-test"),
        ([*MEAN, *MEAN], "cifar10:test is given twice"),
        ([*MEAN, "-n", "0"], "n of at least 1"),
        ([*MEAN, "--decimals", "1"], "91.63 has more than 1 decimals"),
        (["--mean", "cifar10=91.63"], "'cifar10' is not a column such as cifar100:x-test"),
        (["--mean", "cifar10:test"], "'' is not a number as in a table"),
        (["--mean", "cifar10:x-test=91.63"], "cifar10 has no split 'x-test'"),
        (["--mean", "cifar100:test=73.51"], "cifar100 has no split 'test'"),
        ([*MEAN, "--epochs", "90"], "no cifar10 test at 90 epochs"),
        ([*MEAN, "--table", "missing.npz"], "cannot read the table missing.npz"),
    ],
)
def test_one_line_says_what_is_wrong(
    full_table: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--table", full_table, *arguments]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_cells_without_the_numbers_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the answer says that it does not cover them."""
    small(np.array([[50.0, np.nan], [50.0, 30.0]])).save(tmp_path / "a.npz")
    row = ["--table", str(tmp_path / "a.npz"), "--mean", "cifar10:test=50.00", "--mean", "cifar100:x-test=30.00"]
    assert main(row) == 0
    assert capsys.readouterr().out.splitlines() == [
        "the table has these accuracies of only 1 of the 15625 cells",
        "1 solution",
        "1. cifar10 test at 200 epochs: 50.0000; cifar100 x-test at 200 epochs: 30.0000",
        f"   1 x 50.0000 / 30.0000  {cell_strings()[1]}",
    ]
    small(np.array([[50.0, np.nan], [np.nan, 30.0]])).save(tmp_path / "a.npz")
    assert main(row) == 1
    assert "no solution" in capsys.readouterr().out


def test_runs_as_a_module_without_torch(full_table: str) -> None:
    command = [
        sys.executable,
        "-W",
        "error",
        "-X",
        "importtime",
        "-m",
        "harness.benchmarks.nasbench201.decoder",
        "--table",
        full_table,
    ]
    done = subprocess.run(
        [*command, "--mean", "cifar10:test=94.36"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("1 solution\n")
    assert "numpy" in done.stderr
    assert "| torch" not in done.stderr
