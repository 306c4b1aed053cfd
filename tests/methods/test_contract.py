"""Every method of the table meets the contract, and is one short file."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.api import BlackBox, OneShot
from harness.benchmarks import NASBench201
from harness.data import load, search_data
from harness.experiment import conformance, registry
from harness.experiment.registry import Entry, select
from harness.profiles import budget
from methods import FAMILIES, METHODS
from tests.sign_gradient import SignGradient

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data():
    def of(cls):
        return conformance.few(search_data(load("digits", Path()), cls.bilevel), 40)

    return of


ONE_SHOT = [name for name, entry in METHODS.items() if entry.kind != "black box"]


@pytest.mark.parametrize("zero_operation", [False, True])
@pytest.mark.parametrize("name", [*ONE_SHOT, "outside"])
def test_method_meets_the_contract(name, zero_operation, data):
    cls = SignGradient if name == "outside" else registry.load(METHODS[name])
    short = {"epochs": 3, "channels": 4, "batch_size": 10, "zero_operation": zero_operation}
    protocol = budget("quick", "nasbench201", "digits", name, short).protocol
    few = {"enas": {"steps": 2, "samples": 3, "candidates": 3, "last_candidates": 4}}
    few |= {key: {"candidates": 5} for key in ("random-search-ws", "setn")}
    assert conformance.examine(cls, "nasbench201", data(cls), protocol, few.get(name)) == []


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


class OffTheSimplex(SignGradient):
    def distribution(self):
        return self.theta * 2


class WrongShape(SignGradient):
    def distribution(self):
        return self.theta[:3]


class Abstract(OneShot):
    pass


class NamedAsTheProtocol(SignGradient):
    def __init__(self, space, epochs: int = 3):
        super().__init__(space)


def test_conformance_finds_what_is_wrong(data):
    protocol = budget("quick", "nasbench201", "digits", "x", {"epochs": 2, "channels": 2, "batch_size": 10}).protocol
    assert "resumed" in conformance.examine(Forgetful, "nasbench201", data(Forgetful), protocol)[0]
    space = NASBench201()
    assert "simplex" in conformance.problems(OffTheSimplex, space)[0]
    assert "must have shape (6, 5)" in conformance.problems(WrongShape, space)[0]
    assert "must define distribution" in conformance.problems(Abstract, space)[0]
    assert "must derive from" in conformance.problems(dict, space)[0]
    assert "called epochs would be taken for the protocol's" in conformance.problems(NamedAsTheProtocol, space)[0]
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


def test_every_method_file_is_in_the_table_short_and_alone():
    files = {path.stem for path in (ROOT / "methods").glob("*.py")} - {"__init__"}
    assert files == {entry.target.partition(":")[0].removeprefix("methods.") for entry in METHODS.values()}
    for name in files:
        path = ROOT / "methods" / f"{name}.py"
        assert code_lines(path) <= (100 if name in ("enas", "bohb") else 60), name
        assert "from methods" not in path.read_text(), "a method imports no other method"
        assert ast.get_docstring(ast.parse(path.read_text())), name


def test_the_kind_is_the_class():
    for name, entry in METHODS.items():
        cls = registry.load(entry)
        assert issubclass(cls, BlackBox) == (entry.kind == "black box"), name
        if issubclass(cls, OneShot):
            assert cls.bilevel == (entry.kind == "weight sharing, bilevel"), name


def test_names_go_before_families_and_families_skip_what_does_not_run():
    both = ["gaea-darts-erm", "gaea-darts-bilevel"]
    assert list(select("darts,gaea", "nasbench201", METHODS, FAMILIES).entries) == ["darts", *both]
    assert list(select("gaea", "darts", METHODS, FAMILIES).entries) == ["gaea-pc-darts"]
    table = {"a": Entry("m:A", "f", "k", "p"), "b": Entry("m:B", "f", "k", "p", spaces=("darts",))}
    selection = select("f", "nasbench201", table, {"f": ("a", "b")})
    assert list(selection.entries) == ["a"]
    assert "b (family f) does not run on space nasbench201" in selection.skipped[0]
    with pytest.raises(ValueError, match="does not run on space nasbench201"):
        select("b", "nasbench201", table, {})
    with pytest.raises(ValueError, match="did you mean darts"):
        select("dartz", "nasbench201", METHODS, FAMILIES)
