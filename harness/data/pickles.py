"""Reader of the pickles in which CIFAR and downsampled ImageNet are distributed.

A pickle is a program. This one may build containers, numbers, strings and uninterpreted arrays and nothing else, so a
file from elsewhere can do nothing but be refused, and a damaged one cannot ask for more memory than its size.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import textwrap
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

Pixels = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pixels (n, channels, H, W), labels (n,)."""


def read_batch(pickled: bytes, where: str, label_key: str, side: int, labels: range) -> Pixels:
    """A dictionary of "data", uint8 (n, 3 * side * side), and a list of one label per image.

    labels: the labels that the file may have. The pixels are a view of the file's bytes and cannot be written.
    ValueError, in one line with the name `where` of the file, for anything else.
    """
    try:
        content = _load(pickled)
        data, given = content["data"], content[label_key]
        if type(data) is not _Array:
            raise ValueError("its data are no array")
        pixels = data.as_bytes()
        if pixels.ndim != 2 or pixels.shape[1] != 3 * side * side or not len(pixels):
            raise ValueError(f"its data are of shape {pixels.shape}, not (n, {3 * side * side})")
        if type(given) is not list or len(given) != len(pixels) or set(map(type, given)) != {int}:
            raise ValueError(f"its {label_key} are not a list of one number per image")
        if min(given) < labels[0] or max(given) > labels[-1]:
            raise ValueError(f"its {label_key} are not all from {labels[0]} to {labels[-1]}")
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = f"it has no {error}" if type(error) is KeyError else str(error) or type(error).__name__
        short = textwrap.shorten(reason, 200, placeholder="...")
        raise ValueError(f"{where} is not a batch of {side}x{side} images: {short}") from error
    return pixels.reshape(-1, 3, side, side), np.array(given, dtype=np.int64)


def _load(pickled: bytes) -> dict[str, Any]:
    """The dictionary in a pickle of Python 2 or 3."""
    _check_memo(pickled)
    content = _PlainUnpickler(io.BytesIO(pickled), encoding="bytes").load()
    if type(content) is not dict:
        raise ValueError("it is no dictionary")
    return {key.decode() if isinstance(key, bytes) else key: value for key, value in content.items()}


def _check_memo(pickled: bytes) -> None:
    """The unpickler allocates twice the largest index of its memo, which one flipped bit can make 2^31."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(pickled)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= cast(int, argument) <= count:
            raise ValueError(f"it stores an object as number {argument}, after {count} operations")


class _Array:
    """An array as pickled: its shape, its type's code and its bytes. Nothing of numpy's own unpickling is run."""

    def __init__(self, *_: object) -> None:
        self.code: object = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, self.shape, dtype, self.column_major, self.raw = state
        self.code = dtype.code

    def as_bytes(self) -> NDArray[np.uint8]:
        if self.code not in ("u1", b"u1"):
            raise ValueError(f"its data are of type {self.code!r}, not u1 (bytes)")
        return np.frombuffer(self.raw, np.uint8).reshape(self.shape, order="F" if self.column_major else "C")


class _Type:
    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Byte order and alignment, which bytes have not."""


class _Encoded:
    """The bytes of an array, as Python 3 writes them in protocol 2."""

    def __new__(cls, text: str, encoding: object) -> bytes:  # type: ignore[misc]
        if encoding not in ("latin1", b"latin1"):
            raise ValueError(f"it has text in encoding {encoding!r}")
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None:
        """Here so that no pickle can set attributes of the class."""


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every global; those that a numpy array needs become the stand-ins above."""

    STAND_INS: ClassVar = {
        ("numpy", "dtype"): _Type,
        ("numpy", "ndarray"): _Array,
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("_codecs", "encode"): _Encoded,
    }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self.STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module!r} {name!r}, which is refused")
        return self.STAND_INS[module, name]
