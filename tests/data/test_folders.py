"""ImageNet from class folders: labels, geometry, colours, shares, workers, bad input."""

import colorsys
import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.cli import main
from harness.data.folders import (
    AREAS,
    MEAN,
    RATIOS,
    STD,
    Augmentation,
    FolderBatches,
    centre_crop,
    class_folders,
    jitter_colours,
    random_box,
    shift_hue,
)
from harness.evaluate.distributed import Group
from harness.experiment.store import Store

CPU = torch.device("cpu")
NOTHING = Augmentation(crop=False, flip=False, colour_jitter=False)
ALL = Augmentation(crop=True, flip=True, colour_jitter=True)
COLOURS = {"n01_red": (200, 30, 10), "n02_green": (20, 180, 60), "n03_blue": (40, 50, 220)}


def write(root, train=5, test=2):
    """Noisy images of three classes, each of one colour, of various sizes and kinds of file."""
    rng = np.random.default_rng(0)
    for part, count in (("train", train), ("val", test)):
        for name, colour in COLOURS.items():
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                height, width = rng.integers(40, 90, 2)
                noise = rng.integers(-20, 21, (height, width, 3))
                image = Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))
                image.save(folder / f"{number}.{'JPEG' if number % 2 else 'png'}")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "imagenet")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# Files ---------------------------------------------------------------------------------------------------------------


def test_classes_are_the_folders_in_alphabetical_order(root):
    found = class_folders(root)
    assert found.classes == 3
    assert found.train.labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    assert found.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.test.path(3) == root / "val" / "n02_green" / "1.JPEG"


def test_the_digest_tells_other_files_apart(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "copy")
    before = class_folders(root).sha256
    assert class_folders(copy).sha256 == before
    (copy / "val" / "n01_red" / "notes.txt").write_text("no image")
    class_folders.cache_clear()
    assert class_folders(copy).sha256 == before
    shutil.copy(copy / "val" / "n01_red" / "0.png", copy / "val" / "n01_red" / "9.png")
    class_folders.cache_clear()
    assert class_folders(copy).sha256 != before


def missing_train(root):
    shutil.rmtree(root / "train")


def missing_class(root):
    shutil.rmtree(root / "val" / "n02_green")


def flat_val(root):
    shutil.rmtree(root / "val")
    (root / "val").mkdir()
    (root / "val" / "ILSVRC2012_val_00000001.JPEG").touch()


def empty_class(root):
    for path in (root / "train" / "n03_blue").iterdir():
        path.unlink()


def one_class(root):
    for name in ("n02_green", "n03_blue"):
        shutil.rmtree(root / "train" / name)
        shutil.rmtree(root / "val" / name)


@pytest.mark.parametrize(
    "damage, message",
    [
        (one_class, "train has a single class folder, n01_red, and a classifier needs two"),
        (missing_train, r"no folder .*train \(--data\): it should hold one folder of images per class"),
        (missing_class, "differ in their class folders: n02_green"),
        (flat_val, "val has no class folders: sort its images into one folder per class"),
        (empty_class, "n03_blue has no images"),
    ],
)
def test_folders_that_are_not_as_they_should_be(tmp_path, damage, message):
    write(tmp_path / "imagenet", train=1, test=1)
    damage(tmp_path / "imagenet")
    with pytest.raises((FileNotFoundError, ValueError), match=message) as error:
        class_folders(tmp_path / "imagenet")
    assert "\n" not in str(error.value)


def test_a_damaged_image_is_named(tmp_path):
    root = write(tmp_path / "imagenet", train=1, test=1)
    (root / "train" / "n02_green" / "0.png").write_bytes(b"no image")
    batches = FolderBatches(class_folders(root).train, 3, 32, NOTHING, CPU)
    with pytest.raises(ValueError, match=r"n02_green/0\.png cannot be read as an image"):
        list(batches.in_order())


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux, where such a file is")
def test_a_file_that_cannot_be_read_now_is_no_damaged_image(tmp_path):
    """Reading the first bytes of a process's memory is an input/output error, as of a failing disk."""
    root = write(tmp_path / "imagenet", train=1, test=1)
    image = root / "train" / "n02_green" / "0.png"
    image.unlink()
    image.symlink_to("/proc/self/mem")
    batches = FolderBatches(class_folders(root).train, 3, 32, NOTHING, CPU)
    with pytest.raises(OSError, match=r"Input/output error: .*n02_green/0\.png") as error:
        list(batches.in_order())
    assert error.value.errno == errno.EIO


