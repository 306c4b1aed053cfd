"""Results folders with runs and look-ups whose numbers can be worked out by hand."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import report
from harness.benchmarks.base import SCORE_COLUMNS
from harness.benchmarks.nasbench201.table import known
from harness.experiment.config import SCHEMA, run_key
from harness.experiment.store import Scores, Store
from harness.protocol import NUMERICS
from harness.report import published
from harness.report.figures.cache import FORMATS

PUBLISHED = Path(__file__).parents[2] / "results" / "published.csv"

CELLS = [
    f"|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|{last}~1|nor_conv_1x1~2|"
    for last in ("nor_conv_3x3", "skip_connect", "avg_pool_3x3", "nor_conv_1x1")
]


def genotype(number):
    """A cell of the DARTS space; another one for every number below 10."""
    operation = ("sep_conv_3x3", "skip_connect", "max_pool_3x3", "dil_conv_3x3", "sep_conv_5x5")[number % 5]
    other = ("sep_conv_3x3", "dil_conv_5x5")[number // 5 % 2]
    edges = f"[('{operation}', 0), ('{other}', 1)" + ", ('sep_conv_3x3', 0), ('sep_conv_3x3', 1)" * 3 + "]"
    return f"Genotype(normal={edges}, normal_concat=range(2, 6), reduce={edges}, reduce_concat=range(2, 6))"


def origin(sha256):
    return {"origin": "built-in"} if sha256 is None else {"origin": "external", "sha256": sha256}


def write_unchecked(store, record):
    """Write a record as something else may have: with a right checksum, but whatever it holds."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    (store.folder / "runs" / f"{record['key']}.json").write_text(json.dumps({**record, "sha256": digest}))


