"""Provenance of a result: commit, versions, machine, peak memory."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from harness import __version__
from harness.experiment.memory import peak_megabytes

ROOT = Path(__file__).resolve().parents[2]
CODE = ("harness", "methods", "run_all.py", "pyproject.toml")
"""Paths whose content determines results."""


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


def environment(device: str) -> dict[str, Any]:
    """Versions, machine, and the peak memory (MiB) since `reset_peak_memory`: resident, and allocated on a GPU."""
    return {
        "versions": {"harness": __version__, "python": platform.python_version(), "torch": torch.__version__},
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "peak_memory_mb": round(peak_megabytes("cpu"), 1),
        **({"peak_gpu_memory_mb": round(peak_megabytes(device), 1)} if device.startswith("cuda") else {}),
    }
