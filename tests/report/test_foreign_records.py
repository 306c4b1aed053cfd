"""Records that something else has written: whatever a field holds, the report is made and has all other results."""

import copy

import pytest

from harness.experiment.config import run_key
from tests.report.conftest import CELLS, genotype, write_unchecked

MISSING = object()
VALUES = [
    None,
    MISSING,
    True,
    -1,
    0,
    1e300,
    10**400,
    "",
    "x",
    "line\n\x1b[31m",
    "x" * 300_000,
    [],
    [None],
    {},
    {"a": 1},
]
IDENTITY = {("key",), ("schema",), ("config", "schema"), ("sha256",)}
"""Without them it is no record of this format."""


def add_all(results):
    """Results that must be there whatever happens, and a record of every kind that is damaged; returns these."""
    results.runs_with("darts", [50.0, 51.0])
    results.black_box("reinforce", [(1.0, CELLS[0]), (3.0, CELLS[1])], seconds=4.0)
    cell = genotype(3)
    keys = [
        results.run("gdas", seed=7, changed={"optimizer": "Mine", "lr": 0.5}),
        results.run("Own", seed=7, source="5" * 64, dataset="mine", images="external"),
        results.run("gdas", seed=8, failure="Traceback\nValueError: no"),
        results.black_box("bohb", [(1.0, CELLS[0]), (3.0, CELLS[1])], seconds=4.0, seed=7),
        results.run("gdas", seed=9, space="darts", profile="quick", dataset="digits", cells=(cell,)),
        results.retrain(cell, 9, 5.0),
        results.run("gdas", seed=7, space="Own", space_sha256="6" * 64, cells=("a", "b")),
    ]
    records = [results.store.read(key) for key in keys]
    graph = {"title": "cell", "nodes": ["in", "out"], "edges": [[0, 1, "op"]]}
    records[-1]["space"] = {
        "groups": {"all": [0, 6]},
        "rows": [f"row {number}" for number in range(6)],
        "options": [["a", "b", "c", "d"]] * 6,
        "graphs": {"b": [graph]},
    }
    for record in records:
        record["provenance"] |= {"versions": {"python": "3.11"}, "threads": 1, "started": "2026-01-01", "warnings": []}
    return records


def paths(value, path=()):
    """Of all fields of a JSON value, those of lists by their place."""
    fields = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in fields:
        yield (*path, name)
        yield from paths(inner, (*path, name))


def damaged(record, path, value, seed):
    record = copy.deepcopy(record)
    *above, name = path
    part = record
    for step in above:
        part = part[step]
    if value is MISSING:
        part.pop(name)
    else:
        part[name] = value
    config = record.get("config")
    if isinstance(config, dict):
        if path != ("config", "seed"):
            config["seed"] = seed
        record["key"] = run_key(config)
    return record


def cases(records):
    return [
        (record, path, value)
        for record in records
        for path in paths(record)
        if path not in IDENTITY
        for value in VALUES
    ]


def write(results, record, path, value, seed):
    """A damaged record under a key of its own, with the arrays of the sound one."""
    runs = results.store.folder / "runs"
    found = damaged(record, path, value, seed)
    write_unchecked(results.store, found)
    if (arrays := runs / f"{record['key']}.npz").exists():
        (runs / f"{found['key']}.npz").write_bytes(arrays.read_bytes())


def untouched(report):
    rows = report.leaderboard
    return rows[rows["method"].isin(["darts", "reinforce"])].reset_index(drop=True)


@pytest.fixture
def cheap(results, monkeypatch):
    """Neither synchronised writes nor figures."""
    monkeypatch.setattr("os.fsync", lambda *_: None)
    return results


def test_no_field_of_a_record_stops_the_report(cheap):
    """A sample of all damages, all in one folder."""
    records = add_all(cheap)
    expected = untouched(cheap.report())
    for number, (record, path, value) in enumerate(cases(records)[::13]):
        write(cheap, record, path, value, 100 + number)
    report = cheap.write([])
    assert untouched(report).equals(expected)
    assert report.warnings
    for line in report.warnings:
        assert "quarantined" in line
        assert len(line) < 500


@pytest.mark.faults
@pytest.mark.parametrize("part", range(20))
def test_no_field_of_a_record_stops_the_figures(cheap, part):
    """All damages, a twentieth at a time."""
    records = add_all(cheap)
    expected = untouched(cheap.report())
    for number, (record, path, value) in enumerate(cases(records)[part::20]):
        write(cheap, record, path, value, 100 + number)
    assert untouched(cheap.write(["svg"])).equals(expected)


def test_arrays_without_a_validation_accuracy_stop_no_report(results):
    """Of a search on a user's own images, whose table shows that of the supernet."""
    key = results.run("darts", 0, dataset="mine", images="external", data_sha256="d" * 64)
    record, arrays = results.store.read(key), results.store.arrays(key)
    del arrays["valid_accuracy"], record["arrays_sha256"]
    results.store.write(record, arrays)
    (own,) = results.report().own_images
    assert not own.supernets
