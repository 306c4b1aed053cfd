"""Every method of the table meets the contract, and is one short file."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from harness import plugins
from harness.api import BlackBox, OneShot, TrainingFree
from harness.benchmarks import BENCHMARKS, NASBench201
from harness.data import load, search_data
from harness.experiment import conformance
from harness.experiment.registry import built_in, members, select
from harness.search.cost import KINDS
from harness.search.loop import Search
from tests.problems import OF_EVERY_KIND, ONE_SHOT, budget, build_supernet, every_time, small
from tests.sign_gradient import SignGradient

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data():
    def of(cls):
        return conformance.few(search_data(load("digits", Path()), cls.bilevel), 40)

    return of


FEW = {"enas": {"steps": 2, "samples": 3, "candidates": 3, "last_candidates": 4}}
FEW |= {"shapley-nas": {"samples": 1}, "sdarts-adv": {"steps": 2}}
FEW |= {name: {"candidates": 5} for name in ("random-search-ws", "setn")}
FEW |= {"darts-es": {"products": 3}}
FEW |= {name: {"tuning_epochs": 2} for name in ("darts-pt", "darts-pt-fixed")}


UNSUPPORTED = {(name, space) for name in ("setn", "enas") for space in ("darts", "nasbench1shot1-2")}
UNSUPPORTED |= {("darts-minus", "nasbench1shot1-2")}


def class_of(name):
    return SignGradient if name == "outside" else plugins.load(built_in()[name])


def short(space, name, **changes):
    """The quick protocol, shorter still. Its three epochs have the border of every method's warm-up within."""
    small = {"epochs": 3, "channels": 4, "batch_size": 10 if space == "nasbench201" else 20, **changes}
    return budget("quick", space, "digits", name, small).protocol


ITERATIONS_COUNT = ("idarts", "oles")
"""What they do in an iteration depends on the one before."""
SPACES = [("nasbench201", False), ("nasbench201", True), ("darts", True), ("nasbench1shot1-2", False)]
"""With and without the zero operation."""


def is_quick(name, space, zero_operation):
    """Every method on one space, and on every other one of every kind; on the largest, one of samples (of a part of
    the channels: tests/search/test_imagenet.py)."""
    return (space, zero_operation) == SPACES[0] or (name in OF_EVERY_KIND and (space != "darts" or name == "gdas"))


