"""The file of published results, and which of its values is printed."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench201.table import cell_numbers, open_table
from harness.report.published import COLUMNS, STATUSES, load
from tests.report.conftest import PUBLISHED

# What this project registers or will register; the file may name no other method.
REGISTRY = {
    "random-search": {"Random search"},
    "regularized-evolution": {"REA"},
    "reinforce": {"REINFORCE"},
    "bohb": {"BOHB"},
    "random-search-ws": {"RSPS", "Random search with weight sharing"},
    "darts": {"DARTS (first order)"},
    "darts-2nd": {"DARTS (second order)"},
    "darts-erm": {"DARTS (ERM)"},
    "pc-darts": {"PC-DARTS"},
    "gdas": {"GDAS"},
    "setn": {"SETN"},
    "enas": {"ENAS"},
    "gaea-darts-erm": {"GAEA DARTS (ERM)"},
    "gaea-darts-bilevel": {"GAEA DARTS (bilevel)"},
    "gaea-pc-darts": {"GAEA PC-DARTS"},
    "sdarts-rs": {"SDARTS-RS"},
    "sdarts-adv": {"SDARTS-ADV"},
    "darts-pt": {"DARTS-PT"},
    "darts-pt-fixed": {"DARTS-PT (fixed alpha)"},
    "beta-darts": {"Beta-DARTS"},
    "lambda-darts": {"Lambda-DARTS"},
    "oles": {"OLES"},
    "darts-minus": {"DARTS-"},
    "drnas": {"DrNAS"},
    "snas": {"SNAS"},
    "shapley-nas": {"Shapley-NAS"},
    "idarts": {"iDARTS"},
    "fairdarts": {"FairDARTS"},
    "naswot": {"NASWOT (N=1000)"},
    "naswot [cells=10]": {"NASWOT (N=10)"},
    "naswot [cells=100]": {"NASWOT (N=100)"},
}
ROWS = 820

ROW = dict.fromkeys(COLUMNS, "") | {
    "method": "DARTS (first order)",
    "registry_name": "darts",
    "space": "nasbench201",
    "task": "cifar100",
    "metric": "test_accuracy",
    "split": "x-test",
    "mean": "70.00",
    "protocol": "transfer",
    "searched_on": "cifar10",
    "status": "seen",
}


@pytest.fixture(scope="module")
def file():
    return pd.read_csv(PUBLISHED, dtype=str, keep_default_na=False)


def _choose(tmp_path, *rows, metric="test_accuracy", split="x-test", searched_on="cifar10"):
    path = tmp_path / "published.csv"
    pd.DataFrame([ROW | row for row in rows], columns=COLUMNS).to_csv(path, index=False)
    return load(path).choose("darts", "nasbench201", "cifar100", metric, split, searched_on)


def test_file_has_every_row_once(file):
    assert list(file.columns) == COLUMNS
    assert len(file) == len(file.drop_duplicates()) == ROWS
    assert set(file["status"]) == set(STATUSES)


def test_registry_names_stand_beside_their_own_methods_only(file):
    named = file[file["registry_name"] != ""]
    found = {name: set(rows["method"]) for name, rows in named.groupby("registry_name")}
    assert found == REGISTRY
    assert set(named["space"]) == set(BENCHMARKS)


def test_reruns_that_are_not_the_papers_row_carry_no_registry_name(file):
    others = file[file["note"].str.contains("not the NAS-Bench-201 paper row")]
    assert len(others) == 18
    assert set(others["registry_name"]) == {""}


def test_the_log_of_a_notebook_that_does_not_train_the_network_is_no_row_of_idarts(file):
    notebook = file[file["source"].str.contains("ipynb")]
    assert len(notebook) == 7
    assert set(notebook["registry_name"]) == {""}
    assert load(PUBLISHED).choose("idarts", "nasbench201", "cifar10", "test_accuracy", "test", "cifar10").mean == 93.58


def test_known_rows_are_read_as_they_stand():
    known = load(PUBLISHED)
    erm = known.choose("gaea-darts-erm", "nasbench201", "cifar10", "test_accuracy", "test", "cifar10")
    assert (erm.mean, erm.std, erm.n, erm.rounding) == (94.10, 0.29, 4, pytest.approx(0.005))
    assert erm.evidence == "seen, std recalled"
    x_test = known.choose("gaea-darts-erm", "nasbench201", "cifar100", "test_accuracy", "x-test", "cifar100")
    assert (x_test.mean, x_test.status, x_test.rounding) == (73.4083, "derived", pytest.approx(0.00005))
    direct = known.choose("darts-2nd", "nasbench201", "cifar100", "test_accuracy", "x-test", "cifar100")
    transfer = known.choose("darts-2nd", "nasbench201", "cifar100", "test_accuracy", "x-test", "cifar10")
    assert (direct.mean, transfer.mean) == (38.97, 15.61)


def test_same_split_goes_before_better_status(tmp_path):
    chosen = _choose(tmp_path, {"split": "ori-test", "mean": "1"}, {"status": "recalled", "mean": "2"})
    assert chosen.mean == 2


def test_another_split_is_better_than_nothing(tmp_path):
    assert _choose(tmp_path, {"split": "ori-test"}).split == "ori-test"


def test_better_status_goes_before_nearer_protocol(tmp_path):
    chosen = _choose(tmp_path, {"status": "recalled", "mean": "1"}, {"protocol": "direct", "mean": "2"})
    assert chosen.mean == 2


@pytest.mark.parametrize(
    "searched_on, expected", [("cifar10", "from cifar10"), ("cifar100", "direct"), ("digits", "from imagenet16-120")]
)
def test_nearest_protocol_goes_before_order(tmp_path, searched_on, expected):
    rows = [
        {"protocol": "best-of-n", "searched_on": searched_on, "source": "best of several"},
        {"protocol": "direct", "searched_on": "cifar100", "source": "direct"},
        {"searched_on": "imagenet16-120", "source": "from imagenet16-120"},
        {"searched_on": "cifar10", "source": "from cifar10"},
    ]
    assert _choose(tmp_path, *rows, searched_on=searched_on).source == expected


def test_first_of_equals_is_chosen(tmp_path):
    assert _choose(tmp_path, {"mean": "1"}, {"mean": "2"}).mean == 1


def test_uncertain_values_are_never_used(tmp_path):
    assert _choose(tmp_path, {"status": "uncertain"}) is None


def test_a_test_accuracy_is_not_shown_for_a_missing_validation_accuracy(tmp_path):
    assert _choose(tmp_path, {}, metric="valid_accuracy", split="x-valid") is None


def test_zero_deviations_are_decoded_to_a_cell_with_that_accuracy(file):
    zero = file[(file["std"] == "0.00") & (file["registry_name"] != "") & (file["status"] != "uncertain")]
    open_rows = zero[zero["cell"] == ""]
    assert set(open_rows["registry_name"]) == {"setn"}  # two cells with close accuracies
    table = open_table()
    decoded = zero[(zero["cell"] != "") & (zero["split"] == "x-valid")]
    assert len(decoded) > 10
    for row in decoded.to_dict("records"):
        for cell in row["cell"].split():
            (accuracy,), _ = table.accuracy(cell_numbers([cell]), row["task"], "x-valid")
            assert accuracy == pytest.approx(float(row["mean"]), abs=0.005 + 1e-6)


def test_other_rows_have_no_cell(file):
    assert set(file.loc[file["cell"] != "", "std"]) == {"0.00"}


@pytest.mark.parametrize("ddof, expected", [("", None), ("0", 0), ("1", 1)])
def test_ddof_is_read(tmp_path, ddof, expected):
    assert _choose(tmp_path, {"ddof": ddof}).ddof == expected


def test_another_ddof_is_refused(tmp_path):
    with pytest.raises(ValueError, match="ddof='2' is neither 0 nor 1"):
        _choose(tmp_path, {"ddof": "2"})


def test_validation_accuracy_never_stands_in_for_a_test_accuracy(tmp_path):
    assert _choose(tmp_path, {"metric": "valid_accuracy", "split": "x-valid"}) is None


def test_missing_spread_and_number_of_searches_stay_missing(tmp_path):
    chosen = _choose(tmp_path, {"std": "", "n": ""})
    assert math.isnan(chosen.std)
    assert chosen.n is None


@pytest.mark.parametrize(
    "row, message",
    [
        ({"status": "guessed"}, "row 1 .*unknown status 'guessed'"),
        ({"mean": "high"}, "row 1 .*mean='high'"),
        ({"mean": ""}, "row 1 .*mean=''"),
        ({"std": "-1"}, "row 1 .*std='-1'"),
        ({"n": "0"}, "row 1 .*n='0'"),
        ({"n": "2.5"}, "row 1 .*n='2.5'"),
    ],
)
def test_malformed_row_is_named(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        _choose(tmp_path, row)


@pytest.mark.parametrize("content", ["", "method,mean\nDARTS,1\n", "\x00\x01", 'a,b\n"'])
def test_other_file_is_refused_by_its_name(tmp_path, content):
    path = tmp_path / "other.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"other\.csv"):
        load(path)
