"""Where a result comes from: code, versions, machine."""

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
"""What decides results."""


def version_control() -> tuple[str | None, bool | None]:
    """Commit of this checkout, and whether the code differs from it; None outside a checkout."""
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


def circumstances(device: str) -> dict[str, Any]:
    """Versions, machine, and the memory that was taken at most since `forget_peak`: resident, and on a GPU."""
    return {
        "versions": {"harness": __version__, "python": platform.python_version(), "torch": torch.__version__},
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        "peak_memory_mb": round(peak_megabytes("cpu"), 1),
        **({"peak_gpu_memory_mb": round(peak_megabytes(device), 1)} if device.startswith("cuda") else {}),
    }
