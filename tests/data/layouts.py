"""Small files in the official layouts."""

import io
import pickle
import tarfile

import numpy as np


def batch(labels, side=16, key="labels", seed=0):
    """A batch as the official scripts make them: protocol 2, flat images, a list of labels."""
    pixels = np.random.default_rng(seed).integers(256, size=(len(labels), 3 * side * side), dtype=np.uint8)
    return pickle.dumps({"data": pixels, key: list(map(int, labels)), "mean": pixels.mean(axis=0)}, protocol=2)


def imagenet16(folder, per_class=2, of_test=4):
    """`per_class` training images of each of the classes 1 to 130, spread over ten files, and `of_test` for testing."""
    where = folder / "ImageNet16"
    where.mkdir(parents=True)
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(1, 131), per_class))
    for number, part in enumerate(np.array_split(labels, 10), 1):
        (where / f"train_data_batch_{number}").write_bytes(batch(part, seed=number))
    (where / "val_data").write_bytes(batch(np.repeat(np.arange(1, 131), of_test), seed=11))
    return where


def cifar100_files(train=200, test=400):
    return {
        "cifar-100-python/train": batch(np.arange(train) % 100, 32, "fine_labels", 1),
        "cifar-100-python/test": batch(np.arange(test) % 100, 32, "fine_labels", 2),
        "cifar-100-python/meta": b"not needed",
    }


def unpacked(folder, files):
    """The same files without an archive, which takes a tenth of a second to pack and to read."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def archive(path, files, *extra):
    """A .tar.gz of `files` (name: content) and of `extra` members (TarInfo, content)."""
    with tarfile.open(path, "w:gz") as tar:
        folder = tarfile.TarInfo("cifar-100-python")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member, content in extra:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
