"""The official files, as far as there is a sample of them, against the table from the CSV."""

from __future__ import annotations

import bz2
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.benchmarks.nasbench201.table import NotInTableError, Table, TableError, cell_numbers
from harness.benchmarks.nasbench201.table.cells import cell_strings
from harness.benchmarks.nasbench201.table.convert import main, read_source
from harness.benchmarks.nasbench201.table.official import checksum, read_nats

ROOT = Path(__file__).parents[2]
SAMPLE = {
    0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    11: "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|",
    284: "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|",
}
CELLS = cell_numbers(SAMPLE.values())
DATASETS = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16-120": "ImageNet16-120"}


@pytest.fixture(scope="session")
def folder(test_data: Path) -> Path:
    return test_data / "nasbench201" / "NATS-tss-v1_0-3ffb9-simple"


@pytest.fixture(scope="session")
def table(folder: Path) -> Table:
    return read_nats(folder, trust=True)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy").chmod(0o755)
    return tmp_path / "copy"


def package(folder: Path) -> Any:
    """The package of the benchmark, on the sample."""
    import nats_bench  # loads for a second, and only here

    return nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)


def whole_file(folder: Path, path: Path) -> Path:
    """The sample in one file, laid out as the official one."""
    content = {
        "meta_archs": load(folder / "meta.pickle.pbz2")["meta_archs"],
        "arch2infos": {index: load(folder / f"{index:06d}.pickle.pbz2") for index in SAMPLE},
        "evaluated_indexes": list(SAMPLE),
    }
    return dump(content, path)


def load(path: Path) -> Any:
    with bz2.open(path) as file:
        return pickle.load(file)


def dump(content: Any, path: Path) -> Path:
    path.unlink(missing_ok=True)
    path.write_bytes(bz2.compress(pickle.dumps(content)))
    return path


def test_every_value_is_that_of_the_csv(table: Table, full: Table) -> None:
    assert table.available == full.available
    for metric in full.available:
        accuracy, trials = table.accuracy(CELLS, *metric)
        expected, expected_trials = full.accuracy(CELLS, *metric)
        np.testing.assert_allclose(accuracy, expected, rtol=1e-14, err_msg=str(metric))
        assert trials.tolist() == expected_trials.tolist(), metric
    for dataset in DATASETS:
        np.testing.assert_array_equal(
            table.trial_accuracies(CELLS, dataset, "x-valid"), full.trial_accuracies(CELLS, dataset, "x-valid")
        )
        np.testing.assert_allclose(
            table.train_seconds(CELLS, dataset), full.train_seconds(CELLS, dataset), rtol=1e-14, err_msg=dataset
        )
        np.testing.assert_array_equal(table.latency_seconds(CELLS, dataset), full.latency_seconds(CELLS, dataset))
        np.testing.assert_array_equal(table.params(CELLS, dataset), full.params(CELLS, dataset))
    np.testing.assert_array_equal(table.flops_millions(CELLS, "cifar10"), full.flops_millions(CELLS, "cifar10"))


@pytest.mark.parametrize("index", SAMPLE)
@pytest.mark.parametrize("epochs", [12, 200])
def test_every_value_is_that_of_the_package(table: Table, folder: Path, index: int, epochs: int) -> None:
    """Mean over the trials, in whichever order numpy sums; ori-test as the package records it, to the single precision
    of its halves."""
    api = package(folder)
    cell = cell_numbers([api.arch(index)])
    for dataset, name in DATASETS.items():
        info = api.get_more_info(index, name, hp=str(epochs), is_random=False)
        halves = (
            api.get_more_info(index, "cifar10-valid", hp=str(epochs), is_random=False) if name == "cifar10" else info
        )
        assert table.accuracy(cell, dataset, "x-valid", epochs)[0] == pytest.approx(halves["valid-accuracy"], rel=1e-12)
        test = "test" if dataset == "cifar10" else "x-test"
        assert table.accuracy(cell, dataset, test, epochs)[0] == pytest.approx(info["test-accuracy"], rel=1e-12)
        if dataset != "cifar10":
            whole = table.accuracy(cell, dataset, "ori-test", epochs)[0]
            assert whole == pytest.approx(info["valtest-accuracy"], abs=1e-6)
        assert table.evaluation_seconds(cell, dataset) == pytest.approx(halves["valid-per-time"])
        seconds = table.train_seconds(cell, dataset, epochs)
        assert seconds == pytest.approx(halves["train-all-time"])
        costs = api.get_cost_info(index, name, hp="200")
        assert table.params(cell, dataset) == round(costs["params"] * 1e6)
        assert table.latency_seconds(cell, dataset) == pytest.approx(costs["latency"])
        assert table.flops_millions(cell, dataset) == pytest.approx(costs["flops"])


