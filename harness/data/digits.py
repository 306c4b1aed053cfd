"""The handwritten digits dataset that is part of scikit-learn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from harness.data.pickles import Pixels


class Digits:
    """1,797 grey images of 8x8 pixels; every fifth image of a class is a test image."""

    def read(self, folder: Path) -> tuple[Pixels, Pixels]:  # noqa: ARG002 - the data folder of other datasets
        """Read the training and the test set. OSError if scikit-learn is not installed."""
        # The file instead of load_digits(): importing scikit-learn would cost every run a second.
        package = find_spec("sklearn")
        if package is None or package.origin is None:
            raise FileNotFoundError("the digits come with scikit-learn, which is not installed")
        rows = np.loadtxt(
            Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",", dtype=np.uint8
        )
        pixels, labels = rows[:, :-1].reshape(-1, 1, 8, 8), rows[:, -1].astype(np.int64)
        position = np.empty_like(labels)  # index of an image within its class, in file order
        for label in range(10):
            position[labels == label] = np.arange((labels == label).sum())
        is_test = position % 5 == 4
        return (pixels[~is_test], labels[~is_test]), (pixels[is_test], labels[is_test])
