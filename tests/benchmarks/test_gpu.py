"""On a CUDA device: mixed precision, layout, and no waiting for the device within a step. Skipped without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from harness.benchmarks import DARTS, NASBench201
from harness.benchmarks.darts.protocols import CONTROLLED as DARTS_CONTROLLED
from harness.benchmarks.nasbench201 import supernet
from harness.benchmarks.nasbench201.protocols import CONTROLLED
from harness.benchmarks.nasbench201.supernet import NASBench201Supernet
from harness.data.splits import SearchData
from harness.experiment.registry import built_in
from harness.plugins import load
from harness.search.loop import Search
from tests.benchmarks.steps import random_images, search, step
from tests.benchmarks.timing import medians
from tests.nasbench201.textbook import TextbookSupernet
from tests.problems import build_supernet

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
SPACE = NASBench201()
BATCH = 64
ASKS_THE_DEVICE = pytest.mark.xfail(
    raises=RuntimeError, strict=True, reason="which operations run is read back from the device"
)


def prepared(method_name, space_name):
    """A method and its problem at full size, on the device."""
    space, protocol = (
        (NASBench201().without("none"), CONTROLLED) if space_name == "nasbench201" else (DARTS(), DARTS_CONTROLLED)
    )
    protocol = replace(protocol, compiled=False)
    half = random_images(2 * BATCH)
    data = SearchData(half, half, half, 10, (127.5,) * 3, (63.75,) * 3)
    method = load(built_in()[method_name])(space)
    network = build_supernet(space, protocol, 10, method.supernet)
    return begun(Search(method, network, data, protocol, 0, torch.device("cuda")))


def begun(work):
    """A problem in its first iteration, whose batches are drawn."""
    problem = work.problem(epoch=0)
    problem.iterating = problem.pairs()  # kept, or the iteration would end
    next(problem.iterating)
    assert len(problem.train_batch) == len(problem.held_out_batch) == 2
    return work.method, problem


@pytest.mark.parametrize(
    "method, space",
    [
        ("darts", "nasbench201"),
        ("gaea-darts-bilevel", "nasbench201"),
        ("darts", "darts"),
        ("pc-darts", "darts"),
        ("gaea-pc-darts", "darts"),
        pytest.param("gdas", "nasbench201", marks=ASKS_THE_DEVICE),
    ],
)
def test_no_step_waits_for_the_device(method, space):
    method, problem = prepared(method, space)
    method.architecture_step(problem)  # what is set up once may wait
    method.weight_step(problem)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        method.architecture_step(problem)
        outcome = method.weight_step(problem)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(torch.stack(outcome)).all()


def test_activations_stay_in_channels_last_layout():
    work = search(2 * BATCH, device="cuda")
    seen = []

    def look(module, _, output):
        if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[1:]) > 1:
            seen.append((type(module).__name__, output.is_contiguous(memory_format=torch.channels_last)))

    for module in work.supernet.modules():
        module.register_forward_hook(look)
    method, problem = begun(work)
    method.weight_step(problem)
    assert seen
    assert all(channels_last for _, channels_last in seen), seen


def test_mixed_precision_keeps_weights_and_loss_in_fp32():
    work = search(2 * BATCH, device="cuda", precision="bf16")
    computed = []
    for module in work.supernet.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *call: computed.append(call[-1].dtype))
    method, problem = begun(work)
    outcome = method.weight_step(problem)
    method.architecture_step(problem)
    assert set(computed) == {torch.bfloat16}
    assert {weight.dtype for weight in problem.w} == {torch.float32}
    assert torch.isfinite(torch.stack(outcome)).all()


@pytest.fixture
def uncompiled(monkeypatch):
    """CUDA graphs of cells as they are, which takes seconds instead of minutes."""
    monkeypatch.setattr(supernet, "compiled_cell", lambda: supernet.SearchCell.forward)


def in_double_precision(compiled):
    """A search in its first iteration."""
    work = search(4 * BATCH, device="cuda", channels=4, cells=1, compiled=compiled)
    work.supernet.double(), work.method.double()
    problem = work.problem(epoch=0)
    problem.iterating = problem.pairs()
    next(problem.iterating)
    for name in ("train", "held_out"):
        images, labels = getattr(problem, f"{name}_batch")
        setattr(problem._pair, name, (images.double(), labels))
    return work, problem


@pytest.mark.usefixtures("uncompiled")
def test_steps_replayed_as_graphs_equal_eager_steps():
    """Theta, w, running statistics and loss after three iterations."""
    found = []
    for compiled in (False, True):
        work, problem = in_double_precision(compiled)
        for _ in range(3):
            work.method.architecture_step(problem)
            outcome = work.method.weight_step(problem)
        found.append([outcome.loss, *work.method.parameters(), *problem.w, *work.supernet.buffers()])
    for eager, replayed in zip(*found, strict=True):
        torch.testing.assert_close(replayed, eager, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("uncompiled")
def test_a_loss_that_waits_for_its_backward_pass_is_not_overwritten():
    """Two losses of one kind at a time, and gradients that are kept while others are computed."""
    found = []
    for compiled in (False, True):
        work, problem = in_double_precision(compiled)
        weights = work.method.weights_for_training()
        losses = [problem.loss(weights, batch).loss for batch in (problem.train_batch, problem.held_out_batch)]
        gradients = [problem.gradients(loss, problem.w) for loss in losses]
        found.append([x for part in gradients for x in part])
    for eager, replayed in zip(*found, strict=True):
        torch.testing.assert_close(replayed, eager, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_softmax_mixture(record, rounds, precision):
    ours = NASBench201Supernet(SPACE, 16, 5, 10).cuda()
    textbook = TextbookSupernet(SPACE.operations, 16, 5).cuda()
    images = torch.randn(BATCH, 3, 32, 32, device="cuda")

    def uniform():
        return torch.full(SPACE.shape, 1 / SPACE.shape[1], device="cuda")

    def finished(run):
        def timed():
            run()
            torch.cuda.synchronize()

        return timed

    turns = rounds(20)
    candidates = {"ours": ours, "textbook": textbook}
    time_of = medians(
        {name: finished(step(network, images, uniform, precision)) for name, network in candidates.items()}, turns, 5
    )
    how = f"{turns} rounds on {torch.cuda.get_device_name()}; C=16, N=5, batch {BATCH}, 32x32"
    what = f"NAS-Bench-201 supernet, {precision}: speed, times the textbook's"
    record("gpu", what, time_of["textbook"] / time_of["ours"], "x", how)
