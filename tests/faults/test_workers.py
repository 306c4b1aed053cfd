"""Images decoded by processes of their own (--workers), whichever way the run itself is executed."""

import multiprocessing

import pytest
import torch

import run_all
from harness.cli import main
from harness.data.folders import FolderBatches, class_folders
from tests.data.test_folders import ALL, CPU, seeded, write
from tests.test_run_all import contents

pytestmark = pytest.mark.faults
SIZES = {"channels": 4, "cells": 3, "epochs": 2, "batch_size": 6, "image_size": 32}
SHARES = {"weights_share": 0.5, "architecture_share": 0.25}
SEARCH = ["--space", "darts", "--dataset", "imagenet", "--profile", "paper", "--methods", "gaea-pc-darts"]
SEARCH += [word for name, value in {**SIZES, **SHARES}.items() for word in ("--set", f"protocol.{name}={value}")]
SEARCH += ["--figures", "none", "--retrain", "none", "--controls", "none", "--seeds", "2"]
RETRAIN = ["--cell", "PC_DARTS_cifar", "--dataset", "imagenet", "--seeds", "2", "--auxiliary-weight", "0"]
RETRAIN += ["--cells", "3", "--channels", "4", "--image-size", "32", "--epochs", "2"]
RETRAIN += ["--batch-size", "6", "--schedule", "cosine"]
WAYS = {"in worker processes": ["--jobs", "2"], "under a time limit": ["--jobs", "1", "--time-limit", "300"]}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "imagenet", train=12, test=2)
    return folder


def search(data, results, *words):
    return run_all.main([*SEARCH, "--data", str(data), "--results", str(results), *words])


def retrain(data, results, *words):
    return main(["retrain", *RETRAIN, "--data", str(data), "--results", str(results), *words])


@pytest.fixture(scope="module", params=[search, retrain], ids=["search", "retrain"])
def alone(request, data, tmp_path_factory):
    """A call and what it gives when the run's own process decodes."""
    results = tmp_path_factory.mktemp("alone")
    assert request.param(data, results, "--jobs", "1") == 0
    return request.param, contents(results)


@pytest.mark.parametrize("way", WAYS)
def test_a_run_in_a_process_of_its_own_gives_the_same(alone, data, tmp_path, way):
    call, expected = alone
    assert call(data, tmp_path, "--workers", "2", *WAYS[way]) == 0
    assert contents(tmp_path) == expected


def test_the_processes_end_with_the_stream(data):
    """Without waiting for a garbage collection: the next run of the same process has its own."""
    batches = FolderBatches(class_folders(data / "imagenet").train, 4, 32, ALL, CPU, workers=2)
    first, _ = next(batches.one_pass(seeded(0)))
    assert torch.isfinite(first).all()
    assert len(multiprocessing.active_children()) == 2
    del batches
    assert not multiprocessing.active_children()
