"""Several processes train one network: each image once, and the same numbers as one process that works in parts."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarks import BENCHMARKS
from harness.data import Batches, load
from harness.evaluate.distributed import Group, current_group
from harness.evaluate.training import Training, feed
from harness.experiment.jobs.base import Machine
from harness.experiment.retrainings import named_cell, plan
from harness.experiment.store import Store
from harness.search.loop import stream
from tests.evaluate.test_retrain import CELL, CPU, ROOT, TINY, contents, training

RECIPE = replace(TINY, epochs=2, batch_size=481, drop_path=0.0)  # 1442 images: batches of 481, 481 and 480
WORDS = ["--cells", "3", "--channels", "4", "--epochs", "2", "--batch-size", "481", "--drop-path", "0"]


def torchrun(results, *words):
    options = ["--standalone", "--nproc-per-node", "2", "-m", "harness", "retrain", "--cell", CELL]
    command = [sys.executable, "-m", "torch.distributed.run", *options, *WORDS, "--results", str(results), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    results = tmp_path_factory.mktemp("together")
    process = torchrun(results, "--seeds", "2")
    printed = process.communicate(timeout=300)[0]
    assert process.returncode == 0, printed
    assert "[2/2]" in printed
    return results


def in_halves(seed):
    """Loss, training and test accuracy (epochs, 3) of one process that sends the two halves of every batch through
    the network separately: statistics of each half, gradients averaged, running statistics of the first half."""
    network = training(RECIPE, stream(seed, "initial weights")).network
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4)
    digits = load("digits", Path())
    batches = Batches(digits.train, 481, digits.mean, digits.std, crop_padding=1)
    logs = []
    for epoch in range(2):
        for group in optimizer.param_groups:
            group["lr"] = [0.1, 0.05][epoch]
        network.train()
        total, correct = 0.0, 0
        for images, labels in batches.one_pass(torch.Generator().manual_seed(stream(seed, "batches", epoch))):
            optimizer.zero_grad()
            middle = len(labels) // 2
            for half in (slice(0, middle), slice(middle, None)):
                if half.start:
                    kept = {name: buffer.clone() for name, buffer in network.named_buffers()}
                logits, _ = network(images[half])
                loss = F.cross_entropy(logits, labels[half], reduction="sum")
                (loss / len(labels)).backward()
                total += loss.item()
                correct += (logits.argmax(1) == labels[half]).sum().item()
            for name, buffer in network.named_buffers():
                buffer.copy_(kept[name])
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
        network.eval()
        images, labels = next(Batches(digits.test, len(digits.test), digits.mean, digits.std).in_order())
        with torch.no_grad():
            right = (network(images)[0].argmax(1) == labels).double().mean().item()
        logs.append([total / len(digits.train), 100 * correct / len(digits.train), 100 * right])
    return np.array(logs)


@pytest.mark.faults
@pytest.mark.parametrize("seed", [0, 1])
def test_two_processes_train_as_one_that_works_in_halves(together, seed):
    store = Store(together)
    (record,) = [record for record in store.records() if record["config"]["seed"] == seed]
    assert record["config"]["processes"] == 2
    arrays = store.arrays(record["key"])
    found = np.stack([arrays["loss"], arrays["train_accuracy"], arrays["test_accuracy"]], axis=1)
    expected = in_halves(seed)
    assert found[:, 0] == pytest.approx(expected[:, 0], rel=1e-4)
    assert found[:, 1] == pytest.approx(expected[:, 1], abs=100 * 1.5 / 1442), "at most one image on the edge"
    assert found[:, 2] == pytest.approx(expected[:, 2], abs=100 * 1.5 / 355)


def children(parent):
    """The ids of a process's children, from /proc."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # one that has just ended
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                yield int(stat.parent.name)


