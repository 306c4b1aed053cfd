"""Reads the pickled batches in which CIFAR and downsampled ImageNet are distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.unpickling import PickledArray, one_line, unpickle_plain

Pixels = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pixels (n, channels, H, W), labels (n,)."""


def read_batch(pickled: bytes, location: str, label_key: str, side: int, labels: range) -> Pixels:
    """Read a pickled dictionary of "data", uint8 (n, 3 * side * side), and a list of one label per image.

    labels: those that may occur. The pixels are a read-only view of the file's bytes. ValueError, one line with the
    `location` of the file, for anything else.
    """
    try:
        content = _dictionary(unpickle_plain(pickled))
        data, targets = content["data"], content[label_key]
        if type(data) is not PickledArray:
            raise ValueError("its data are not an array")
        pixels = data.as_bytes()
        if pixels.ndim != 2 or pixels.shape[1] != 3 * side * side or not len(pixels):
            raise ValueError(f"its data are of shape {pixels.shape}, not (n, {3 * side * side})")
        if type(targets) is not list or len(targets) != len(pixels) or set(map(type, targets)) != {int}:
            raise ValueError(f"its {label_key} are not a list of one number per image")
        if min(targets) < labels[0] or max(targets) > labels[-1]:
            raise ValueError(f"its {label_key} are not all from {labels[0]} to {labels[-1]}")
    except Exception as error:  # its values can be of any type
        reason = f"it has no {error}" if type(error) is KeyError else one_line(error)
        raise ValueError(f"{location} is not a batch of {side}x{side} images: {reason}") from error
    return pixels.reshape(-1, 3, side, side), np.array(targets, dtype=np.int64)


def _dictionary(content: Any) -> dict[str, Any]:
    if type(content) is not dict:
        raise ValueError("it is not a dictionary")
    return {key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()}