# Geometry ------------------------------------------------------------------------------------------------------------


def test_the_central_square_is_cut_exactly():
    pixels = np.random.default_rng(0).integers(0, 256, (256, 300, 3), dtype=np.uint8)
    assert np.array_equal(np.array(centre_crop(Image.fromarray(pixels), 224)), pixels[16:240, 38:262])


@pytest.mark.parametrize("size", [(500, 375), (375, 500), (20, 100), (256, 256), (1, 1)])
@pytest.mark.parametrize("side", [32, 224])
def test_the_central_square_has_its_side(size, side):
    assert centre_crop(Image.new("RGB", size), side).size == (side, side)


def test_the_shorter_side_is_brought_to_256():
    """A ramp along the width of an image twice as large: value 255 * x / 1023 there, x = 2 * (x' + offset) + 1/2."""
    ramp = np.broadcast_to(np.linspace(0, 255, 1024)[None, :, None], (512, 1024, 3)).round().astype(np.uint8)
    found = np.array(centre_crop(Image.fromarray(ramp), 224)).astype(float)
    expected = 255 / 1023 * (2 * (np.arange(224) + (512 - 224) / 2) + 0.5)
    assert np.abs(found - expected[:, None]).max() <= 1


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(0, 2**32))
def test_random_parts_lie_inside_the_image(width, height, seed):
    left, upper, right, lower = random_box(width, height, np.random.default_rng(seed))
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height


def test_random_parts_have_the_published_areas_and_shapes():
    boxes = np.array([random_box(500, 400, np.random.default_rng(seed)) for seed in range(4000)])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    areas, ratios = widths * heights / (500 * 400), widths / heights
    assert AREAS[0] - 0.01 <= areas.min() < 0.1
    assert 0.9 < areas.max() <= AREAS[1]
    assert RATIOS[0] - 0.02 <= ratios.min() < 0.76
    assert 1.32 < ratios.max() <= RATIOS[1] + 0.02
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert centres.mean(axis=0) == pytest.approx([250, 200], abs=6)


def test_an_image_too_narrow_for_any_part_is_cut_in_its_middle():
    assert random_box(1000, 30, np.random.default_rng(0)) == (480, 0, 520, 30)
    assert random_box(30, 1000, np.random.default_rng(0)) == (0, 480, 30, 520)


# Colours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [-0.2, -0.05, 0.0, 0.1, 0.2])
@pytest.mark.parametrize("colour", [*COLOURS.values(), (120, 120, 120), (250, 240, 10)])
def test_the_hue_is_turned(colour, turn):
    h, s, v = colorsys.rgb_to_hsv(*(level / 255 for level in colour))
    expected = [255 * level for level in colorsys.hsv_to_rgb((h + turn) % 1, s, v)]
    assert shift_hue(Image.new("RGB", (1, 1), colour), turn).getpixel((0, 0)) == pytest.approx(expected, abs=6)


def test_jitter_changes_brightness_within_its_limits_and_leaves_black_alone():
    white, black = Image.new("RGB", (2, 2), (128, 128, 128)), Image.new("RGB", (2, 2))
    levels = [jitter_colours(white, np.random.default_rng(seed)).getpixel((0, 0))[0] for seed in range(500)]
    assert 128 * 0.6 - 1 <= min(levels) < 128 * 0.62
    assert 128 * 1.38 < max(levels) <= 128 * 1.4 + 1
    assert jitter_colours(black, np.random.default_rng(0)).getpixel((0, 0)) == (0, 0, 0)


def test_jitter_changes_each_image_in_its_own_way():
    image = Image.new("RGB", (2, 2), COLOURS["n01_red"])
    found = {jitter_colours(image, np.random.default_rng(seed)).getpixel((0, 0)) for seed in range(50)}
    assert len(found) > 40


# Batches -------------------------------------------------------------------------------------------------------------


def test_plain_batches_are_normalised_in_order(root):
    (first, labels), (second, _) = FolderBatches(class_folders(root).test, 4, 32, NOTHING, CPU).in_order()
    assert (first.shape, second.shape) == ((4, 3, 32, 32), (2, 3, 32, 32))
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert labels.tolist() == [0, 0, 1, 1]
    pixels = first.permute(0, 2, 3, 1) * torch.tensor(STD) + torch.tensor(MEAN)
    for name, image in zip(["n01_red", "n01_red", "n02_green", "n02_green"], pixels, strict=True):
        assert image.mean(dim=(0, 1)).tolist() == pytest.approx(COLOURS[name], abs=6)


