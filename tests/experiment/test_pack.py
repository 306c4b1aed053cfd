"""Packed records are read like those in files of their own."""

import gzip

import pytest

from harness.benchmarks import BENCHMARKS
from harness.cli import main
from harness.experiment.config import run_key
from harness.experiment.retrainings import named_cell
from harness.experiment.store import Store

SEARCH = {
    "schema": 2,
    "kind": "black-box",
    "benchmark": {"name": "nasbench201", "version": 1, "origin": "built-in"},
    "profile": "paper",
    "settings": {},
    "optimizer": None,
    "protocol": {"id": "nasbench201/queries", "version": 2, "values": {"budget_seconds": 12000.0}},
    "numerics": {},
    "dataset": {"name": "cifar10", "origin": "official"},
    "table": None,
    "overrides": {"settings": {}, "protocol": {}, "numerics": {}},
}


def record(method, seed, status="done"):
    config = {**SEARCH, "method": {"name": method, "version": 1, "origin": "built-in"}, "seed": seed}
    outcome = {"cells": {"last": f"cell {seed}"}, "queries": 1, "search_seconds": 1.0, "improvements": []}
    whole = {
        "schema": 2,
        "key": run_key(config),
        "config": config,
        "provenance": {"dirty": False},
        "family": "x",
        "paper": "",
    }
    return {**whole, "status": status, "failure": None, **(outcome if status == "done" else {})}


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path)
    found.prepare()
    for seed in range(3):
        for method in ("bohb", "reinforce"):
            found.write(record(method, seed))
    return found


def packed(store):
    return sorted(path.name.split("-")[0] for path in (store.folder / "packed").iterdir())


def test_a_packed_folder_reads_the_same(store, capsys):
    before = store.records()
    assert main(["pack", str(store.folder)]) == 0
    assert capsys.readouterr().out == "packed: 6 records\n"
    assert packed(store) == ["bohb", "reinforce"]
    assert not list((store.folder / "runs").iterdir())
    again = Store(store.folder)
    assert again.records() == before
    assert [again.read(record["key"]) for record in before] == before
    assert again.read("0" * 64) is None
    assert again.warnings == []


def test_later_records_are_added_and_failed_ones_stay(store):
    store.pack()
    files = {path: path.read_bytes() for path in (store.folder / "packed").iterdir()}
    assert store.pack() == 0
    assert {path: path.read_bytes() for path in (store.folder / "packed").iterdir()} == files
    store.write(record("bohb", 3))
    store.write(record("bohb", 4, status="failed"))
    assert store.pack() == 1
    assert [path.stem for path in (store.folder / "runs").iterdir()] == [record("bohb", 4)["key"]]
    assert len(Store(store.folder).records()) == 8
    assert packed(store) == ["bohb", "reinforce"]


def test_a_corrupt_line_is_left_out_and_a_corrupt_file_quarantined(store):
    store.pack()
    bohb, reinforce = sorted((store.folder / "packed").iterdir())
    bohb.write_bytes(gzip.compress(gzip.decompress(bohb.read_bytes()).replace(b"cell 1", b"cell 7")))
    reinforce.write_bytes(reinforce.read_bytes()[:-20])
    again = Store(store.folder)
    assert {found["config"]["seed"] for found in again.records()} == {0, 2}
    assert again.read(record("bohb", 1)["key"]) is None
    assert (store.folder / "damaged" / reinforce.name).exists()
    assert any("its checksum does not match" in line for line in again.warnings)
    assert any(f"corrupt file {reinforce.name} quarantined" in line for line in again.warnings)


def test_a_folder_without_results_is_refused(tmp_path, capsys):
    assert main(["pack", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err == f"pack: no results folder {tmp_path / 'nowhere'}: there is no such folder\n"


def test_the_cell_of_a_packed_record_is_retrained(store, capsys):
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    found = record("bohb", 9)
    store.write({**found, "cells": {"last": cell}})
    store.pack()
    path = store.folder / "runs" / f"{found['key']}.json"
    assert not path.exists()
    assert named_cell(BENCHMARKS["nasbench201"], str(path)) == ("cell of bohb, seed 9", cell)
    for name, reason in ((f"{'0' * 64}.json", "no file"), (path.name, "a search on nasbench201: --space nasbench201")):
        assert main(["retrain", "--cell", str(path.with_name(name)), "--results", str(store.folder / "new")]) == 2
        assert reason in capsys.readouterr().err


def test_packed_records_are_merged_and_exported(store, tmp_path):
    keys = {found["key"] for found in store.records()}
    store.pack()
    folder, archive, merged, imported = str(tmp_path), tmp_path / "a.zip", tmp_path / "merged", tmp_path / "imported"
    assert main(["merge", folder, "--into", str(merged)]) == 0
    assert main(["export", folder, str(archive)]) == 0
    assert main(["import", str(archive), "--results", str(imported)]) == 0
    assert {found["key"] for found in Store(merged).records()} == keys
    assert {found["key"] for found in Store(imported).records()} == keys


def test_a_file_with_a_corrupt_line_is_kept_when_records_are_added(store):
    store.pack()
    bohb = min((store.folder / "packed").iterdir())
    harmed = gzip.compress(gzip.decompress(bohb.read_bytes()).replace(b"cell 1", b"cell 7"))
    bohb.write_bytes(harmed)
    again = Store(store.folder)
    again.write(record("bohb", 3))
    assert again.pack() == 1
    (kept,) = (store.folder / "damaged").iterdir()
    assert kept.name.endswith(bohb.name)
    assert kept.read_bytes() == harmed
    assert sorted(found["config"]["seed"] for found in Store(store.folder).records() if "bohb" in str(found)) == [
        0,
        2,
        3,
    ]
