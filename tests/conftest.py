"""Fixtures that several test files share."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # networks of a few channels are slower on more
# Started in the background or with nohup, these are ignored, and the processes that tests start would ignore them too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with reference vectors and benchmark tables that the project does not ship."""
    folder = os.environ.get("NAS_TEST_DATA")
    if not folder:
        pytest.skip("NAS_TEST_DATA does not point at the folder with reference data")
    path = Path(folder)
    if not (path / "golden").is_dir():
        pytest.fail(f"NAS_TEST_DATA={folder} has no folder golden/")
    return path


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> None:
    """What is there by now stays: else a full collection, for which some libraries ask often, takes 0.3 s."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _committed() -> Iterator[None]:
    """Labels of rows say whether the code was modified: the tests are about committed code, also while it is edited."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.experiment.provenance.version_control", lambda: ("c" * 40, False))
        yield
