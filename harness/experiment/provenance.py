"""Provenance of a result: its code, versions, machine, peak memory."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

import torch

from harness import __version__
from harness.experiment.memory import peak_megabytes
from harness.installation import DISTRIBUTION, ROOT

CODE = ("harness", "methods", "run_all.py", "pyproject.toml")
"""Paths whose content determines results."""


class Code(NamedTuple):
    """Which code computes a result."""

    commit: str | None
    """Of the checkout."""
    dirty: bool | None
    """Whether it differs from the commit or distribution; None: not known."""
    distribution: str | None = None
    """Outside of a checkout: name, version and digest of the installed files."""


def code() -> Code:
    """The code that runs. A copy without version control and without installation has neither commit nor distribution,
    and nobody knows whether it was modified."""
    commit, dirty = version_control()
    if commit:
        return Code(commit, dirty)
    distribution, modified = installed()
    return Code(None, modified, distribution)


def version_control() -> tuple[str | None, bool | None]:
    """Commit of this checkout, and whether `CODE` has uncommitted changes; (None, None) outside of a checkout."""
    if not (ROOT / ".git").exists():
        return None, None
    try:
        commit, changes = (
            subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", *CODE])
        )
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return commit, bool(changes)


def installed(folder: Path = ROOT) -> tuple[str | None, bool | None]:
    """Name, version and digest of the distribution that is installed in a folder, and whether the files of `harness`
    are no longer those of its RECORD (PEP 376: a digest of every file). Those of a development version are never known
    to be unmodified, as its wheel may be built from any working tree. (None, None) if no distribution is there."""
    found = next(iter(distributions(name=DISTRIBUTION, path=[str(folder)])), None)
    if found is None or not (recorded := found.read_text("RECORD")):
        return None, None
    rows = csv.reader(recorded.splitlines())  # `found.files` leaves out those that are gone
    digests = {name: digest.removeprefix("sha256=") for name, digest, _ in rows if name.startswith("harness/")}
    expected = {name: digest for name, digest in digests.items() if digest}
    files = [path for path in (folder / "harness").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    modified = expected != {path.relative_to(folder).as_posix(): _record_digest(path) for path in files}
    listing = "".join(f"{name} {digest}\n" for name, digest in sorted(expected.items()))
    name = f"{DISTRIBUTION} {found.version}, SHA-256 of its files {hashlib.sha256(listing.encode()).hexdigest()[:16]}"
    return name, None if not modified and ".dev" in found.version else modified


def _record_digest(path: Path) -> str:
    """As RECORD has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")


def surroundings(device: str) -> dict[str, Any]:
    """Versions and machine."""
    return {
        "versions": {"harness": __version__, "python": platform.python_version(), "torch": str(torch.__version__)},
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
    }


def environment(device: str) -> dict[str, Any]:
    """The same, and the peak memory (MiB) since `reset_peak_memory`: resident, and allocated on a GPU."""
    return {
        **surroundings(device),
        "peak_memory_mb": round(peak_megabytes("cpu"), 1),
        **({"peak_gpu_memory_mb": round(peak_megabytes(device), 1)} if device.startswith("cuda") else {}),
    }