@dataclass
class Results:
    """A results folder, filled through the store's own functions."""

    store: Store

    def run(
        self,
        method="darts",
        seed=0,
        *,
        profile="paper",
        dataset="cifar10",
        cells=(CELLS[1], CELLS[0]),
        best_valid=None,
        settings=None,
        epochs=2,
        source=None,
        failure=None,
        changed=None,
        space="nasbench201",
        space_sha256=None,
        images="official",
        data_sha256="0" * 64,
        seen_test=False,
        version=1,
        dirty=False,
        seconds=1.0,
        device="cpu",
        counted=True,
        arrays=None,
    ):
        """One run, of which `cells` are the cells of its epochs; returns its key. An epoch passes 1,000 images, unless
        they are not `counted`, as in records of earlier versions, which have no CPU seconds either."""
        changed = dict(changed or {})
        part = changed.pop("images", None)
        optimizer = changed.pop("optimizer", None)
        settings = settings or {"lr": 0.1}
        config = {
            "schema": SCHEMA,
            "kind": "one-shot",
            "benchmark": {"name": space, "version": 1, **origin(space_sha256)},
            "profile": profile,
            "method": {"name": method, "version": version, **origin(source)},
            "settings": settings,
            "optimizer": {"name": optimizer, "sha256": "0f" * 32} if optimizer else None,
            "protocol": {"id": f"{space}/{profile}", "version": 1, "values": {"channels": 4, "epochs": epochs}},
            "numerics": {"precision": changed.get("precision", "fp32")},
            "dataset": {
                "name": dataset,
                "origin": "subset" if part else images,
                "sha256": data_sha256,
                "part": part,
                "split": {"name": "halves", "sha256": "2" * 64, "may_have_seen_test": seen_test, "substitute": False},
            },
            "seed": seed,
            "overrides": {
                "settings": {name: value for name, value in changed.items() if name in settings},
                "protocol": {name: value for name, value in changed.items() if name not in (*settings, *NUMERICS)},
                "numerics": {name: value for name, value in changed.items() if name in NUMERICS},
            },
        }
        record = {
            "schema": SCHEMA,
            "key": run_key(config),
            "config": config,
            "family": "gaea" if method.startswith("gaea") else "darts",
            "paper": "",
            "status": "failed" if failure else "done",
            "failure": failure,
            "provenance": {"commit": None, "dirty": dirty, "device": device, "seconds": seconds},
        }
        record["provenance"] |= {"cpu_seconds": seconds, "load": 2.0} if counted else {}
        if failure:
            self.store.write(record)
        else:
            record["cells"] = {"last": cells[-1], "best_valid": best_valid, "best_valid_epoch": None}
            self.store.write(record, _arrays(cells) | (_counts(len(cells)) if counted else {}) | (arrays or {}))
        return record["key"]

    def black_box(
        self,
        method,
        improvements,
        *,
        seconds,
        seed=0,
        choice=None,
        profile="paper",
        dataset="cifar10",
        space="nasbench201",
        table="a" * 64,
        verified=True,
        trials=1,
    ):
        """A search on the table: `improvements` are (seconds, cell); `choice` is its cell, if not the last of them."""
        config = {
            "schema": SCHEMA,
            "kind": "black-box",
            "benchmark": {"name": space, "version": 1, "origin": "built-in"},
            "profile": profile,
            "method": {"name": method, "version": 1, "origin": "built-in"},
            "settings": {},
            "optimizer": None,
            "protocol": {"id": f"{space}/queries", "version": 1, "values": {"budget_seconds": 12000.0}},
            "numerics": {},
            "dataset": {"name": dataset, "origin": "official"},
            "table": table
            and {
                "name": "a table",
                "sha256": table,
                "epochs": 12,
                "trials": trials,
                "substitute": False,
                "verified": verified,
            },
            "seed": seed,
            "overrides": {"settings": {}, "protocol": {}, "numerics": {}},
        }
        record = {
            "schema": SCHEMA,
            "key": run_key(config),
            "config": config,
            "family": "black-box",
            "paper": "",
            "status": "done",
            "failure": None,
            "provenance": {"commit": None, "dirty": False, "device": "cpu", "seconds": 1.0},
            "cells": {"last": choice or improvements[-1][1], "best_valid": None, "best_valid_epoch": None},
            "improvements": [[query, *step, 50.0 + query] for query, step in enumerate(improvements, start=1)],
            "queries": len(improvements),
            "search_seconds": seconds,
        }
        self.store.write(record)
        return record["key"]

    def retrain(
        self,
        cell,
        seed,
        error,
        *,
        dataset="digits",
        images="official",
        data_sha256="1" * 64,
        parameters=50_000,
        changed=None,
        failure=None,
        processes=1,
    ):
        """A training of a cell from scratch, with its test error in %; returns its key."""
        changed = changed or {}
        recipe = {"cells": 6, "channels": 8, "epochs": 10, "crop": True, "learning_rate": 0.1, **changed}
        config = {
            "schema": SCHEMA,
            "kind": "retraining",
            "benchmark": {"name": "darts", "version": 1, "origin": "built-in"},
            "protocol": {
                "id": f"darts/retraining/{dataset}",
                "version": 1,
                "values": {name: value for name, value in recipe.items() if name not in NUMERICS},
            },
            "numerics": {"precision": changed.get("precision", "fp32")},
            "dataset": {"name": dataset, "origin": images, "sha256": data_sha256, "part": None},
            "architecture": cell,
            "processes": processes,
            "seed": seed,
            "overrides": {
                "settings": {},
                "protocol": {name: value for name, value in changed.items() if name not in NUMERICS},
                "numerics": {name: value for name, value in changed.items() if name in NUMERICS},
            },
        }
        record = {
            "schema": SCHEMA,
            "key": run_key(config),
            "config": config,
            "cell_name": "cell",
            "status": "failed" if failure else "done",
            "failure": failure,
            "provenance": {
                "commit": "c" * 40,
                "dirty": False,
                "device": "cpu",
                "machine": "a machine",
                "seconds": 20.0,
            },
        }
        found = {"metric": "test_error", "split": "test", "test_error": error, "parameters": parameters}
        found |= {"best_epoch": {"epoch": 1, "test_error": error, "test_peeking": True}}
        self.store.write(record if failure else {**record, **found})
        return record["key"]

    def trained_with(self, method, errors, first=0, **training):
        """A search of the DARTS space per error, on digits, and the training of its cell: `genotype(first + seed)`."""
        for seed, error in enumerate(errors):
            cell = genotype(first + seed)
            self.run(method, seed, space="darts", profile="quick", dataset="digits", cells=(cell,))
            self.retrain(cell, seed, error, **training)

    def look_up(self, values, *, sha256="a" * 64, source="a table", space="nasbench201", has_best=True):
        """Store `values`: (cell, dataset, split) -> accuracy in %."""
        rows = [
            (*key, "valid_accuracy" if "valid" in key[2] else "test_accuracy", value, 3)
            for key, value in values.items()
        ]
        frame = pd.DataFrame(rows, columns=SCORE_COLUMNS)
        self.store.write_scores(Scores(space, sha256, source, frame, has_best))

    def runs_with(self, method, accuracies, *, on=("cifar10", "test"), **asked):
        """A run per accuracy: the last cell of seed i has accuracy i, every other cell 50 %."""
        for seed, _ in enumerate(accuracies):
            self.run(method, seed, cells=("other", f"{method}-{seed}"), **asked)
        found = {(f"{method}-{seed}", *on): accuracy for seed, accuracy in enumerate(accuracies)}
        self.look_up({("other", *on): 50.0, **found})

    def report(self, order=("gaea-darts-erm", "gaea-darts-bilevel", "darts")):
        """What the report says; writes nothing."""
        return report.gather(self.store, order, PUBLISHED)

    def write(self, formats=FORMATS):
        """The same, and its tables and figures as files."""
        return report.write(self.store, ["gaea-darts-erm", "gaea-darts-bilevel", "darts"], PUBLISHED, formats)


def _arrays(cells):
    epochs, shape = len(cells), (6, 4)
    logits = np.linspace(0, 1, epochs)[:, None, None] * np.arange(4) * np.ones(shape)
    theta = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return {
        "theta": theta,
        "edge_weights": np.ones((epochs, 6)),
        "entropy": -(theta * np.log(theta)).sum(axis=2).mean(axis=1, keepdims=True),
        "loss": np.ones(epochs),
        "train_accuracy": np.full(epochs, 90.0),
        "valid_accuracy": np.full(epochs, np.nan),
        "cells": np.array(cells),
        "seconds": np.ones(epochs),
    }


def _counts(epochs):
    return {
        "forward_images": np.array([[400, 0, 200]] * epochs),
        "backward_images": np.array([[400, 0, 0]] * epochs),
        "multiply_adds": np.full((epochs, 2), 5e8),
        "cpu_seconds": np.ones(epochs),
        "load": np.full(epochs, 2.0),
    }


@pytest.fixture(scope="session", autouse=True)
def _published_is_read_once():
    """Not for every report of every test. Nothing changes what has been read: its values are frozen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.report.content.load", cache(published.load))
        yield


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setitem(known.NAMES, "a" * 64, "a table")
    store = Store(tmp_path)
    store.prepare()
    return Results(store)
