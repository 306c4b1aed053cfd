"""Compiled training passes: the same function as eager ones, and when a search has them."""

import copy
import io
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

from harness.benchmarks import BENCHMARKS, DARTS, NASBench201, mixing
from harness.benchmarks.darts import supernet as darts
from harness.benchmarks.nasbench201 import supernet as nasbench201
from harness.commands import planning, run
from harness.data import load, search_data
from harness.experiment import conformance, devices
from harness.search.compiled import Compiled
from methods.darts import Darts
from tests.nasbench201.textbook import TextbookSupernet
from tests.problems import budget, problem_of, random_batch
from tests.search.memory import bytes_kept

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of its own accesses while it traces


@pytest.fixture(autouse=True)
def no_programs_of_other_tests():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def traced(monkeypatch):
    """What the compiler sees of a cell, forward and backward, executed call by call: seconds instead of minutes."""
    for module in (nasbench201, darts):
        program = torch.compile(module.SearchCell.forward, dynamic=False, backend="aot_eager_decomp_partition")
        monkeypatch.setattr(module, "compiled_cell", lambda program=program: program)


def results(network, space, architecture_step, compiled, shape=None):
    """Logits, gradients, and the buffers afterwards. shape: of the mixture weights, if not that of the space."""
    torch.manual_seed(0)
    weights = torch.rand(shape or space.shape, dtype=torch.float64).requires_grad_(architecture_step)
    edges = torch.rand(space.shape[0], dtype=torch.float64).requires_grad_(architecture_step)
    for parameter in network.parameters():
        parameter.requires_grad_(not architecture_step)
    logits = network(random_batch(1)[0], weights, edges, compiled=compiled)
    inputs = [weights, edges] if architecture_step else list(network.parameters())
    return [logits, *torch.autograd.grad((logits * torch.randn_like(logits)).sum(), inputs), *network.buffers()]


def assert_compiled_equals_eager(network, space, architecture_step, shape=None):
    compiled = results(copy.deepcopy(network), space, architecture_step, True, shape)
    for ours, expected in zip(compiled, results(network, space, architecture_step, False, shape), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.compiler
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("architecture_step", [False, True])
@pytest.mark.parametrize("partial_channels", [1, 2])
@pytest.mark.parametrize("small", [False, True])
def test_traced_cells_of_nasbench201_equal_eager_ones(monkeypatch, architecture_step, partial_channels, small):
    monkeypatch.setattr(mixing, "SMALL", 2**62 if small else 0)
    network = nasbench201.NASBench201Supernet(NASBench201(), 4, 1, 10, partial_channels=partial_channels).double()
    assert_compiled_equals_eager(network, NASBench201(), architecture_step)


@pytest.mark.compiler
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("architecture_step", [False, True])
def test_traced_cells_of_the_darts_space_equal_eager_ones(architecture_step):
    network = darts.DARTSSupernet(DARTS(), 4, 3, 10, partial_channels=2).double()
    assert_compiled_equals_eager(network, DARTS(), architecture_step)


@pytest.mark.compiler
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("architecture_step", [False, True])
def test_traced_cells_with_weights_of_their_own_and_auxiliary_skip_connections_equal_eager_ones(architecture_step):
    network = nasbench201.NASBench201Supernet(NASBench201(), 4, 1, 10, auxiliary_skip=True).double()
    assert_compiled_equals_eager(network, NASBench201(), architecture_step, (3, 6, 6))
    network = darts.DARTSSupernet(DARTS(), 4, 3, 10, auxiliary_skip=True).double()
    assert_compiled_equals_eager(network, DARTS(), architecture_step, (3, 28, 9))


@pytest.mark.compiler
@pytest.mark.usefixtures("traced")
def test_a_compiled_search_can_be_repeated_and_resumed_bit_for_bit():
    sizes = {"epochs": 3, "channels": 2, "batch_size": 10, "compiled": True}
    protocol = budget("quick", "nasbench201", "digits", "darts", sizes).protocol
    images = conformance.few(search_data(load("digits", Path()), Darts.bilevel), 40)
    assert conformance.examine(Darts, BENCHMARKS["nasbench201"], images, protocol) == []
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


@pytest.mark.compiler
@pytest.mark.parametrize("architecture_step", [False, True])
def test_programs_of_a_nasbench201_cell_equal_eager_ones(monkeypatch, architecture_step):
    monkeypatch.setattr(mixing, "SMALL", 0)
    network = nasbench201.NASBench201Supernet(NASBench201(), 4, 1, 10).double()
    network.stages = network.stages[:1]
    network.last_norm, network.classifier = torch.nn.BatchNorm2d(4).double(), torch.nn.Linear(4, 10).double()
    assert_compiled_equals_eager(network, NASBench201(), architecture_step)


@pytest.mark.compiler
@pytest.mark.usefixtures("traced")
def test_a_compiled_weight_step_keeps_less_than_half_of_the_textbooks_memory(monkeypatch):
    monkeypatch.setattr(mixing, "SMALL", 0)
    space, images = NASBench201(), torch.randn(8, 3, 32, 32)
    network, textbook = nasbench201.NASBench201Supernet(space, 16, 2, 10), TextbookSupernet(space.operations, 16, 2)
    Compiled(network, 8)
    weights = torch.full(space.shape, 0.2), torch.ones(6)
    ours = bytes_kept(lambda: network(images, *weights, compiled=True))
    assert ours < 0.45 * bytes_kept(lambda: textbook(images, *weights))


@pytest.mark.compiler
@pytest.mark.usefixtures("traced")
def test_steps_of_a_compiled_search_equal_those_of_an_eager_one():
    found = []
    for compiled in (False, True):
        torch.manual_seed(1)
        method = Darts(NASBench201())
        problem = problem_of(method, compiled=compiled, batch_size=6)
        for _ in range(2):
            method.architecture_step(problem)
            method.weight_step(problem)
        found.append([method.alpha, *problem.w, *problem.supernet.buffers()])
    for eager, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-9, atol=1e-12)


