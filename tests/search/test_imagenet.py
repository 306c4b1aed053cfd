"""Searches on ImageNet's class folders: which images, which protocol, resume, bad input."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

import run_all
from harness.benchmarks import DARTS
from harness.benchmarks.darts.recipes import DIGITS, RECIPES
from harness.data.folders import class_folders, folder_shares
from harness.experiment.store import Store
from harness.protocol import FolderProtocol, as_protocol
from harness.search.loop import Search
from methods.gaea_pc_darts import GaeaPcDarts
from tests.data.test_folders import write
from tests.problems import budget, build_supernet

SPACE = DARTS()
CPU = torch.device("cpu")
SMALL = {"channels": 4, "cells": 3, "epochs": 2, "batch_size": 9, "image_size": 32}
SHARES = {"weights_share": 0.5, "architecture_share": 0.25}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "imagenet", train=12, test=2)
    return folder


def search(results, data, *words, methods="gaea-pc-darts", profile="paper"):
    sizes = [word for name, value in {**SMALL, **SHARES}.items() for word in ("--set", f"protocol.{name}={value}")]
    place = ["--space", "darts", "--dataset", "imagenet", "--data", str(data), "--results", str(results)]
    rest = ["--figures", "none", "--retrain", "none", "--jobs", "1", "--seeds", "1", "--profile", profile]
    rest += ["--controls", "none"]
    return run_all.main(["--methods", methods, *place, *rest, *sizes, *words])


def few(data, **changes):
    """A search of the test's own size, on the published protocol otherwise."""
    protocol = budget("paper", "darts", "imagenet", "gaea-pc-darts", {**SMALL, **SHARES, **changes}).protocol
    shares = folder_shares(class_folders(data / "imagenet"), True, 0.5, 0.25, 32)
    method = GaeaPcDarts(SPACE)
    torch.manual_seed(0)
    supernet = build_supernet(SPACE, protocol, shares.classes, method.supernet)
    return Search(method, supernet, shares, protocol, seed=0, device=CPU)


def test_the_published_protocol():
    """PC-DARTS and GAEA PC-DARTS on ImageNet: every value of their search."""
    found = budget("paper", "darts", "imagenet", "gaea-pc-darts", {})
    assert found.profile == "paper"
    expected = {
        "epochs": 50,
        "batch_size": 1024,
        "learning_rate": 0.5,
        "learning_rate_min": 0.0,
        "warmup_epochs": 5,
        "momentum": 0.9,
        "weight_decay": 3e-4,
        "gradient_clip": 5.0,
        "architecture_clip": 5.0,
        "channels": 16,
        "cells": 8,
        "image_size": 224,
        "weights_share": 0.1,
        "architecture_share": 0.025,
        "architecture_first": False,
        "zero_operation": True,
    }
    assert {name: asdict(found.protocol)[name] for name in expected} == expected
    assert budget("paper", "darts", "imagenet", "gdas", {}).profile == "controlled"
    rates = [found.protocol.learning_rate_at(epoch) for epoch in (0, 3, 4, 25, 49)]
    cosine = [0.25 * (1 + np.cos(np.pi * epoch / 50)) for epoch in (0, 3, 4, 25, 49)]
    assert rates == pytest.approx([cosine[0] / 5, cosine[1] * 4 / 5, *cosine[2:]])


@pytest.mark.parametrize("images", [5, 7])
def test_two_halves_are_all_images_of_a_class(tmp_path, images):
    write(tmp_path / "imagenet", train=images, test=2)
    shares = folder_shares(class_folders(tmp_path / "imagenet"), True, 0.5, 0.5, 32)
    assert len(shares.train) + len(shares.held_out) == {5: 12, 7: 21}[images]  # 2.5 is rounded down, 3.5 up


def test_shares_are_of_every_class_and_disjoint(data):
    found = class_folders(data / "imagenet")
    shares = folder_shares(found, True, 0.5, 0.25, 32)
    assert shares.train.labels.bincount().tolist() == [6, 6, 6]
    assert shares.held_out.labels.bincount().tolist() == [3, 3, 3]
    assert not set(shares.train.names.tolist()) & set(shares.held_out.names.tolist())
    assert shares.sha256 == folder_shares(found, True, 0.5, 0.25, 32).sha256
    assert shares.sha256 != folder_shares(found, True, 0.25, 0.5, 32).sha256
    single = folder_shares(found, False, 0.5, 0.25, 32)
    both = {*shares.train.names.tolist(), *shares.held_out.names.tolist()}
    assert set(single.train.names.tolist()) == set(single.held_out.names.tolist()) == both
    assert not single.holds_out
    for name, label in zip(shares.train.names.tolist(), shares.train.labels.tolist(), strict=True):
        assert name.decode().split("/")[0] == ["n01_red", "n02_green", "n03_blue"][label]


