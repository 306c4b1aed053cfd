"""A restricted unpickler for datasets and benchmark tables that are distributed as pickles. Needs no torch.

A pickle is a program that can call any function. This reader builds only containers, numbers, strings and uninterpreted
arrays; it rejects every other pickle.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import textwrap
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray


def unpickle_plain(pickled: bytes, *, verified: bool = False) -> Any:
    """Load a pickle of Python 2 or 3 that holds plain data; Python 2 strings become bytes, arrays `PickledArray`.

    Args:
        pickled: content of a file.
        verified: the checksum has been verified. Skips the check that a corrupt pickle cannot allocate much more memory
            than its size, which takes several times as long as reading it.

    Raises:
        ValueError: one line; the pickle is corrupt or refers to anything but plain data.
    """
    try:
        if not verified:
            _check_sizes(pickled)
        return _PlainUnpickler(io.BytesIO(pickled), encoding="bytes").load()
    except Exception as error:  # a corrupt pickle can raise almost anything
        raise ValueError(one_line(error)) from error


def one_line(error: Exception) -> str:
    """An error's message on one line of at most 200 characters."""
    return textwrap.shorten(str(error) or type(error).__name__, 200, placeholder="...")


def _check_sizes(pickled: bytes) -> None:
    """Reject objects that are longer than the file, and memo indices that are larger than the number of operations.

    One flipped bit can make an index 2^31, for which CPython's unpickler allocates 32 GiB.
    """
    for count, (operation, argument, _) in enumerate(pickletools.genops(pickled)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= cast(int, argument) <= count:
            raise ValueError(f"it stores an object under memo index {argument}, after {count} operations")


class PickledArray:
    """An array as pickled: shape, type code and bytes. Runs none of numpy's unpickling code."""

    def __init__(self, *_: object) -> None:
        self.code: object = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, self.shape, dtype, self.column_major, self.raw = state
        self.code = dtype.code

    def as_bytes(self) -> NDArray[np.uint8]:
        """The array as a read-only view of the pickle's bytes. ValueError if its type is not uint8."""
        if self.code not in ("u1", b"u1"):
            raise ValueError(f"its data are of type {self.code!r}, not u1 (bytes)")
        return np.frombuffer(self.raw, np.uint8).reshape(self.shape, order="F" if self.column_major else "C")


class _Type:
    def __init__(self, code: object, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment, which do not matter for bytes."""


class _Encoded:
    """The bytes of an array, which Python 3 writes as latin-1 text in protocol 2."""

    def __new__(cls, text: str, encoding: object) -> bytes:  # type: ignore[misc]
        if encoding not in ("latin1", b"latin1"):
            raise ValueError(f"its text is encoded in {encoding!r}, not latin1")
        return text.encode("latin1")

    def __setstate__(self, state: object) -> None:
        """Ignore the state, so that no pickle can set attributes of the class."""


class _PlainUnpickler(pickle.Unpickler):
    """Rejects every global except those that a numpy array needs, which become the stand-ins above."""

    STAND_INS: ClassVar = {
        ("numpy", "dtype"): _Type,
        ("numpy", "ndarray"): PickledArray,
        ("numpy.core.multiarray", "_reconstruct"): PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): PickledArray,
        ("_codecs", "encode"): _Encoded,
    }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self.STAND_INS:
            raise pickle.UnpicklingError(f"it refers to {module!r} {name!r}, which is not allowed")
        return self.STAND_INS[module, name]
