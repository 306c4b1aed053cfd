from __future__ import annotations

import csv
import gzip
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table import Metric, Table, cell_numbers
from harness.benchmarks.nasbench201.table.convert import KEPT, main
from harness.benchmarks.nasbench201.table.table import cell_strings

ALL = np.arange(CELLS)
Rows = list[list[str]]


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def rows() -> Rows:
    """A CSV of one accuracy: cell number n has n / 200 percent."""
    return [["arch", "cifar10_test_200"], *([cell, str(n / 200)] for n, cell in enumerate(cell_strings()))]


def test_bundled(tmp_path: Path, bundled: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bundled.npz"
    assert main(["bundled", str(path)]) == 0
    assert Table.load(path).sha256 == bundled.sha256
    output = capsys.readouterr().out
    assert f"wrote {path}: {path.stat().st_size} bytes, SHA-256 {bundled.sha256}" in output
    assert "cifar100 x-valid at 200 epochs: 15625 cells, trials per cell: 2 or 3" in output
    assert "flops_millions: none" in output


def test_csv(csv_file: Path, full: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kept number of some rows is in the table exactly as it is in the file."""
    path = tmp_path / "full.npz"
    assert main([str(csv_file), str(path)]) == 0
    table = Table.load(path)
    assert table.sha256 == full.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert hashlib.sha256(csv_file.read_bytes()).hexdigest() in table.source
    output = capsys.readouterr().out
    assert "ignored columns: index, unique, wrong_size_trials, params_millions" in output
    assert "imagenet16-120 ori-test at 12 epochs: 15625 cells, trials per cell: 1\n" in output
    with gzip.open(csv_file, "rt", newline="") as file:
        for row in list(csv.DictReader(file))[::500]:
            number = cell_numbers([row["arch"]])[0]
            assert {name: float(row[name] or "nan") for name in KEPT} == pytest.approx(
                kept(table, number), rel=0, nan_ok=True
            )


def kept(table: Table, number: int) -> dict[str, float]:
    """One cell of a full table, under the names of the columns."""
    found = {"flops_millions": table.flops_millions([number], "cifar10")[0]}
    for prefix, dataset, test in (
        ("cifar10", "cifar10", "test"),
        ("cifar100", "cifar100", "x-test"),
        ("imagenet16", "imagenet16-120", "x-test"),
    ):
        found[f"{prefix}_test_200"] = table.accuracy([number], dataset, test)[0][0]
        found[f"{prefix}_test_12"] = table.accuracy([number], dataset, test, 12)[0][0]
        found[f"{prefix}_valid_12"] = table.accuracy([number], dataset, "x-valid", 12)[0][0]
        found[f"{prefix}_train_seconds_200"] = table.train_seconds([number], dataset)[0]
        found[f"{prefix}_latency_seconds"] = table.latency_seconds([number], dataset)[0]
        found[f"{prefix}_params"] = table.params([number], dataset)[0]
        for trial, value in enumerate(table.trial_accuracies([number], dataset, "x-valid")[0]):
            found[f"{prefix}_valid_200_t{trial}"] = value
    return found


def test_any_order_of_rows_and_columns(rows: Rows, tmp_path: Path) -> None:
    shuffled = [rows[0], *(rows[1 + n] for n in np.random.default_rng(0).permutation(CELLS))]
    source = write(tmp_path / "a.csv", [[value, "ignored", cell] for cell, value in shuffled])
    assert main([str(source), str(tmp_path / "a.npz")]) == 0
    accuracy, trials = Table.load(tmp_path / "a.npz").accuracy(ALL, "cifar10", "test")
    assert accuracy.tolist() == (ALL / 200).tolist()
    assert set(trials) == {0}, "how many trials a mean is over is known from the trials only"


def test_plain_and_gzipped_with_byte_order_mark(rows: Rows, tmp_path: Path) -> None:
    plain = write(tmp_path / "a.csv", rows)
    plain.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    for name in ("a.csv", "b.csv.gz"):
        assert main([str(tmp_path / name), str(tmp_path / f"{name}.npz")]) == 0
    tables = [Table.load(tmp_path / f"{name}.npz") for name in ("a.csv", "b.csv.gz")]
    assert (
        tables[0].accuracy(ALL, "cifar10", "test")[0].tolist() == tables[1].accuracy(ALL, "cifar10", "test")[0].tolist()
    )


def test_missing_values_and_empty_columns(rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows[0].append("cifar100_valid_12")
    for row in rows[1:]:
        row.append("")
    rows[3][1] = ""
    assert main([str(write(tmp_path / "a.csv", rows)), str(tmp_path / "a.npz")]) == 0
    assert "cifar10 test at 200 epochs: 15624 cells, trials per cell: unknown" in capsys.readouterr().out
    assert Table.load(tmp_path / "a.npz").available == (Metric("cifar10", "test", 200),)


def drop_row(rows: Rows) -> None:
    del rows[5]


def repeat_row(rows: Rows) -> None:
    rows[5][0] = rows[6][0]


def bad_cell(rows: Rows) -> None:
    rows[5][0] = "|none~0|"


def empty_cell(rows: Rows) -> None:
    rows[5][0] = ""


def text(rows: Rows) -> None:
    rows[5][1] = "high"


def python_literal(rows: Rows) -> None:
    rows[5][1] = "1_0"


def too_high(rows: Rows) -> None:
    rows[5][1] = "100.5"


def infinite(rows: Rows) -> None:
    rows[5][1] = "inf"


def negative(rows: Rows) -> None:
    rows[5][1] = "-1"


def short_row(rows: Rows) -> None:
    rows[5].pop()


def no_arch(rows: Rows) -> None:
    rows[0][0] = "architecture"


def nothing_kept(rows: Rows) -> None:
    rows[0][1] = "cifar10_test_100"


def twice_the_same_name(rows: Rows) -> None:
    rows[0].append("cifar10_test_200")
    for row in rows[1:]:
        row.append("1")


def no_rows(rows: Rows) -> None:
    del rows[1:]


def nothing(rows: Rows) -> None:
    rows.clear()


ERRORS: list[tuple[Callable[[Rows], None], str]] = [
    (
        drop_row,
        "1 of the 15625 cells are missing, the first is |none~0|+|none~0|none~1|+|none~0|none~1|avg_pool_3x3~2|",
    ),
    (repeat_row, "occurs 2 times"),
    (bad_cell, "not a NAS-Bench-201 cell: '|none~0|'"),
    (empty_cell, "not a NAS-Bench-201 cell: ''"),
    (text, "column cifar10_test_200: could not convert string to float: 'high'"),
    (python_literal, "column cifar10_test_200: could not convert string to float: '1_0'"),
    (too_high, "cifar10 test at 200 epochs: 100.5 is not between 0 and 100"),
    (infinite, "cifar10 test at 200 epochs: inf is not between 0 and 100"),
    (negative, "cifar10 test at 200 epochs: -1.0 is not between 0 and 100"),
    (short_row, "row 5 below the header has 1 fields, the header 2"),
    (no_arch, "no column arch"),
    (nothing_kept, "no accuracies"),
    (twice_the_same_name, "two columns have the same name"),
    (no_rows, "no header with rows below it"),
    (nothing, "no header with rows below it"),
]


@pytest.mark.parametrize("damage, message", ERRORS, ids=[damage.__name__ for damage, _ in ERRORS])
def test_wrong_csv(
    damage: Callable[[Rows], None], message: str, rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(rows)
    source = write(tmp_path / "wrong.csv", rows)
    assert_fails([str(source), str(tmp_path / "out.npz")], message, capsys)
    assert not (tmp_path / "out.npz").exists()


def assert_fails(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.csv", b"\xff\xfe\x00", "can't decode"),
        ("a.csv", b"arch\n\x00\n", "a.csv"),
        ("a.csv", b"arch\n" + b"x" * 200_000, "a.csv: field larger than field limit"),
        ("a.csv.gz", b"arch,x\n", "a.csv.gz: not a gzip file, or a corrupt one"),
        ("a.csv.gz", gzip.compress(b"arch,x\n" * 1000, mtime=0)[:-20], "a.csv.gz: not a gzip file, or a corrupt one"),
        (
            "a.csv.gz",
            gzip.compress(b"arch,x\n", mtime=0)[:10] + b"\xff" * 20,
            "a.csv.gz: not a gzip file, or a corrupt one",
        ),
        ("a.txt", b"arch,x\n", "expected the word bundled, a .csv or .csv.gz file"),
    ],
)
def test_wrong_files(
    name: str, content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert_fails([str(tmp_path / name), str(tmp_path / "out.npz")], message, capsys)


def test_wrong_paths(rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(write(tmp_path / "a.csv", rows))
    assert_fails([str(tmp_path / "missing.csv"), str(tmp_path / "out.npz")], "cannot read", capsys)
    assert_fails([source, source], "the name of a table must end with .npz", capsys)
    assert_fails([source, str(tmp_path / "no folder" / "out.npz")], "cannot write", capsys)
    (tmp_path / "folder.npz").mkdir()
    assert_fails([source, str(tmp_path / "folder.npz")], "cannot write", capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "folder.npz"]


def test_names_are_text_in_what_is_printed(rows: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    escape = "\x1b]0;a title\x07"
    assert_fails([str(tmp_path / f"{escape}.csv"), str(tmp_path / "out.npz")], " ]0;a title .csv", capsys)
    rows[0][0:0], rows[1:] = [escape], [["", *row] for row in rows[1:]]
    out = tmp_path / f"{escape}.npz"
    assert main([str(write(tmp_path / "a.csv", rows)), str(out)]) == 0
    assert out.exists()
    assert "\x1b" not in capsys.readouterr().out


def test_the_command_line() -> None:
    command = [sys.executable, "-W", "error", "-m", "harness.benchmarks.nasbench201.table.convert"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert "DATASET_valid_200_t0..t2" in shown.stdout
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