def test_cifar10_test_is_not_that_of_the_half_training_set(table: Table, folder: Path) -> None:
    api = package(folder)
    wrong = api.get_more_info(11, "cifar10-valid", hp="200", is_random=False)["test-accuracy"]
    assert abs(table.accuracy(CELLS[1:2], "cifar10", "test")[0] - wrong) > 1


def test_trials_are_in_the_order_of_the_seeds(table: Table, folder: Path) -> None:
    """Also where the package means over them: x-test trial by trial."""
    results = package(folder).query_by_index(11, hp="200")
    expected = [results.get_metrics("cifar100", "x-test", is_random=seed)["accuracy"] for seed in (777, 888, 999)]
    assert table.trial_accuracies(CELLS[1:2], "cifar100", "x-test").tolist() == [expected]


def test_a_partial_source_lacks_the_other_cells(table: Table) -> None:
    frame = table.frame(cell_strings())
    assert set(frame["cell"]) == set(SAMPLE.values())
    with pytest.raises(NotInTableError, match="for 1 of the queried cells"):
        table.accuracy([*CELLS, 0], "cifar10", "test")
    with pytest.raises(NotInTableError, match="no latency_seconds"):
        table.latency_seconds([0], "cifar10")


def test_folder_and_file_hold_the_same(table: Table, folder: Path, tmp_path: Path) -> None:
    other = read_nats(whole_file(folder, tmp_path / "NATS-tss-v1_0-3ffb9.pickle.pbz2"), trust=True)
    assert other.accuracies.keys() == table.accuracies.keys()
    for metric, known in table.accuracies.items():
        np.testing.assert_array_equal(other.accuracies[metric].values, known.values)
    for cost, values in table.costs.items():
        np.testing.assert_array_equal(other.costs[cost], values)


def test_trials_and_costs_that_a_source_lacks(copy: Path) -> None:
    """Cell 0 with two trials, no 12 epochs, no latency, and another network's size in its first trial."""
    content = load(copy / "000000.pickle.pbz2")
    del content["12"]
    del content["200"]["all_results"]["cifar10-valid", 999]
    content["200"]["dataset_seed"]["cifar10-valid"].remove(999)
    trials = content["200"]["all_results"]
    trials["cifar10-valid", 777] |= {"params": 1.0, "flop": 1.0, "latency": None}
    for seed in (777, 888, 999):
        trials["cifar100", seed] |= {"params": 1.0}
    dump(content, copy / "000000.pickle.pbz2")
    table = read_nats(copy, trust=True)
    accuracy, counts = table.accuracy(CELLS[:1], "cifar10", "x-valid")
    assert accuracy == np.mean([82.09199998291015, 81.61599997314453])
    assert counts == 2
    assert table.flops_millions(CELLS[:1], "cifar10") == 15.64737
    for missing in (
        lambda: table.accuracy(CELLS[:1], "cifar10", "x-valid", 12),
        lambda: table.latency_seconds(CELLS[:1], "cifar10"),
        lambda: table.flops_millions(CELLS[:1], "cifar100"),
    ):
        with pytest.raises(NotInTableError, match="for 1 of the queried cells"):
            missing()


# Nothing is read without the user's word -----------------------------------------------------------------------------