def test_gradients_are_of_what_was_asked_when_w_is_fixed():
    """And w can be trained again afterwards."""
    method = Darts(NASBench201())
    problem = problem_of(method)
    free, fixed = (problem.loss(method(), problem.train_batch, fixed_w=value).loss for value in (False, True))
    torch.testing.assert_close(*(problem.gradients(loss, [method.alpha]) for loss in (free, fixed)))
    loss = problem.loss(method(), problem.train_batch, fixed_w=True).loss
    assert not any(gradient.any() for gradient in problem.gradients(loss, problem.w))
    assert all(weight.requires_grad for weight in problem.w)


# When a search is compiled ------------------------------------------------------------------------------------------


def planned(*words):
    """The config of a search, and what planning it printed."""
    console = Console(file=io.StringIO(), width=200)
    options = run.parser().parse_args(["--methods", "darts", "--seeds", "1", "--dataset", "digits", *words])
    (job,) = planning.searches(options, console)
    return job.config, console.file.getvalue()


@pytest.mark.parametrize(
    "words, numerics, overrides",
    [
        ([], {}, {}),
        (["--profile", "controlled"], {"compiled": True}, {}),
        (["--profile", "controlled", "--set", "protocol.channels=8"], {}, {}),
        (["--profile", "controlled", "--compile", "off"], {}, {"compiled": False}),
        (["--compile", "on"], {"compiled": True}, {"compiled": True}),
    ],
)
def test_searches_of_full_size_are_compiled_unless_the_user_says_otherwise(words, numerics, overrides):
    config, _ = planned(*words)
    assert config["numerics"] == {"precision": "fp32", **numerics}
    assert config["overrides"]["numerics"] == overrides


def test_without_a_compiler_searches_are_eager_and_say_so(monkeypatch):
    monkeypatch.setattr(devices.shutil, "which", lambda _: None)
    config, said = planned("--profile", "controlled", "--device", "cpu")
    assert "compiled" not in config["numerics"]
    assert not config["overrides"]["numerics"]
    assert "the searches are not compiled: there is no C++ compiler" in said
    with pytest.raises(ValueError, match=r"--compile on: there is no C\+\+ compiler"):
        planned("--compile", "on", "--device", "cpu")


def test_where_programs_are_no_faster_searches_are_eager_and_say_so(monkeypatch):
    words = ["--profile", "controlled", "--space", "darts", "--device", "cpu"]
    config, said = planned(*words)
    assert "compiled" not in config["numerics"]
    assert not config["overrides"]["numerics"]
    assert "the searches are not compiled: on a CPU this makes searches on darts no faster" in said
    assert planned(*words, "--compile", "off") == (config, "")
    config, said = planned(*words, "--compile", "on")
    assert config["numerics"]["compiled"]
    assert config["overrides"]["numerics"] == {"compiled": True}
    assert not said
    monkeypatch.setattr(devices, "usable", lambda _: ["cuda:0"])
    monkeypatch.setattr(devices, "cannot_compile", lambda _: None)
    assert planned(*words)[0]["numerics"]["compiled"]


def compiled(*words):
    """Of each search that is planned on a CPU."""
    options = run.parser().parse_args(["--seeds", "1", "--profile", "controlled", "--device", "cpu", *words])
    options.dataset, options.space = ["digits"], "darts"
    jobs = planning.searches(options, Console(file=io.StringIO()))
    return [(job.name, job.config["numerics"].get("compiled", False)) for job in jobs]


@pytest.mark.skipif(not shutil.which("c++"), reason="needs a compiler")
def test_what_the_user_sets_is_compiled_where_it_is_no_faster_too():
    assert compiled("--methods", "darts", "--set", "protocol.compiled=true") == [("darts", True)]
    assert compiled("--methods", "darts", "--set", "protocol.compiled=true,false") == [
        ("darts", True),
        ("darts", False),
    ]
    of_one = compiled("--methods", "darts,gdas", "--set", "gdas.protocol.compiled=true")
    assert of_one == [("darts", False), ("gdas", True)]


def test_what_the_user_sets_and_cannot_be_compiled_is_refused(monkeypatch):
    monkeypatch.setattr(devices.shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match=r"--set protocol.compiled=true: there is no C\+\+ compiler"):
        compiled("--methods", "darts", "--set", "protocol.compiled=true")


def test_a_space_whose_supernet_has_no_compiled_form_is_refused():
    assert "compiled" not in planned("--profile", "controlled", "--space", "tests/two_edges.py:TwoEdges")[0]["numerics"]
    with pytest.raises(ValueError, match="no compiled form"):
        planned("--compile", "on", "--space", "tests/two_edges.py:TwoEdges")
