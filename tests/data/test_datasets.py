"""Datasets by name, from folders and archives in the official layouts."""

import hashlib
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.data import DATASETS, load, search_split
from harness.data.origin import content_digest
from tests.data.layouts import archive, batch, cifar100_files, imagenet16


def test_digits():
    from sklearn.datasets import load_digits  # loads for a second, and only here

    digits = load("digits", Path())
    assert len(digits.train) + len(digits.test) == 1797
    assert digits.train.pixels.shape[1:] == (1, 8, 8)
    assert digits.train.pixels.max() == 16
    assert digits.test.labels.bincount().min() >= 34
    everything = torch.cat([digits.train.pixels, digits.test.pixels])
    assert everything.sum().item() == int(load_digits().images.sum())
    assert torch.equal(digits.train.pixels[:4, 0], torch.from_numpy(load_digits().images[:4].astype("uint8")))
    pixels = digits.train.pixels.double()
    assert digits.mean[0] == pytest.approx(pixels.mean().item(), rel=1e-12)
    assert digits.std[0] == pytest.approx(pixels.std().item(), rel=1e-12)


def test_digests_are_those_of_stored_runs(test_data):
    """A digest that changes without the images makes every stored run be run again."""
    assert load("digits", Path()).sha256 == "5b115f5763a968656e9498b81561717f51a70d344bd044d38a73b9148d4736d9"
    cifar10 = load("cifar10", test_data / "cifar")
    assert cifar10.sha256 == "6ddc605221ab56338da059311f090c7f0cfa9a5957607bcca2dbc53c072ab402"


@pytest.mark.parametrize(
    "name, train, test, key",
    [
        ("cifar10", [f"cifar-10-batches-py/data_batch_{n}" for n in range(1, 6)], "test_batch", b"labels"),
        ("cifar100", ["cifar-100-python/train"], "test", b"fine_labels"),
    ],
)
def test_cifar_is_what_pickle_reads(test_data, name, train, test, key):
    dataset = load(name, test_data / "cifar")
    folder = test_data / "cifar" / train[0].partition("/")[0]
    of_train = [test_data / "cifar" / path for path in train]
    for images, paths in [(dataset.train, of_train), (dataset.test, [folder / test])]:
        contents = [pickle.loads(path.read_bytes(), encoding="bytes") for path in paths]
        assert np.array_equal(images.pixels.numpy().reshape(-1, 3072), np.concatenate([c[b"data"] for c in contents]))
        assert images.labels.tolist() == [label for c in contents for label in c[key]]
    assert images.pixels.shape[1:] == (3, 32, 32)
    assert dataset.train.labels.unique().tolist() == list(range(dataset.classes))
    # The subset's statistics are those of the whole set but for the sampling.
    pixels = dataset.train.pixels.double()
    assert pixels.mean((0, 2, 3)).tolist() == pytest.approx(dataset.mean, abs=2.5)
    assert pixels.std((0, 2, 3)).tolist() == pytest.approx(dataset.std, abs=2.5)


def test_imagenet16_keeps_the_first_120_classes_in_the_order_of_the_files(tmp_path):
    where = imagenet16(tmp_path)
    dataset = load("imagenet16-120", tmp_path)
    contents = [pickle.loads((where / f"train_data_batch_{n}").read_bytes()) for n in range(1, 11)]
    kept = [
        (row, label - 1)
        for c in contents
        for row, label in zip(c["data"], c["labels"], strict=True)
        if 1 <= label <= 120
    ]
    assert len(dataset.train) == len(kept) == 240
    assert len(dataset.test) == 480
    assert dataset.train.labels.tolist() == [label for _, label in kept]
    assert np.array_equal(dataset.train.pixels.numpy().reshape(-1, 768), np.stack([row for row, _ in kept]))
    assert dataset.train.pixels.shape == (240, 3, 16, 16)
    assert dataset.classes == 120


