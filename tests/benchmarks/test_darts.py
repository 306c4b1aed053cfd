"""Speed of the supernets of the DARTS space, as ratios to the textbook supernet."""

from __future__ import annotations

import pytest
import torch

from harness.benchmarks import DARTS
from harness.benchmarks.darts.supernet import DARTSSupernet
from tests.benchmarks.steps import step
from tests.benchmarks.timing import medians, taken
from tests.darts.textbook import TextbookDARTS

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own accesses while it traces
SPACE = DARTS()
CHANNELS, CELLS, BATCH = 16, 8, 32
ROUNDS = 5


def uniform():
    return torch.full(SPACE.shape, 1 / SPACE.shape[1])


@pytest.mark.parametrize(
    "mode, precision",
    [
        ("eager", "fp32"),
        ("eager", "bf16"),
        pytest.param("compiled", "fp32", marks=pytest.mark.compiler),
        pytest.param("compiled", "bf16", marks=pytest.mark.compiler),
    ],
)
@pytest.mark.parametrize(
    "name, partial, faster, least", [("DARTS", 1, 2.5, 1.9), ("PC-DARTS", 4, 1.8, 1.15)], ids=["darts", "pc-darts"]
)
@pytest.mark.parametrize("architecture", [False, True], ids=["weights", "architecture"])
def test_supernet(record, rounds, threads, name, partial, faster, least, architecture, mode, precision):
    """Compiled passes, which take up to twenty minutes to compile and are not the default here: `-m compiler`."""
    images = torch.randn(BATCH, 3, 32, 32)
    ours = DARTSSupernet(SPACE, CHANNELS, CELLS, 10, partial_channels=partial)
    textbook = TextbookDARTS(CHANNELS, CELLS, partial=partial)
    turns, options = rounds(ROUNDS), {"architecture": architecture, "precision": precision}
    time_of = medians(
        {
            "ours": step(ours, images, uniform, compiled=mode == "compiled", **options),
            "textbook": step(textbook, images, uniform, **options),
        },
        turns,
        warmup=2,
    )
    seconds = ", ".join(f"{key} {1000 * value:.0f} ms" for key, value in time_of.items())
    how = f"{taken(turns, threads)}; C={CHANNELS}, {CELLS} cells, batch {BATCH}, 32x32; {seconds}"
    what = f"{name}, {precision}, {mode}, gradients of the {'architecture' if architecture else 'weights'}"
    limits = {"at_least": faster, "least": least} if precision == "fp32" else {}
    record("darts", f"{what}: speed, times the textbook's", time_of["textbook"] / time_of["ours"], "x", how, **limits)
    record.assert_least()