def test_a_class_of_one_image_is_too_few(tmp_path):
    write(tmp_path / "imagenet", train=1)
    with pytest.raises(ValueError, match="n01_red has too few images for both steps"):
        folder_shares(class_folders(tmp_path / "imagenet"), True, 0.1, 0.025, 32)


def test_the_gradient_of_the_architecture_is_clipped(data):
    """All parameters together, as the published runs clip them."""
    norms = {}
    for clip in (0.0, 1e-4):
        one = few(data, architecture_clip=clip)
        problem = one.problem(epoch=0)
        next(pairs := problem.pairs())
        one.method.architecture_step(problem)
        pairs.close()
        norms[clip] = torch.sqrt(sum((p.grad**2).sum() for p in one.method.parameters())).item()
    assert norms[0.0] > 1e-3
    assert norms[1e-4] == pytest.approx(1e-4, rel=0.02)


def test_a_search_is_resumed_exactly(data):
    whole = [log.theta for log in few(data).epochs()]
    first = few(data)
    begun = next(first.epochs()).theta
    resumed = few(data)
    resumed.load_state_dict(first.state_dict())
    assert np.array_equal(whole[0], begun)
    assert np.array_equal(whole[1], next(resumed.epochs()).theta)
    assert not np.array_equal(whole[0], whole[1])


def test_published_settings_are_those_of_the_paper_profile_only(data, tmp_path):
    methods = "gaea-pc-darts,pc-darts,gaea-darts-erm"
    epochs = {"gaea-pc-darts": 4, "pc-darts": 1, "gaea-darts-erm": 1}
    words = [word for name, number in epochs.items() for word in ("--set", f"{name}.protocol.epochs={number}")]
    assert search(tmp_path / "paper", data, *words, methods=methods) == 0
    found = {record["config"]["method"]["name"]: record["config"] for record in Store(tmp_path / "paper").records()}
    assert found["gaea-pc-darts"]["settings"]["warmup"] == found["pc-darts"]["settings"]["warmup"] == 0.7
    assert found["pc-darts"]["settings"]["lr"] == 6e-3
    assert [found[name]["profile"] for name in methods.split(",")] == ["paper", "paper", "controlled"]
    assert found["gaea-pc-darts"]["dataset"]["split"]["name"] == "50 % and 25 % of every class, seed 0"
    assert "all for both steps" in found["gaea-darts-erm"]["dataset"]["split"]["name"]
    (record,) = [r for r in Store(tmp_path / "paper").records() if r["config"]["method"]["name"] == "gaea-pc-darts"]
    theta = Store(tmp_path / "paper").arrays(record["key"])["theta"]
    assert np.array_equal(theta[2], np.full_like(theta[2], 1 / 8))  # frozen for 70 % of the epochs: for three of four
    assert not np.array_equal(theta[3], theta[2])
    overrides = record["config"]["overrides"]
    assert "warmup" not in overrides["settings"]
    assert overrides["protocol"]["weights_share"] == 0.5


def test_search_and_retraining_in_one_call(data, tmp_path, monkeypatch):
    monkeypatch.setitem(RECIPES, "digits", replace(DIGITS, cells=3, channels=4, epochs=1, batch_size=512))
    assert search(tmp_path / "quick", data, "--retrain", "digits", profile="quick") == 0
    kinds = sorted(record["config"]["kind"] for record in Store(tmp_path / "quick").records())
    assert kinds == ["one-shot", "retraining"]


BAD = {
    ("--space", "nasbench201"): "nasbench201 is not searched on imagenet, only on digits",
    ("--dataset", "imagenet,digits"): "imagenet is searched on its own",
    ("--data", "nowhere"): "no folder",
    ("--set", "protocol.image_size=48"): "image_size=48 is not a multiple of 32",
    ("--set", "protocol.weights_share=0.9"): "exceed 1 together",
    ("--set", "protocol.architecture_share=0"): "architecture_share=0.0 is not above 0",
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_input_is_one_line(words, data, tmp_path, capsys):
    assert search(tmp_path / "results", data, *words) == 2
    printed = capsys.readouterr().err
    assert BAD[words] in printed
    assert len(printed.strip().splitlines()) == 1


def test_fields_of_class_folders_are_unknown_elsewhere(tmp_path, capsys):
    assert run_all.main(["--set", "protocol.image_size=64", "--results", str(tmp_path)]) == 2
    assert "no protocol has a field 'image_size'" in capsys.readouterr().err


def test_a_protocol_on_class_folders_is_read_back():
    protocol = budget("quick", "darts", "imagenet", "darts", {}).protocol
    assert isinstance(protocol, FolderProtocol)
    assert as_protocol(asdict(protocol)) == protocol