class Attack:
    """A pickle of this runs a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("damaged", ["meta", "000000"])
def test_code_runs_only_on_trust(copy: Path, tmp_path: Path, damaged: str) -> None:
    dump(Attack(f"touch {tmp_path / 'was-here'}"), copy / f"{damaged}.pickle.pbz2")
    with pytest.raises(TableError, match="give --trust, or a --sha256"):
        read_nats(copy)
    with pytest.raises(TableError, match="another checksum"):
        read_nats(copy, trust=True, sha256="0" * 64)
    assert not (tmp_path / "was-here").exists()
    with pytest.raises(TableError, match="not the topology files of NATS-Bench, or corrupt ones"):
        read_nats(copy, trust=True)
    assert (tmp_path / "was-here").exists(), "this test would not see an attack"


def test_checksum(folder: Path, copy: Path, table: Table, tmp_path: Path) -> None:
    """The one of the coreutils; it changes with every file, is in the table's source, and stands in for trust."""
    listing = subprocess.run("sha256sum *.pickle.pbz2", shell=True, cwd=folder, capture_output=True, check=True).stdout
    digest = hashlib.sha256(listing).hexdigest()
    assert checksum(folder) == checksum(copy) == digest
    assert table.source == f"NATS-Bench topology files {folder.name}, SHA-256 {digest}"
    assert read_nats(folder, sha256=digest.upper()).sha256 == table.sha256
    file = whole_file(folder, tmp_path / "a.pickle.pbz2")
    assert checksum(file) == hashlib.sha256(file.read_bytes()).hexdigest()
    (copy / "000011.pickle.pbz2").rename(copy / "000012.pickle.pbz2")
    assert checksum(copy) != digest


def test_the_command_line(folder: Path, table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nats.npz"
    assert main(["--trust", str(folder), str(path)]) == 0
    assert Table.load(path).sha256 == table.sha256
    output, errors = capsys.readouterr()
    assert errors == ""
    assert output.startswith(f"wrote {path}: ")
    assert "partial: 15622 of the 15625 cells have no accuracies\n" in output
    assert "cifar100 x-test at 200 epochs: 3 cells, trials per cell: 3\n" in output
    assert "flops_millions: cifar10, cifar100, imagenet16-120\n" in output


def assert_fails(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors


def test_wrong_command_lines(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out.npz")
    assert_fails([str(folder), out], "reading pickles executes the code in them; give --trust", capsys)
    assert_fails(["--sha256", "12", str(folder), out], f"its SHA-256 is {checksum(folder)}", capsys)
    assert_fails(["--trust", "bundled", out], "--trust and --sha256 are for NATS-Bench files", capsys)
    assert_fails(["--sha256", "12", "numbers.csv", out], "--trust and --sha256 are for NATS-Bench files", capsys)
    assert_fails(["--trust", str(tmp_path / "missing.pickle.pbz2"), out], "cannot read", capsys)
    assert_fails(["--trust", str(tmp_path), out], "it has no meta.pickle.pbz2", capsys)
    assert not Path(out).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        bz2.compress(b"text"),
        bz2.compress(pickle.dumps([1])),
        bz2.compress(pickle.dumps({"meta_archs": 1})),
    ],
)
def test_other_files(content: bytes, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.pickle.pbz2"
    file.write_bytes(content)
    assert_fails(["--trust", str(file), str(tmp_path / "out.npz")], "not the topology files of NATS-Bench", capsys)
    for name in ("000011", "meta"):
        (copy / f"{name}.pickle.pbz2").unlink()
        (copy / f"{name}.pickle.pbz2").write_bytes(content)
        assert_fails(["--trust", str(copy), str(tmp_path / "out.npz")], "not the topology files of NATS-Bench", capsys)


def test_no_cells(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in SAMPLE:
        (copy / f"{index:06d}.pickle.pbz2").unlink()
    assert_fails(["--trust", str(copy), str(tmp_path / "out.npz")], "or corrupt ones (it has no accuracies)", capsys)


def test_other_sources_do_without_the_package(tmp_path: Path) -> None:
    code = (
        "import sys; from harness.benchmarks.nasbench201.table.convert import main;"
        f"assert main(['bundled', {str(tmp_path / 'a.npz')!r}]) == 0; sys.exit('nats_bench' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_a_folder_called_bundled_does_not_stand_in_for_the_word(
    bundled: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundled").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_source("bundled")[0].sha256 == bundled.sha256


def test_only_one_file_imports_the_package() -> None:
    files = [path for path in (ROOT / "harness").rglob("*.py") if "import nats_bench" in path.read_text()]
    assert [path.name for path in files] == ["official.py"]