def test_every_image_is_seen_once_in_a_random_order(root):
    batches = FolderBatches(class_folders(root).train, 4, 32, ALL, CPU)
    orders = [[label for _, labels in batches.one_pass(seeded(seed)) for label in labels.tolist()] for seed in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == [0] * 5 + [1] * 5 + [2] * 5


def images(batches, seed):
    return torch.cat([images for images, _ in batches.one_pass(seeded(seed))])


def test_a_generator_gives_the_same_batches_again_and_another_gives_others(root):
    files = class_folders(root).train
    first, again = (images(FolderBatches(files, 4, 32, ALL, CPU), 5) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, images(FolderBatches(files, 4, 32, ALL, CPU), 6))


def test_parts_of_two_processes_make_the_whole(root):
    files = class_folders(root).train
    whole = images(FolderBatches(files, 6, 32, ALL, CPU), 3)
    parts = [
        list(FolderBatches(files, 6, 32, ALL, CPU, shard=share).one_pass(seeded(3)))
        for share in (lambda count: slice(0, count // 2), lambda count: slice(count // 2, count))
    ]
    joined = torch.cat([images for step in zip(*parts, strict=True) for images, _ in step])
    assert torch.equal(joined, whole)


def test_a_process_leaves_out_a_batch_of_which_it_gets_nothing(root):
    files = class_folders(root).test[torch.arange(5)]
    parts = [FolderBatches(files, 4, 32, NOTHING, CPU, shard=Group(rank, 2).shard) for rank in range(2)]
    assert [[len(labels) for _, labels in part.in_order()] for part in parts] == [[2], [2, 1]]


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.faults)])
def test_a_pass_leaves_the_methods_random_stream_alone(root, workers):
    batches = FolderBatches(class_folders(root).train, 4, 32, ALL, CPU, workers=workers)
    torch.manual_seed(7)
    drawn = torch.rand(3)
    torch.manual_seed(7)
    next(batches.one_pass(seeded(1)))
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.faults
def test_the_number_of_workers_changes_nothing(root):
    files = class_folders(root).train
    alone, shared = FolderBatches(files, 4, 32, ALL, CPU), FolderBatches(files, 4, 32, ALL, CPU, workers=2)
    for seed in (0, 1):
        assert torch.equal(images(alone, seed), images(shared, seed))
    next(shared.one_pass(seeded(2)))  # a pass that is left early
    assert torch.equal(images(alone, 3), images(shared, 3))


def test_grey_and_other_images_are_read_as_colours(tmp_path):
    for part in ("train", "val"):
        folder = tmp_path / part / "one"
        folder.mkdir(parents=True)
        Image.new("L", (40, 50), 100).save(folder / "grey.png")
        Image.new("CMYK", (40, 50), (0, 255, 255, 0)).save(folder / "print.jpg")
        Image.new("RGBA", (40, 50), (10, 20, 30, 0)).save(folder / "transparent.png")
        (tmp_path / part / "two").mkdir()
        Image.new("RGB", (40, 50)).save(tmp_path / part / "two" / "black.png")
    ((found, _), _) = FolderBatches(class_folders(tmp_path).test, 3, 32, NOTHING, CPU).in_order()
    pixels = (found.permute(0, 2, 3, 1) * torch.tensor(STD) + torch.tensor(MEAN))[:, 16, 16]
    assert pixels[0].tolist() == pytest.approx([100, 100, 100], abs=0.01)
    assert pixels[1].tolist() == pytest.approx([255, 0, 0], abs=5)
    assert pixels[2].tolist() == pytest.approx([10, 20, 30], abs=0.01)


def test_a_cell_learns_colours_from_class_folders(root, tmp_path):
    words = ["--cell", "PC_DARTS_cifar", "--dataset", "imagenet", "--data", str(root.parent), "--results"]
    recipe = ["--cells", "3", "--channels", "4", "--image-size", "32", "--auxiliary-weight", "0", "--epochs", "8"]
    recipe += ["--batch-size", "5", "--learning-rate", "0.1", "--warmup-epochs", "0", "--no-colour-jitter"]
    assert main(["retrain", *words, str(tmp_path), *recipe]) == 0
    (record,) = Store(tmp_path).records()
    assert record["test_error"] < 40
    assert record["config"]["dataset"]["sha256"] == class_folders(root).sha256
    assert record["multiply_adds"] > 0