def test_archive_and_folder_are_the_same_dataset(tmp_path):
    files = cifar100_files()
    (tmp_path / "packed").mkdir()
    archive(tmp_path / "packed" / "cifar-100-python.tar.gz", files)
    (tmp_path / "unpacked" / "cifar-100-python").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "unpacked" / name).write_bytes(content)
    packed, unpacked = load("cifar100", tmp_path / "packed"), load("cifar100", tmp_path / "unpacked")
    assert packed.sha256 == unpacked.sha256
    assert len(packed.train) == 200
    assert list((tmp_path / "packed").iterdir()) == [tmp_path / "packed" / "cifar-100-python.tar.gz"]


def test_order_of_the_members_is_not_that_of_the_images(tmp_path):
    names = ["data_batch_4", "test_batch", "data_batch_3", "data_batch_2", "data_batch_5", "data_batch_1"]
    files = {f"cifar-10-batches-py/{name}": batch([int(name[-1])] if "data" in name else [0], 32) for name in names}
    archive(tmp_path / "cifar-10-python.tar.gz", files)
    assert load("cifar10", tmp_path).train.labels.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet16-120"])
def test_absent_files_are_named(tmp_path, name):
    files = DATASETS[name].files
    with pytest.raises(FileNotFoundError, match=r"--data.*put (the|or unpack the official) .*into ") as caught:
        load(name, tmp_path)
    assert "\n" not in str(caught.value)
    assert files.folder in str(caught.value)
    (tmp_path / files.folder).mkdir()
    with pytest.raises(FileNotFoundError, match=f"has no file {files.train[0]}"):
        load(name, tmp_path)


def test_incomplete_archive_and_unknown_name(tmp_path):
    archive(tmp_path / "cifar-100-python.tar.gz", {"cifar-100-python/train": batch([1], 32, "fine_labels")})
    with pytest.raises(ValueError, match="has no file cifar-100-python/test"):
        load("cifar100", tmp_path)
    with pytest.raises(ValueError, match="known: digits, cifar10, cifar100, imagenet16-120"):
        load("mnist", tmp_path)


@pytest.mark.faults
def test_the_whole_of_cifar10_in_another_order_is_recognised(test_data, tmp_path):
    subprocess.run([sys.executable, test_data / "cifar10-full" / "unpack.py", tmp_path], check=True)
    (tmp_path / "cifar-split.txt").write_bytes((test_data / "splits" / "cifar-split.txt").read_bytes())
    dataset = load("cifar10", tmp_path)
    assert (dataset.origin, dataset.part) == ("reordered", None)
    split = search_split(dataset, bilevel=True)
    assert split.substitute  # the benchmark's lists are of positions in the official order


def test_origins(test_data, tmp_path, monkeypatch):
    assert load("digits", Path()).origin == "official"
    assert load("cifar10", test_data / "cifar").origin == "subset"
    folder = tmp_path
    for name, content in cifar100_files().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    source = DATASETS["cifar100"]
    parts = source.files.read(folder)
    counts = tuple(len(labels) for _, labels in parts)
    files = folder / "cifar-100-python"
    md5 = {name: hashlib.md5((files / name).read_bytes()).hexdigest() for name in ("train", "test")}
    for changed, origin in (
        ({}, "subset"),
        ({"official": counts}, "unverified"),
        ({"official": counts, "md5": md5}, "official"),
        ({"official": counts, "content": content_digest(parts)}, "reordered"),
    ):
        monkeypatch.setitem(DATASETS, "cifar100", replace(source, **changed))
        load.cache_clear()
        assert load("cifar100", folder).origin == origin
    load.cache_clear()


def test_the_digest_of_the_content_is_that_of_any_order_and_of_no_other_labels():
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 255, (6, 3, 2, 2), np.uint8), np.array([0, 0, 1, 1, 2, 2])
    order, test = rng.permutation(6), (pixels[:2], labels[:2])
    expected = content_digest([(pixels, labels), test])
    assert content_digest([(pixels[order], labels[order]), test]) == expected
    assert content_digest([(pixels, labels[order]), test]) != expected
    assert content_digest([(pixels, labels), (pixels[1:3], labels[1:3])]) != expected
