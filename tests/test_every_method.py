"""Every weight-sharing method from the command line on CIFAR-10 images, killed and continued."""

import multiprocessing
import pickle
import signal
import time

import pytest

import run_all
from harness.benchmarks import BENCHMARKS
from harness.experiment.registry import built_in, members, why_not
from harness.experiment.store import Store
from harness.plugins import load
from tests.problems import ONE_SHOT
from tests.test_run_all import contents

FORK = multiprocessing.get_context("forkserver")
"""Starts calls that have imported everything: importing takes far longer than these searches."""
FORK.set_forkserver_preload(["run_all", "harness.commands.run", "harness.experiment.runner", "harness.report"])
FEW = 10
"""Images of every batch file."""


@pytest.fixture(scope="module")
def images(test_data, tmp_path_factory):
    """A folder with the first images of each official batch file."""
    folder = tmp_path_factory.mktemp("data")
    target = folder / "cifar-10-batches-py"
    target.mkdir()
    for source in sorted((test_data / "cifar" / "cifar-10-batches-py").iterdir()):
        if "batch" in source.name and source.suffix != ".meta":
            with source.open("rb") as file:
                batch = pickle.load(file, encoding="bytes")
            few = {b"data": batch[b"data"][:FEW], b"labels": batch[b"labels"][:FEW]}
            (target / source.name).write_bytes(pickle.dumps(few, protocol=2))
    return folder


def arguments(space, names, folder, results):
    small = {"channels": 4, "cells": 1 if space == "nasbench201" else 3, "epochs": 2, "batch_size": 25}
    settings = [word for name, value in small.items() for word in ("--set", f"protocol.{name}={value}")]
    for name in set(names) & {"enas", "setn", "random-search-ws"}:
        settings += ["--set", f"{name}.candidates=3"]
    if "enas" in names:
        settings += ["--set", "enas.steps=2", "--set", "enas.samples=3", "--set", "enas.last_candidates=4"]
    if "shapley-nas" in names:
        settings += ["--set", "shapley-nas.samples=2"]
    words = ["--space", space, "--methods", ",".join(names), "--seeds", "1", "--jobs", "1", "--dataset", "cifar10"]
    words += ["--retrain", "none", "--figures", "none", "--controls", "none"]
    return [*words, *settings, "--data", str(folder), "--results", str(results)]


@pytest.mark.faults
@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("space", ["darts", "nasbench201"])
def test_every_method_runs_on_images_and_continues_bit_for_bit_after_kills(images, tmp_path, space, half):
    """Every second method in one test, so that two tests can run at a time."""
    names = [name for name in members("all", BENCHMARKS[space]) if name in ONE_SHOT]
    names = [name for name in names if not why_not(load(built_in()[name]), BENCHMARKS[space])][half::2]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_all.main(arguments(space, names, images, whole)) == 0
    kill_once_in_every_run(arguments(space, names, images, killed), killed, len(names))
    assert run_all.main(arguments(space, names, images, killed)) == 0
    assert len(Store(killed).records()) == len(names)
    assert contents(killed) == contents(whole)


def kill_once_in_every_run(words, results, runs):
    """Kill the process, in each run anew, as soon as that run has a checkpoint."""
    killed = set()
    while len(killed) < runs - 1:
        process = FORK.Process(target=run_all.main, args=(words,))
        process.start()
        while process.exitcode is None:
            fresh = {path.stem for path in results.glob("checkpoints/*.pt")} - killed
            if fresh:
                process.kill()
                killed |= fresh
                break
            time.sleep(0.002)
        process.join()
        if process.exitcode != -signal.SIGKILL:
            break  # the last runs were quicker than we looked, and are done
    else:
        assert list((results / "checkpoints").iterdir())
    assert len(killed) > runs / 2