@pytest.mark.parametrize(
    "name, space, zero_operation",
    every_time([(name, *space) for name in [*ONE_SHOT, "outside"] for space in SPACES], is_quick),
)
def test_method_meets_the_contract(name, space, zero_operation, data):
    """Simplex, determinism, and resuming after every epoch: `conformance.examine`."""
    cls = class_of(name)
    if reason := cls.unsupported(BENCHMARKS[space].full_space):
        assert (name, space) in UNSUPPORTED
        assert reason in conformance.problems(cls, BENCHMARKS[space].full_space)[0]
        return
    benchmark, images = small(name, space)
    pairs = 2 if space == "nasbench201" and name in (*OF_EVERY_KIND, *ITERATIONS_COUNT) else 1  # of batches, an epoch
    protocol = short(space, name, zero_operation=zero_operation, batch_size=images // pairs)
    few = conformance.few(data(cls), images)
    assert conformance.examine(cls, benchmark, few, protocol, FEW.get(name)) == []


def search_of(cls, data, space="nasbench201", settings=None, **changes):
    protocol = short(space, "darts", **changes)
    chosen = BENCHMARKS[space].full_space
    torch.manual_seed(1)
    method = cls(chosen, **(settings or {}))
    torch.manual_seed(2)
    supernet = build_supernet(chosen, protocol, data.classes, method.supernet)
    return Search(method, supernet, data, protocol, 0, torch.device("cpu"))


# What the algorithm boxes cost, in passes per pair of batches: forward and backward.
PASSES = {
    "darts": {"mixture": (2, 2)},
    "darts-2nd": {"mixture": (5, 5)},
    "pc-darts": {"mixture": (2, 2)},
    "gdas": {"sampled": (2, 2)},
    "setn": {"mixture": (1, 1), "sampled": (1, 1)},
    "random-search-ws": {"sampled": (1, 1)},
    **{name: {"mixture": (2, 2)} for name in ("gaea-darts-erm", "gaea-darts-bilevel", "darts-erm", "gd-simplex")},
    "gaea-pc-darts": {"mixture": (2, 2)},
    "gaea-gdas": {"sampled": (2, 2)},
    "sdarts-rs": {"mixture": (2, 2)},
    "sdarts-adv": {"mixture": (2, 2), "evaluation": (2 + 2, 2)},  # the attack, and the two losses that are compared
    "beta-darts": {"mixture": (2, 2)},
    "darts-es": {"mixture": (5 + 1 / 4, 5 + (1 + 3) / 4)},  # in 4 iterations, and once a gradient with 3 products
    "drnas": {"mixture": (2, 2)},
    "snas": {"mixture": (2, 2)},
    "lambda-darts": {"mixture": (4, 4)},
    "oles": {"mixture": (2, 2)},
    "idarts": {"mixture": (1 + 7 / 4, 1 + 7 / 4)},
    "shapley-nas": {"mixture": (1, 1)},
    "fairdarts": {"mixture": (2, 2)},
    "darts-minus": {"mixture": (2, 2)},
}


WARMED_UP = ("pc-darts", "gaea-pc-darts", "gaea-gdas")
COUNTED_APART = ("enas", "darts-pt", "darts-pt-fixed")
"""Below, and in test_robust.py: what they do differs from epoch to epoch."""


def test_the_cost_of_every_method_is_tested():
    assert {*PASSES, *COUNTED_APART} == set(ONE_SHOT)


@pytest.mark.parametrize("name", PASSES)
def test_passes_are_those_of_the_algorithm_box(name, data):
    """10 images of each kind in a batch, 4 batches where something is done in every fourth iteration; with 5
    candidates, a validation batch each, and the validation."""
    cls = class_of(name)
    images = 40 if any(passes % 1 for steps in PASSES[name].values() for passes in steps) else 10
    settings = {**FEW.get(name, {}), **({"warmup": 0.0} if name in WARMED_UP else {})}
    log = next(search_of(cls, conformance.few(data(cls), images), settings=settings).epochs())
    validated = images if cls.bilevel else 0
    candidates = 5 if name in ("setn", "random-search-ws") else 0
    for kind, forward, backward in zip(KINDS, log.forward_images, log.backward_images, strict=True):
        steps = PASSES[name].get(kind, (0, 0))
        after = validated * (1 + candidates) if kind == "evaluation" else 0
        assert (forward, backward) == (images * steps[0] + after, images * steps[1]), kind


def test_the_controller_of_enas_is_trained_on_evaluations_after_the_epoch(data):
    log = next(search_of(class_of("enas"), data(class_of("enas")), settings=FEW["enas"]).epochs())
    steps, candidates, validation = 2 * 3 * 10, 3 * 40, 40
    assert dict(zip(KINDS, log.forward_images.tolist(), strict=True)) == {
        "mixture": 0,
        "sampled": 40,
        "evaluation": steps + candidates + validation,
    }
    assert log.backward_images.tolist() == [0, 40, 0]


@pytest.mark.parametrize("terms", [0, 1, 3])
def test_every_term_of_idarts_costs_two_passes(terms, data):
    log = next(search_of(class_of("idarts"), data(class_of("idarts")), settings={"terms": terms}).epochs())
    assert log.backward_images.tolist() == [40 + 10 * (1 + 2 * terms + 2), 0, 0]


def test_the_attack_of_sdarts_costs_a_backward_pass_per_step_of_which_seven_are_the_default(data):
    log = next(search_of(class_of("sdarts-adv"), data(class_of("sdarts-adv")), batch_size=40).epochs())
    assert log.backward_images.tolist() == [80, 0, 7 * 40]
    assert log.forward_images.tolist() == [80, 0, (7 + 2) * 40 + 40]  # the two losses that are compared; the validation


def test_shapley_nas_removes_every_option_in_every_order_after_the_warm_up(data):
    cls = class_of("shapley-nas")
    logs = list(search_of(cls, data(cls), settings={"samples": 2, "threshold": 0.0}, batch_size=40).epochs())
    evaluated, validation = 40 * 2 * (1 + 30), 40
    assert [log.forward_images.tolist() for log in logs] == [
        [40, 0, validation],
        [40, 0, validation],
        [40, 0, validation + evaluated],
    ]


def test_a_frozen_epoch_has_no_architecture_steps_and_costs_half(data):
    cls = class_of("pc-darts")
    frozen, active, _ = search_of(cls, data(cls), settings={"warmup": 0.3}, batch_size=40).epochs()
    assert (frozen.backward_images.tolist(), active.backward_images.tolist()) == ([40, 0, 0], [80, 0, 0])
    ratio = active.multiply_adds[1] / frozen.multiply_adds[1]
    assert ratio == 1.5, "of w: gradients of the features and of w; of the architecture: of the features"


class EndsEarly(SignGradient):
    """After two epochs that it counts in a buffer."""

    def __init__(self, space):
        super().__init__(space)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def after_epoch(self, problem):
        self.seen += 1

    def finished(self):
        return bool(self.seen == 2)


def test_a_method_may_finish_before_its_budget_and_stays_finished(data):
    images = data(EndsEarly)
    sizes = {"epochs": 4, "batch_size": 40}
    search = search_of(EndsEarly, images, **sizes)
    assert len(list(search.epochs())) == 2
    assert list(search.epochs()) == []
    resumed = search_of(EndsEarly, images, **sizes)
    resumed.load_state_dict(search.state_dict())
    assert list(resumed.epochs()) == []
    begun = search_of(EndsEarly, images, **sizes)
    next(begun.epochs())
    resumed = search_of(EndsEarly, images, **sizes)
    resumed.load_state_dict(begun.state_dict())
    assert len(list(resumed.epochs())) == 1
    protocol = short("nasbench201", "darts", **sizes)
    assert conformance.examine(EndsEarly, BENCHMARKS["nasbench201"], images, protocol) == []


class Hooks(SignGradient):
    """Writes down what is called, and with which epoch and learning rate."""

    def __init__(self, space):
        super().__init__(space)
        self.calls = []

    def note(self, name, problem):
        rate = problem.weight_optimizer.param_groups[0]["lr"]
        self.calls.append((name, problem.epoch, problem.epochs, problem.iteration, rate))

    def before_epoch(self, problem):
        self.note("before", problem)

    def architecture_step(self, problem):
        self.note("architecture", problem)

    def weight_step(self, problem):
        self.note("weights", problem)
        return super().weight_step(problem)

    def after_epoch(self, problem):
        self.note("after", problem)

    def derive(self, problem):
        self.note("derive", problem)
        return super().derive(problem)


@pytest.mark.parametrize("first", [True, False])
def test_the_loop_calls_the_method_in_turn(first, data):
    search = search_of(Hooks, data(Hooks), epochs=2, batch_size=20, architecture_first=first)
    assert len(list(search.epochs())) == 2
    steps = ["architecture", "weights"] if first else ["weights", "architecture"]
    expected = [
        (name, epoch, 2, iteration, search.protocol.learning_rate_at(epoch))
        for epoch in (0, 1)
        for name, iteration in [
            ("before", 0),
            *((step, i) for i in (0, 1) for step in steps),
            ("after", 1),
            ("derive", 1),
        ]
    ]
    assert search.method.calls == expected


class Forgetful(OneShot):
    """Keeps its momentum outside of its state."""

    def __init__(self, space):
        super().__init__(space)
        self.alpha = nn.Parameter(torch.zeros(space.shape))
        self.momentum = 0.0

    def distribution(self):
        return self.alpha.softmax(-1)

    @torch.no_grad()
    def step(self):
        self.momentum = 0.9 * self.momentum + self.alpha.grad
        self.alpha -= self.momentum


class Unseeded(SignGradient):
    """Draws from a generator of its own."""

    @torch.no_grad()
    def step(self):
        generator = torch.Generator()
        generator.seed()
        self.theta += torch.rand(self.theta.shape, generator=generator)


class OffTheSimplex(SignGradient):
    def distribution(self):
        return self.theta * 2


class WrongShape(SignGradient):
    def distribution(self):
        return self.theta[:3]


class Abstract(OneShot):
    pass


class FirstContract(SignGradient):
    """As methods were written once."""

    partial_channels = 4

    def anneal(self, epoch, epochs):
        pass

    def derive(self, evaluate):
        return self.space.discretize(self.theta)


class NothingToLearn(OneShot):
    def distribution(self):
        return torch.full(self.space.shape, 1 / self.space.shape[1])


class NeedsASupernetToDerive(SignGradient):
    def derive(self, problem):
        problem.loss(self(), problem.batch("validation"))
        return super().derive(problem)


class NamedAsTheProtocol(SignGradient):
    def __init__(self, space, epochs: int = 3):
        super().__init__(space)


def test_conformance_finds_what_is_wrong(data):
    protocol = budget("quick", "nasbench201", "digits", "x", {"epochs": 2, "channels": 2, "batch_size": 40}).protocol
    nasbench201 = BENCHMARKS["nasbench201"]
    (line,) = conformance.examine(Forgetful, nasbench201, data(Forgetful), protocol)
    assert "resumed" in line
    lines = conformance.examine(Unseeded, nasbench201, data(Unseeded), protocol)
    assert ["two searches" in line for line in lines] == [True, False]
    space = NASBench201()
    assert "simplex" in conformance.problems(OffTheSimplex, space)[0]
    assert "must have shape (6, 5)" in conformance.problems(WrongShape, space)[0]
    assert "must define distribution" in conformance.problems(Abstract, space)[0]
    assert "must derive from" in conformance.problems(dict, space)[0]
    (line,) = conformance.problems(FirstContract, space)
    for word in ("first version", "before_epoch(problem)", "problem.accuracy(arch, batch)", "'partial_channels': n"):
        assert word in line
    assert "\n" not in line
    assert "no parameters to learn" in conformance.problems(NothingToLearn, space)[0]
    assert conformance.problems(NeedsASupernetToDerive, space) == []
    assert conformance.problems(NamedAsTheProtocol, space) == []  # the scopes of settings and protocol cannot collide
    assert "raised" in conformance.problems(SignGradient, space, {"lr2": 1})[0]


def code_lines(path):
    tree = ast.parse(path.read_text())
    documented = ast.Module | ast.ClassDef | ast.FunctionDef
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, documented) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    return sum(
        1
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.strip() and not line.strip().startswith("#") and number not in docstrings
    )


