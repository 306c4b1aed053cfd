"""Batches and their augmentation, image by image."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from harness.data import Batches, Images
from harness.data.batches import augment, cut_out


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
    assert len(list(zip(batches.infinite(torch.Generator()), range(7), strict=False))) == 7


def cut_out_of_one(image, length, row, column):
    """As the paper's algorithm: the square around the centre, clipped at the borders, is zero."""
    image = image.clone()
    top, left = row - length // 2, column - length // 2
    image[:, max(top, 0) : max(top + length, 0), max(left, 0) : max(left + length, 0)] = 0
    return image


@given(st.integers(1, 20), st.integers(0, 1000))
def test_cutout_equals_that_of_each_image(length, seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(16, 3, 8, 10, generator=generator).contiguous(memory_format=torch.channels_last)
    centres = torch.stack([torch.randint(side, (16,), generator=generator) for side in (8, 10)], dim=1)
    expected = [cut_out_of_one(i, length, *c) for i, c in zip(images, centres.tolist(), strict=True)]
    ours = cut_out(images.clone(), length, centres)
    assert torch.equal(ours, torch.stack(expected))
    assert ours.is_contiguous(memory_format=torch.channels_last)


def random_images(n, side):
    pixels = torch.randint(1, 255, (n, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return Images(pixels, torch.arange(n))


@pytest.mark.parametrize("side, padding, length", [(32, 4, 16), (16, 2, 8)])
def test_cutout_changes_nothing_else(side, padding, length):
    """Same order, crops and mirrors as without; zeros in a square of a whole batch, elsewhere the same values."""
    images = random_images(50, side)
    generators = [torch.Generator().manual_seed(3) for _ in range(2)]
    without, cut = (
        list(Batches(images, 20, (128.0,) * 3, (60.0,) * 3, padding, True, cutout=c).one_pass(generator))
        for c, generator in zip((0, length), generators, strict=True)
    )
    shares = []
    for (plain, labels), (holed, same_labels) in zip(without, cut, strict=True):
        assert torch.equal(labels, same_labels)
        hole = (holed == 0).all(dim=1)
        assert torch.equal(holed, plain * ~hole[:, None])
        assert holed.is_contiguous(memory_format=torch.channels_last)
        shares += hole.float().mean((1, 2)).tolist()
    assert max(shares) == pytest.approx((length / side) ** 2)  # 1/4 unless at a border, there down to 1/16
    assert min(shares) >= (length / side) ** 2 / 4 - 1e-6
    assert len(set(shares)) > 10


def test_centres_are_uniform():
    batches = Batches(Images(torch.zeros(40_000, 1, 4, 5, dtype=torch.uint8), torch.zeros(40_000)), 8, (0.0,), (1.0,))
    counts = torch.zeros(4, 5)
    rows, columns = batches._centres(torch.Generator().manual_seed(0)).unbind(1)
    counts.index_put_((rows, columns), torch.ones(40_000), accumulate=True)
    assert ((counts - 2_000).abs() < 5 * 2_000**0.5).all()


def test_without_cutout_the_random_stream_is_as_it_was():
    images, generator = random_images(10, 8), torch.Generator().manual_seed(5)
    batches = Batches(images, 4, (0.0,), (1.0,), crop_padding=1, flip=True)
    first = torch.cat([labels for _, labels in batches.one_pass(generator)])
    reference = torch.Generator().manual_seed(5)
    assert torch.equal(first, torch.randperm(10, generator=reference))
    torch.randint(3, (10, 2), generator=reference)
    torch.rand(10, generator=reference)
    assert torch.equal(generator.get_state(), reference.get_state())
