"""Files that are written whole or not at all, and what killed processes leave of them; arrays read without trust in the
file. Needs no torch."""

from __future__ import annotations

import io
import math
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNFINISHED = ".unfinished"
"""How the name of a file ends until all of it is written."""
ABANDONED_SECONDS = 24 * 3600.0
"""Age at which the unfinished file of another machine is taken for a dead process's."""


class WriteError(OSError):
    """A file cannot be written: a full disk, a mount that became read-only. No fault of what it was to hold."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that, whatever happens, its name stands for all of the new content or all of the old.

    WriteError if it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}{UNFINISHED}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # the alarm of a time limit has no number
            raise WriteError(error.errno, error.strerror, str(path)) from error
        raise


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def process_lives(pid: int) -> bool:
    """Whether a process of this machine is there, and not only its exit status."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    with suppress(OSError):  # a zombie, where nobody reaps the dead; only Linux tells
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def is_abandoned(path: Path) -> bool:
    """Whether an unfinished file is a dead process's."""
    host, _, pid = path.name.removesuffix(UNFINISHED).rpartition(".")
    if host.endswith(f".{socket.gethostname()}") and pid.isdecimal() and not process_lives(int(pid)):
        return True  # one that lives may be another of the same number: then its age tells
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > ABANDONED_SECONDS
    return False


def read_array(member: bytes) -> NDArray[Any]:
    """The array of a `.npy` file, as a view of its bytes. ValueError if it promises more than it has."""
    # Not np.load: it takes the memory that a header asks for before it looks whether the data are there.
    stream = io.BytesIO(member)
    np.lib.format.read_magic(stream)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    values = np.frombuffer(member, dtype, count=math.prod(shape), offset=stream.tell())
    return values.reshape(shape, order="F" if fortran_order else "C")