def test_every_method_file_is_short_and_alone():
    for name in {path.stem for path in (ROOT / "methods").glob("*.py")} - {"__init__"}:
        path = ROOT / "methods" / f"{name}.py"
        assert code_lines(path) <= (100 if name in ("enas", "bohb") else 60), name
        assert "from methods" not in path.read_text(), "a method imports no other method"
        assert ast.get_docstring(ast.parse(path.read_text())), name


def test_every_method_says_what_it_is():
    for name, entry in built_in().items():
        cls = plugins.load(entry)
        assert issubclass(cls, BlackBox | OneShot | TrainingFree), name
        assert cls.paper, name
        assert cls.family, name


def test_methods_are_the_files_in_the_order_of_the_families():
    names = list(built_in())
    assert {name.replace("-", "_") for name in names} == {path.stem for path in (ROOT / "methods").glob("[a-z]*.py")}
    assert names == list(dict.fromkeys(members("all", BENCHMARKS["nasbench201"])))


def test_names_go_before_families_and_families_skip_what_does_not_run():
    both = ["gaea-darts-erm", "gaea-darts-bilevel"]
    nasbench201, darts = BENCHMARKS["nasbench201"], BENCHMARKS["darts"]
    assert list(select("darts,gaea", nasbench201).entries) == ["darts", *both]
    assert list(select("gaea", darts).entries) == ["gaea-pc-darts"]
    selection = select("weight-sharing", darts)
    assert "setn" not in selection.entries
    assert any("setn (family weight-sharing) does not run on darts: it scores" in line for line in selection.skipped)
    with pytest.raises(ValueError, match="method setn does not run on darts: it scores the most probable"):
        select("setn", darts)
    with pytest.raises(ValueError, match="method random-search does not run on darts: there are no accuracies"):
        select("random-search", darts)
    with pytest.raises(ValueError, match="did you mean darts"):
        select("dartz", nasbench201)
