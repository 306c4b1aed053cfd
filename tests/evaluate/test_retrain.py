"""Training found cells from scratch: the step, the test accuracy, exact resume, records, bad input."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from harness.benchmarks import BENCHMARKS, DARTS
from harness.benchmarks.darts.genotypes import PUBLISHED_CELLS, published_cell
from harness.benchmarks.darts.recipes import DIGITS, unsuited
from harness.cli import main
from harness.data import Batches, load
from harness.evaluate.distributed import Group
from harness.evaluate.training import Feed, Training, feed
from harness.experiment.registry import benchmark_of
from harness.experiment.retrainings import named_cell, of_searches, plan
from harness.experiment.store import MEASURED, Store

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
BENCHMARK = BENCHMARKS["darts"]
CELL = "PC_DARTS_cifar"
ARCH = published_cell(CELL).arch
GENOTYPE = DARTS().to_string(ARCH)
STRIPES = f"{ROOT / 'tests' / 'stripes.py'}:load"
"""64 images: for what does not depend on which and how many there are."""
TINY = replace(DIGITS, cells=3, channels=4, epochs=3, batch_size=481, drop_path=0.3)  # three batches an epoch
WORDS = ["--cells", "3", "--channels", "4", "--epochs", "3", "--batch-size", "481", "--drop-path", "0.3"]


def training(recipe=TINY, seed=0, group=None, arch=ARCH, dtype=torch.float32, dataset="digits"):
    group = group or Group()
    source = feed(dataset, Path(), recipe, CPU, group)
    torch.manual_seed(seed)
    network = BENCHMARK.network(arch, recipe, source.classes, source.large).to(dtype)
    return Training(network, source, recipe, seed, CPU, group)


def values(logs):
    """All that must be the same in a resumed training."""
    return [{name: value for name, value in asdict(log).items() if name != "seconds"} for log in logs]


def retrain(results, *words, cells=(CELL,)):
    chosen = [word for cell in cells for word in ("--cell", cell)]
    return main(["retrain", *chosen, *WORDS, "--results", str(results), *words])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    results = tmp_path_factory.mktemp("finished")
    assert retrain(results, "--seeds", "2") == 0
    return results


# The step ------------------------------------------------------------------------------------------------------------


def smoothed(logits, labels, smoothing):
    """Cross-entropy with label smoothing (Szegedy et al. 2016, Section 7) by its definition."""
    targets = torch.full_like(logits, smoothing / logits.shape[1])
    targets[torch.arange(len(labels)), labels] += 1 - smoothing
    return -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()


@pytest.mark.parametrize("clip", [0.0, 0.05])
def test_a_step_is_the_textbook_one(clip):
    """With auxiliary classifier, label smoothing, clipping, momentum and decay, in float64."""
    recipe = replace(TINY, auxiliary_weight=0.4, label_smoothing=0.1, gradient_clip=clip, learning_rate=0.3)
    own = training(recipe, dtype=torch.float64)
    other = training(recipe, dtype=torch.float64).network.train()
    digits = load("digits", Path())
    images = F.interpolate(digits.train.pixels[:6].double() / 8 - 1, size=32).expand(-1, 3, -1, -1)
    labels = digits.train.labels[:6]
    own.network.train()
    velocity = [torch.zeros_like(p) for p in other.parameters()]
    for _ in range(2):
        totals = own.step(own.network, (images, labels), 6)
        logits, of_auxiliary = other(images)
        loss = smoothed(logits, labels, 0.1) + 0.4 * smoothed(of_auxiliary, labels, 0.1)
        gradients = torch.autograd.grad(loss, list(other.parameters()))
        norm = torch.sqrt(sum((g**2).sum() for g in gradients))
        scale = min(1.0, clip / (norm.item() + 1e-6)) if clip else 1.0
        with torch.no_grad():
            for parameter, gradient, v in zip(other.parameters(), gradients, velocity, strict=True):
                v.mul_(0.9).add_(scale * gradient + 3e-4 * parameter)
                parameter.sub_(0.3 * v)
        assert totals[0].item() == pytest.approx(6 * loss.item(), abs=1e-5)  # losses are summed in float32
        assert totals[1:].tolist() == [(logits.argmax(1) == labels).sum().item(), 6]
    for ours, expected in zip(own.network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


def test_an_epoch_uses_its_learning_rate_and_its_drop_path():
    own = training(dataset=STRIPES)
    logs = []
    for log in own.epochs():
        logs.append(log)
        assert own.network.drop_path == pytest.approx(0.3 * log.epoch / 3)
        assert {group["lr"] for group in own.optimizer.param_groups} == {log.learning_rate}
    assert [log.learning_rate for log in logs] == pytest.approx([0.1, 0.075, 0.025])


def test_the_test_accuracy_is_that_of_the_network_in_evaluation_mode():
    own = training(replace(TINY, epochs=1))
    (log,) = own.epochs()
    digits = load("digits", Path())
    images, labels = next(Batches(digits.test, len(digits.test), digits.mean, digits.std).in_order())
    with torch.no_grad():
        logits, of_auxiliary = own.network.eval()(images)
    assert of_auxiliary is None
    assert log.test_accuracy == pytest.approx(100 * (logits.argmax(1) == labels).double().mean().item())
    five = logits.argsort(dim=1, descending=True)[:, :5]
    assert log.test_top5_accuracy == pytest.approx(100 * (five == labels[:, None]).any(1).double().mean().item())


def test_a_cell_learns_stripes():
    *_, last = training(replace(TINY, epochs=4, batch_size=16, drop_path=0.0), dataset=STRIPES).epochs()
    assert last.test_accuracy > 90


def test_bf16_is_close_to_fp32():
    (full,), (half,) = (
        training(replace(TINY, epochs=1, batch_size=32, precision=p, drop_path=0.0), dataset=STRIPES).epochs()
        for p in ("fp32", "bf16")
    )
    assert half.loss == pytest.approx(full.loss, rel=0.05)
    assert half.loss != full.loss


def test_a_loss_that_is_not_finite_is_an_error():
    own = training(replace(TINY, gradient_clip=0.0), dataset=STRIPES)
    with torch.no_grad():
        own.network.classifier.bias.fill_(torch.inf)
    with pytest.raises(FloatingPointError, match=r"became nan in epoch 1"):
        next(own.epochs())


def test_all_batch_norms_run_as_modules():
    """So that synchronised ones can be put in their places."""
    network = training().network.train()
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    calls = []
    for norm in norms:
        norm.register_forward_hook(lambda module, *_: calls.append(module))
    network(torch.randn(2, 3, 8, 8))
    assert sorted(map(id, calls)) == sorted(map(id, norms))


def test_synchronised_batch_norms_need_gpus():
    with pytest.raises(ValueError, match="needs GPUs"):
        training(replace(TINY, synchronised_batch_norm=True))


def test_a_fixed_supernet_has_none():
    """Its cells call functions, so that some of its batch norms would stay as they are."""
    benchmark = benchmark_of(f"{ROOT / 'tests' / 'uneven_space.py'}:Uneven")
    recipe = benchmark.own_recipe(full=False)
    assert benchmark.unsuited_recipe("digits", recipe) is None
    reason = benchmark.unsuited_recipe("digits", replace(recipe, synchronised_batch_norm=True))
    assert reason.endswith("trained without synchronised_batch_norm")


# Resume --------------------------------------------------------------------------------------------------------------


def test_a_training_that_was_stopped_goes_on_bit_for_bit():
    recipe = replace(TINY, batch_size=32)
    whole = training(recipe, dataset=STRIPES)
    expected = values(whole.epochs())
    first = training(recipe, dataset=STRIPES)
    begun = [next(first.epochs())]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = training(recipe, dataset=STRIPES)
    second.load_state_dict(torch.load(file, weights_only=True))
    torch.manual_seed(99)  # whatever another process drew before
    assert values([*begun, *second.epochs()]) == expected
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, second.network.state_dict()[name]), name


def contents(results):
    """Results without times and provenance."""
    store, found = Store(results), {}
    for record in store.records():
        arrays = {k: v.tolist() for k, v in store.arrays(record["key"]).items() if k not in MEASURED}
        kept = {k: v for k, v in record.items() if k not in ("provenance", "arrays_sha256")}
        found[record["key"]] = (kept, arrays)
    return found


@pytest.mark.faults
def test_a_killed_training_goes_on_bit_for_bit(finished, tmp_path):
    command = [sys.executable, "-m", "harness", "retrain", "--cell", CELL, "--seeds", "2", *WORDS]
    process = subprocess.Popen([*command, "--results", str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    checkpoints = tmp_path / "checkpoints"
    while not (checkpoints.is_dir() and list(checkpoints.glob("*.pt"))):
        assert process.poll() is None, "it was over before it could be killed"
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(checkpoints.glob("*.pt"))) == 1
    assert retrain(tmp_path, "--seeds", "2") == 0
    assert contents(tmp_path) == contents(finished)
    assert not list(checkpoints.iterdir())


@pytest.mark.faults
def test_two_at_a_time_give_the_same_results(finished, tmp_path):
    assert retrain(tmp_path, "--seeds", "2", "--jobs", "2") == 0
    assert contents(tmp_path) == contents(finished)


# Records -------------------------------------------------------------------------------------------------------------


def test_what_a_record_holds(finished):
    store = Store(finished)
    records = store.records()
    assert sorted(record["config"]["seed"] for record in records) == [0, 1]
    for record in records:
        config = record["config"]
        assert (config["kind"], record["status"]) == ("retraining", "done")
        assert (record["metric"], record["split"]) == ("test_error", "test")
        assert (config["architecture"], config["benchmark"]["name"], config["processes"]) == (GENOTYPE, "darts", 1)
        digits = load("digits", Path())
        assert config["dataset"] == {"name": "digits", "origin": "official", "sha256": digits.sha256, "part": None}
        assert {**config["protocol"]["values"], **config["numerics"]} == asdict(TINY)
        changed = {k: v for k, v in asdict(TINY).items() if v != asdict(DIGITS)[k]}
        assert config["overrides"] == {"settings": {}, "protocol": changed, "numerics": {}}
        assert record["cell_name"] == CELL
        arrays = store.arrays(record["key"])
        assert {name: array.shape for name, array in arrays.items()} == dict.fromkeys(
            ["learning_rate", "loss", "train_accuracy", "test_accuracy", "test_top5_accuracy", *MEASURED], (3,)
        )
        assert record["test_error"] == pytest.approx(100 - arrays["test_accuracy"][-1])
        best = record["best_epoch"]
        assert best["test_peeking"] is True
        assert best["test_error"] == pytest.approx(100 - arrays["test_accuracy"].max())
        assert arrays["test_accuracy"][best["epoch"] - 1] == arrays["test_accuracy"].max()
        assert record["parameters"] == sum(p.numel() for p in training().network.parameters())


def test_the_same_command_does_nothing_more(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in (finished / "runs").iterdir()}
    assert retrain(finished, "--seeds", "2") == 0
    assert "2 runs: 2 done, 0 to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (finished / "runs").iterdir()} == before


def test_a_cell_under_another_name_is_the_same_run(finished, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text(f"mine = {GENOTYPE}\n")
    assert retrain(finished, cells=[str(tmp_path / "mine.txt"), GENOTYPE, CELL]) == 0
    assert "1 run: 1 done, 0 to do" in capsys.readouterr().out


def test_cells_are_ranked_by_their_mean_error(tmp_path, capsys):
    store = Store(tmp_path)
    store.prepare()
    runs = plan(
        "darts", [named_cell(BENCHMARK, cell.name) for cell in PUBLISHED_CELLS[:2]], "digits", [0, 1], {}, Path()
    )
    for run, error in zip(runs, [4.0, 2.0, 5.0, 2.5], strict=True):
        result = {"test_error": error, "best_epoch": {"epoch": 1, "test_error": 1.0, "test_peeking": True}}
        rest = {"status": "done", "parameters": 5, "cell_name": run.cell_name}
        record = {"schema": 2, "key": run.key, "config": run.config, **rest, **result, "provenance": {"seconds": 1.0}}
        store.write(record, {"loss": np.zeros(1)})
    words = [word for cell in PUBLISHED_CELLS[:2] for word in ("--cell", cell.name)]
    assert main(["retrain", *words, "--seeds", "2", "--results", str(tmp_path)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if " 1.00 " in line]
    assert [row[-5:-3] for row in rows] == [["2.25", "0.35"], ["4.50", "0.71"]]  # with sample deviations


def test_a_training_that_fails_is_recorded_and_the_others_go_on(tmp_path, capsys):
    assert retrain(tmp_path, "--learning-rate", "1e30", "--gradient-clip", "0", "--epochs", "1", "--seeds", "2") == 1
    records = Store(tmp_path).records()
    assert [record["status"] for record in records] == ["failed"] * 2
    assert all("FloatingPointError: the training loss became" in record["failure"] for record in records)
    assert "FAILED" in capsys.readouterr().out


# After a search ------------------------------------------------------------------------------------------------------


def search_record(method, seed, cell, status="done", **changes):
    benchmark = {"name": "darts", "origin": "built-in"}
    config = {"kind": "one-shot", "benchmark": benchmark, "method": {"name": method}, "seed": seed, **changes}
    return {"status": status, "config": config, "cells": {"last": cell}}


def test_the_last_cell_of_every_search_is_trained_under_the_searchs_seed():
    others = [DARTS().to_string(cell.arch) for cell in PUBLISHED_CELLS[:2]]
    records = [
        search_record("darts", 0, others[0]),
        search_record("darts", 1, others[0]),
        search_record("gaea-pc-darts", 0, others[0]),
        search_record("gaea-pc-darts", 1, others[1]),
        search_record("pc-darts", 2, others[1], status="failed"),
        search_record("pc-darts", 3, others[1], kind="retraining"),
        search_record("gdas", 4, "|nor_conv_3x3~0|", benchmark={"name": "nasbench201", "origin": "built-in"}),
        search_record("gdas", 5, others[1], benchmark={"name": "darts", "origin": "external", "sha256": "0"}),
    ]
    runs = of_searches("darts", records, "digits", Path())
    found = [(run.cell_name, run.config["seed"], run.config["architecture"]) for run in runs]
    assert found == [
        ("cell of darts", 0, others[0]),
        ("cell of darts", 1, others[0]),
        ("cell of gaea-pc-darts", 1, others[1]),
    ]
    assert all(run.recipe == DIGITS and not run.config["overrides"]["protocol"] for run in runs)
    assert of_searches("darts", records[4:], "digits", Path()) == []


# Bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cell", "NOT_A_CELL"], "no published cell 'NOT_A_CELL'"),
        (["--cell", "Genotype(normal=[])"], "not a DARTS genotype"),
        (["--cell", "nowhere/cell.txt"], "no file nowhere/cell.txt"),
        (["--cell", CELL, "--dataset", "cifar10", "--data", "nowhere"], "no folder cifar-10-batches-py in"),
        (["--cell", CELL, "--dataset", "imagenet", "--data", "nowhere"], "nowhere/imagenet/train (--data)"),
        (["--cell", CELL, "--dataset", "imagenet", "--image-size", "100"], "image_size=100 is not a multiple of 32"),
        (["--cell", CELL, "--dataset", "imagenet", "--image-size", "96"], "need auxiliary_weight=0"),
        (["--cell", CELL, "--dataset", "imagenet", "--cutout", "8"], "no cutout for imagenet"),
        (
            ["--cell", CELL, "--auxiliary-weight", "0.4"],
            "for the images of cifar10 and cifar100, not of digits",
        ),
        (["--cell", CELL, "--colour-jitter"], "colour_jitter is for images in class folders"),
        (["--cell", CELL, "--epochs", "0"], "epochs=0 is below 1"),
        (["--cell", CELL, "--schedule", "linear", "--epochs", "5"], "needs more than 5 epochs"),
        (["--cell", CELL, "--device", "cuda:99"], "--device cuda:99 cannot be used"),
    ],
)
def test_bad_input_is_one_line(words, message, tmp_path, capsys):
    assert main(["retrain", *words, "--results", str(tmp_path / "results")]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert len(printed.err.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_a_file_that_holds_no_cell(tmp_path):
    for content in ("", "{}", '{"cells": {"last": "|none~0|"}}', "\x00", "[" * 1000):
        (tmp_path / "cell.txt").write_text(content)
        with pytest.raises(ValueError, match=r"cell\.txt holds neither an architecture of darts nor the record"):
            named_cell(BENCHMARK, str(tmp_path / "cell.txt"))


def test_the_record_of_a_search_is_a_cell_file(tmp_path):
    (tmp_path / "search.json").write_text(json.dumps(search_record("darts", 0, GENOTYPE)))
    assert named_cell(BENCHMARK, str(tmp_path / "search.json")) == ("cell of darts, seed 0", GENOTYPE)


def test_too_few_images_for_the_processes():
    images = Feed("0" * 64, 10, "cifar", 8, 3, 3, lambda _: iter(()), lambda: iter(()))
    with pytest.raises(ValueError, match="3 training images are too few for 2 processes"):
        Training(training().network, images, TINY, 0, CPU, Group(0, 2))


def test_a_batch_too_small_for_the_processes():
    images = Feed("0" * 64, 10, "cifar", 8, 300, 3, lambda _: iter(()), lambda: iter(()))
    with pytest.raises(ValueError, match="batch_size=5 is too small for 3 processes, of which each needs 2 images"):
        Training(training().network, images, replace(TINY, batch_size=5), 0, CPU, Group(0, 3))


@pytest.mark.parametrize("space", ["darts", f"{ROOT / 'tests' / 'uneven_space.py'}:Uneven"])
def test_images_of_any_size_are_not_cut_out(space):
    """A square of 16 pixels would be all of a small image."""
    assert benchmark_of(space).own_recipe(full=True).cutout == 0


def test_the_auxiliary_classifier_needs_two_reductions_before_it():
    recipe = BENCHMARKS["darts"].recipes()["cifar10"]
    assert unsuited("cifar10", replace(recipe, cells=2)) is None
    assert "two cells or more" in unsuited("cifar10", replace(recipe, cells=1))
    BENCHMARKS["darts"].network(ARCH, replace(recipe, cells=2, channels=2), 10, large=False)(torch.zeros(2, 3, 32, 32))
