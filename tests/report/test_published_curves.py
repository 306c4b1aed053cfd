"""The file of published curves."""

from __future__ import annotations

import numpy as np
import pytest

from harness.benchmarks import BENCHMARKS
from harness.report.published import load as load_values
from harness.report.published_curves import COLUMNS, load
from tests.report.conftest import PUBLISHED

PATH = PUBLISHED.with_name("published_curves.csv")


def _curves(**wanted):
    return [curve for curve in load(PATH) if all(getattr(curve, key) == value for key, value in wanted.items())]


def test_last_accuracies_of_the_bilevel_runs_are_the_published_row():
    for dataset, mean, std in (("cifar10", 91.63, 2.57), ("cifar100", 71.87, 0.57), ("imagenet16-120", 45.69, 0.56)):
        runs = _curves(quantity="accuracy", dataset=dataset)
        last = np.array([curve.values[-1] for curve in runs])
        assert [(curve.run, len(curve.values)) for curve in runs] == [(run, 25) for run in (1, 2, 3, 4)]
        assert (last.mean(), last.std()) == pytest.approx((mean, std), abs=0.005)  # ddof 0


def test_entropies_begin_near_the_uniform_level():
    curves = _curves(quantity="entropy")
    assert {(curve.space, curve.registry_name) for curve in curves} == {
        ("nasbench201", "darts"),
        ("nasbench201", "gaea-darts-bilevel"),
        ("darts", "pc-darts"),
        ("darts", "gaea-pc-darts"),
        *((f"nasbench1shot1-{number}", name) for number in (1, 2, 3) for name in ("pc-darts", "gaea-pc-darts")),
    }
    for curve in curves:
        three_operations = curve.cell_type == "operations"  # of each block, among choices with more options
        uniform = np.log(3 if three_operations else curve.operations)
        assert len(curve.values) == (49 if three_operations else 50)  # or those after the first epoch are not there
        assert uniform - 0.06 < curve.values[0] <= uniform


def test_last_regrets_are_the_published_rows():
    published = load_values(PUBLISHED)
    curves = _curves(quantity="regret")
    assert len(curves) == 6
    for curve in curves:
        fraction, accuracy = (
            published.values(curve.registry_name, curve.space, "cifar10", metric)[0]
            for metric in ("test_regret", "test_accuracy")
        )
        assert len(curve.values) == 49  # of 50 epochs, the first of which is that before training
        assert curve.values[-1] == pytest.approx(100 * fraction.mean, abs=6e-4)
        optimum = BENCHMARKS[curve.space].optima["cifar10", "test"]
        assert accuracy.mean == pytest.approx(optimum - 100 * fraction.mean, abs=1e-3)
        assert accuracy.std == pytest.approx(100 * fraction.std, abs=1e-9)


ROW = ["nasbench201", "darts", "DARTS", "entropy", "", "", "4", "normal", "p", "1", "decoded", "s", "1.0 0.9"]


def _write(path, *rows, columns=COLUMNS):
    path.write_text("\n".join(",".join(row) for row in (columns, *rows)))
    return path


def test_a_row_is_read(tmp_path):
    (curve,) = load(_write(tmp_path / "curves.csv", ROW))
    assert (curve.operations, curve.run, curve.values.tolist()) == (4, 1, [1.0, 0.9])


def test_uncertain_curves_are_left_out(tmp_path):
    uncertain = ["uncertain" if name == "status" else text for name, text in zip(COLUMNS, ROW, strict=True)]
    assert len(load(_write(tmp_path / "curves.csv", uncertain, ROW))) == 1


@pytest.mark.parametrize(
    "column,value,reason",
    [
        ("quantity", "loss", "unknown quantity 'loss'"),
        ("status", "guessed", "unknown status 'guessed'"),
        ("operations", "four", "invalid literal"),
        ("values", "", "expected finite values"),
        ("values", "1.0 nan", "expected finite values"),
        ("values", "1.0 -2", "expected finite values"),
        ("values", "1.0 x", "could not convert"),
    ],
)
def test_malformed_row_is_named(tmp_path, column, value, reason):
    row = [value if name == column else text for name, text in zip(COLUMNS, ROW, strict=True)]
    with pytest.raises(ValueError, match=f"row 1: .*{reason}"):
        load(_write(tmp_path / "curves.csv", row))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the columns"):
        load(_write(tmp_path / "curves.csv", columns=["a", "b"]))
    with pytest.raises(ValueError, match="not a table of published curves"):
        load(_write(tmp_path / "empty.csv", columns=[]).with_name("empty.csv"))
    with pytest.raises(ValueError, match="row 1: 2 values for 13 columns"):
        load(_write(tmp_path / "short.csv", ["a", "b"]))
    with pytest.raises(OSError, match="No such file"):
        load(tmp_path / "none.csv")
