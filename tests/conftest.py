"""Fixtures that several test files share."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from harness.benchmarks.nasbench201.table import Table

# How long an example takes says nothing on a busy machine; every run draws other examples.
settings.register_profile("tests", deadline=None, max_examples=50)
settings.load_profile("tests")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # of torch: networks of a few channels are slower on more
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")  # reports draw in their own process: others would import for seconds
# Started in the background or with nohup, these are ignored, and the processes that tests start would ignore them too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


STAGES = ("faults", "browser")
"""Folders whose tests all have the mark of the same name."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests that `-m` leaves out by their folder are not read: what they import takes longer than to deselect them."""
    return (collection_path.name in STAGES and f"not {collection_path.name}" in config.option.markexpr) or None


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """What a test draws from torch's generator does not depend on the tests before it in the process."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


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


@pytest.fixture(scope="session")
def csv_file(test_data: Path) -> Path:
    """All of NAS-Bench-201's numbers that the project uses."""
    return test_data / "nasbench201" / "nasbench201.csv.gz"


@pytest.fixture(scope="session")
def full(csv_file: Path) -> Table:
    """The table with everything: both epochs, every split."""
    from harness.benchmarks.nasbench201.table.convert import read_csv

    return read_csv(csv_file)[0]


@pytest.fixture(scope="session")
def full_table(full: Table, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of it."""
    path = tmp_path_factory.mktemp("table") / "full.npz"
    full.save(path)
    return str(path)


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
