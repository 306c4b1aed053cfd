"""A restricted unpickler, for data sets and benchmark tables that are distributed as pickles. Needs no torch.

A pickle is a program that can call any function. This reader builds containers, numbers, strings and uninterpreted
arrays and nothing else: every other pickle is refused.
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
    """The object in a pickle of Python 2 or 3; strings of Python 2 become bytes, arrays become `PickledArray`.

    Args:
        pickled: the content of a file.
        verified: the checksum is known to be right. Skips the check that no corrupt pickle asks for much more memory
            than its size, which takes several times as long as reading it.

    Raises:
        ValueError: in one line, if the pickle is corrupt or asks for anything that is not plain data.
    """
    try:
        if not verified:
            _check_sizes(pickled)
        return _PlainUnpickler(io.BytesIO(pickled), encoding="bytes").load()
    except Exception as error:  # a corrupt pickle can raise nearly anything
        raise ValueError(one_line(error)) from error


def one_line(error: Exception) -> str:
    """What an error says, short enough for a line of a message."""
    return textwrap.shorten(str(error) or type(error).__name__, 200, placeholder="...")


def _check_sizes(pickled: bytes) -> None:
    """Refuse an object that is longer than the file, and an index that no memo of this file can have.

    One flipped bit can make an index 2^31, for which CPython's unpickler allocates 32 GiB.
    """
    for count, (operation, argument, _) in enumerate(pickletools.genops(pickled)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= cast(int, argument) <= count:
            raise ValueError(f"it stores an object as number {argument}, after {count} operations")


class PickledArray:
    """An array as pickled: its shape, the code of its type and its bytes. No unpickling code of numpy is run."""

    def __init__(self, *_: object) -> None:
        self.code: object = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        *_, self.shape, dtype, self.column_major, self.raw = state
        self.code = dtype.code

    def as_bytes(self) -> NDArray[np.uint8]:
        """The array as a read-only view of the pickle's bytes. ValueError if it is no array of uint8."""
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
        """Defined so that no pickle can set attributes of the class."""


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every global; those that a numpy array needs become the stand-ins above."""

    STAND_INS: ClassVar = {
        ("numpy", "dtype"): _Type,
        ("numpy", "ndarray"): PickledArray,
        ("numpy.core.multiarray", "_reconstruct"): PickledArray,
        ("numpy._core.multiarray", "_reconstruct"): PickledArray,
        ("_codecs", "encode"): _Encoded,
    }

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self.STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module!r} {name!r}, which is refused")
        return self.STAND_INS[module, name]
