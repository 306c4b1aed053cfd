"""Atomic writes, clean-up of the partial files of killed processes, and arrays read from untrusted files. Needs no
torch."""

from __future__ import annotations

import hashlib
import io
import math
import os
import socket
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNFINISHED = ".unfinished"
"""Suffix of a partial file, whose content is not complete yet."""
ABANDONED_SECONDS = 24 * 3600.0
"""Age after which a partial file of another machine, boot or container counts as left by a dead process."""


class EarlierFormatError(LookupError):
    """A results folder was written by an earlier version of the harness."""


class WriteError(OSError):
    """A file cannot be written (full disk, read-only mount). The data to be written are not at fault."""


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file atomically: whatever happens, its name refers to the complete new content or the complete old one.

    WriteError if it cannot be written.
    """
    partial = path.with_name(partial_name(path.name))
    try:
        # Not through what has its name already, which may be a link that someone else has put there.
        partial.unlink(missing_ok=True)
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # the TimeoutError of a time limit has no errno
            raise WriteError(error.errno, error.strerror, str(path)) from error
        raise


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, where the system supports it."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def process_is_alive(pid: int) -> bool:
    """Whether a process of this machine exists and is not a zombie, of which only the exit status is left."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    with suppress(OSError):  # zombies remain where no parent reaps them; only Linux has /proc
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def boot() -> str:
    """Identifies the boot of the machine and the PID namespace (container), within which process ids are unique."""
    with suppress(OSError):
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    return ""


def partial_name(name: str) -> str:
    """Of a partial file of this process, which says whose it is."""
    return f".{name}.{_owners()}.{os.getpid()}{UNFINISHED}"


def _owners() -> str:
    """Machine, boot and container, as partial files have them."""
    return f"{socket.gethostname()}.{hashlib.sha256(boot().encode()).hexdigest()[:12]}"


def is_abandoned(path: Path) -> bool:
    """Whether a partial file was left by a dead process."""
    owners, _, pid = path.name.removesuffix(UNFINISHED).rpartition(".")
    if owners.endswith(f".{_owners()}") and pid.isdecimal() and not process_is_alive(int(pid)):
        return True  # a live process may have reused the number: then the age of the file decides
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > ABANDONED_SECONDS
    return False


def read_array(member: bytes) -> NDArray[Any]:
    """The array in the bytes of a `.npy` file, as a view. ValueError if the header promises more data than it has."""
    # Not np.load: it allocates what the header says before it checks that the data are there.
    stream = io.BytesIO(member)
    np.lib.format.read_magic(stream)
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    values = np.frombuffer(member, dtype, count=math.prod(shape), offset=stream.tell())
    return values.reshape(shape, order="F" if fortran_order else "C")


def zip_arrays(members: Mapping[str, NDArray[Any]], compressed: bool = False) -> bytes:
    """The content of an `.npz` file: uncompressed, the same bytes for the same arrays on every machine. ValueError if
    one is an array of objects."""
    # Not np.savez: before numpy 2.2 it stores its argument allow_pickle as an array.
    buffer, method = io.BytesIO(), zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, array in members.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that the bytes do not depend on the time
            info.create_system = 3  # nor on the operating system
            archive.writestr(info, member.getvalue(), method)
    return buffer.getvalue()


def unzip_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an uncompressed `.npz` file; reads at most as many bytes as it has, whatever its headers say. Bytes
    that `zip_arrays` did not write may raise any exception."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
        if not stored or sum(member.file_size for member in members) > len(content):
            raise ValueError("compressed")
        arrays = {member.filename.removesuffix(".npy"): read_array(archive.read(member)) for member in members}
    if not all(array.flags.c_contiguous for array in arrays.values()):
        raise ValueError("columns before rows")
    return arrays
