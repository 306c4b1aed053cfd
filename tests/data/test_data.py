"""Datasets, splits, batches."""

import pickle
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from harness.data import Batches, Images, load, search_data
from harness.data.batches import augment
from harness.data.cifar import read_cifar10
from harness.data.splits import balanced_halves


def test_digits():
    digits = load("digits", Path())
    assert len(digits.train) + len(digits.test) == 1797
    assert digits.train.pixels.shape[1:] == (1, 8, 8)
    assert digits.train.pixels.max() == 16
    assert digits.test.labels.bincount().min() >= 34
    everything = torch.cat([digits.train.pixels, digits.test.pixels])
    assert everything.sum().item() == int(load_digits().images.sum())
    assert torch.equal(digits.train.pixels[:4, 0], torch.from_numpy(load_digits().images[:4].astype("uint8")))


def test_bilevel_halves_are_disjoint_balanced_and_leave_the_test_set_alone():
    digits = load("digits", Path())
    first, second = balanced_halves(digits.train.labels)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(digits.train)))
    counts = [digits.train.labels[half].bincount() for half in (first, second)]
    assert (counts[0] - counts[1]).abs().max() <= 1
    assert abs(len(first) - len(second)) <= 1
    bilevel, erm = search_data(digits, True), search_data(digits, False)
    assert len(bilevel.weights) + len(bilevel.architecture) == len(erm.weights) == len(digits.train)
    assert erm.validation is None


def test_augmentation_equals_flip_pad_crop_image_by_image():
    torch.manual_seed(0)
    pixels = torch.randint(256, (32, 3, 8, 10), dtype=torch.uint8)
    shifts, flips = torch.randint(5, (32, 2)), torch.rand(32) < 0.5
    ours = augment(pixels, 2, shifts, flips)
    for image, (row, column), flip, result in zip(pixels, shifts.tolist(), flips, ours, strict=True):
        whole = F.pad(image.flip(2) if flip else image, [2] * 4)
        # The crop is taken before the mirror in the gather: mirroring the padded image is the same as padding a mirror.
        assert torch.equal(result, whole[:, row : row + 8, column : column + 10])


def test_batches_see_every_image_once_per_pass_normalised_in_three_channels():
    pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 1, 4, 4).contiguous()
    batches = Batches(Images(pixels, torch.arange(10)), 4, mean=(2.0,), std=(0.5,))
    seen = list(batches.one_pass(torch.Generator().manual_seed(0)))
    assert [len(labels) for _, labels in seen] == [4, 4, 2]
    labels = torch.cat([labels for _, labels in seen])
    assert sorted(labels.tolist()) == list(range(10))
    assert labels.tolist() != list(range(10))
    images = torch.cat([images for images, _ in seen])
    assert images.shape == (10, 3, 4, 4)
    assert torch.equal(images[:, 2, 0, 0], (labels.float() - 2) / 0.5)
    assert len(list(zip(batches.forever(torch.Generator()), range(7), strict=False))) == 7


def test_cifar10_reader(test_data):
    (pixels, labels), (test_pixels, _) = read_cifar10(test_data / "cifar")
    assert pixels.shape == (10_000, 3, 32, 32)
    assert test_pixels.shape == (2_000, 3, 32, 32)
    assert set(labels.tolist()) == set(range(10))
    assert load("cifar10", test_data / "cifar").sha256 == load("cifar10", test_data / "cifar").sha256


class Malicious:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("content", [b"", b"\x80\x02", pickle.dumps(Malicious()), pickle.dumps({b"data": 1})])
def test_cifar10_reader_refuses_foreign_files(tmp_path, content, capsys):
    folder = tmp_path / "cifar-10-batches-py"
    with pytest.raises(FileNotFoundError, match="unpack the official"):
        read_cifar10(tmp_path)
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(content)
    with pytest.raises(ValueError, match="is not a CIFAR-10 batch"):
        read_cifar10(tmp_path)
    assert capsys.readouterr().out == ""