@pytest.mark.faults
@pytest.mark.parametrize("leader_is_killed", [True, False])
def test_killed_processes_go_on_bit_for_bit(together, tmp_path, leader_is_killed):
    process = torchrun(tmp_path, "--seeds", "2")
    checkpoints = tmp_path / "checkpoints"
    while not (checkpoints.is_dir() and list(checkpoints.glob("*.pt"))):
        assert process.poll() is None, "it was over before it could be killed"
        time.sleep(0.005)
    leader = int(next((tmp_path / "claims").iterdir()).read_text().split('"pid": ')[1].split(",")[0])
    (follower,) = set(children(process.pid)) - {leader}
    os.kill(leader if leader_is_killed else follower, signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(checkpoints.glob("*.pt"))
    again = torchrun(tmp_path, "--seeds", "2")
    printed = again.communicate(timeout=300)[0]
    assert again.returncode == 0, printed
    assert contents(tmp_path) == contents(together)


@pytest.mark.faults
def test_a_failed_run_ends_the_call_and_the_next_call_does_the_others_first(tmp_path):
    bad = ["--learning-rate", "1e30", "--gradient-clip", "0", "--epochs", "1"]
    for seeds, failed in (("1", 1), ("2", 2)):
        process = torchrun(tmp_path, *bad, "--seeds", seeds)
        process.communicate(timeout=300)
        assert process.returncode == 1
        assert [record["status"] for record in Store(tmp_path).records()] == ["failed"] * failed


@pytest.mark.faults
def test_what_torchrun_cannot_do(tmp_path):
    for words, message in (("--jobs 2", "one network at a time"), ("--time-limit 9", "leave --time-limit out")):
        process = torchrun(tmp_path, *words.split())
        assert message in process.communicate(timeout=60)[0]
        assert process.returncode == 1
    assert not list(tmp_path.iterdir())


def test_a_run_for_two_processes_is_not_trained_by_one():
    (run,) = plan("darts", [named_cell(BENCHMARKS["darts"], CELL)], "digits", [0], {}, Path(), processes=2)
    with pytest.raises(ValueError, match="planned for 2 processes, but 1 would train it"):
        run.begin(Machine(Path(), Path(), None, "cpu", 1, None, None))


def test_alone_there_is_a_group_of_one():
    group = current_group()
    assert group == Group(0, 1)
    assert group.is_main
    assert group.broadcast("a") == "a"
    assert group.all_reduce(torch.ones(2)).tolist() == [1, 1]


@given(st.integers(0, 500), st.integers(1, 17))
def test_shares_are_a_partition_into_equal_parts(count, size):
    parts = [range(count)[Group(rank, size).shard(count)] for rank in range(size)]
    assert [item for part in parts for item in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("size", [2, 3])
def test_a_groups_batches_are_those_of_one_process(size):
    whole = feed("digits", Path(), RECIPE, CPU, Group())
    parts = [feed("digits", Path(), RECIPE, CPU, Group(rank, size)) for rank in range(size)]

    def batches(source):
        return list(source.training(torch.Generator().manual_seed(1)))

    joined = [tuple(map(torch.cat, zip(*steps, strict=True))) for steps in zip(*map(batches, parts), strict=True)]
    for (images, labels), (expected, expected_labels) in zip(joined, batches(whole), strict=True):
        assert torch.equal(images, expected)
        assert torch.equal(labels, expected_labels)
    tested = torch.cat([labels for part in parts for _, labels in part.testing()])
    assert torch.equal(tested, load("digits", Path()).test.labels)


def test_a_part_counts_by_its_number_of_images():
    """The gradient of two parts of a batch of three, one image and two, is the batch's when averaged."""
    recipe = replace(RECIPE, momentum=0.0, weight_decay=0.0, gradient_clip=0.0, learning_rate=1.0)
    images, labels = next(feed("digits", Path(), recipe, CPU, Group()).training(torch.Generator().manual_seed(0)))

    def change(part, group):
        """Of the weights by one step, in evaluation mode, where images do not see each other."""
        own = training(recipe, group=group, dtype=torch.float64)
        before = [p.detach().clone() for p in own.weights]
        own.step(own.network.eval(), (images[part].double(), labels[part]), 3)
        return [p - q for p, q in zip(own.weights, before, strict=True)]

    halves = [change(slice(0, 1), Group(0, 2)), change(slice(1, 3), Group(1, 2))]
    for first, second, whole in zip(*halves, change(slice(0, 3), Group()), strict=True):
        torch.testing.assert_close((first + second) / 2, whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size, last", [(1, True), (2, False)])
def test_a_last_batch_too_small_for_batch_norm_is_left_out(size, last):
    recipe = replace(RECIPE, batch_size=160)  # 1442 = 9 * 160 + 2
    source = feed("digits", Path(), recipe, CPU, Group())
    sizes = Training(training(RECIPE).network, source, recipe, 0, CPU, Group(0, size)).batch_sizes()
    assert sizes == [recipe.batch_size] * (1442 // recipe.batch_size) + [2] * last
