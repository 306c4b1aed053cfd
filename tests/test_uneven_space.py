"""A space with choices of different lengths, which nothing in the harness names: searched, scored, drawn, reported."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

import run_all
from harness.cli import main
from harness.experiment import registry
from harness.experiment.store import Scores, Store
from harness.search import simplex
from tests.problems import OF_EVERY_KIND, ONE_SHOT, every_time
from tests.test_run_all import FEW_IMAGES
from tests.two_edges import TwoEdges
from tests.uneven_space import Uneven

FILE = Path(__file__).with_name("uneven_space.py")
SPACE = f"{FILE}:Uneven"
METHODS = "gaea,darts,random-search-ws,regularized-evolution,random-cell"
"""Of mixtures with and without held-out images, of samples, of queries, and the control."""
REASONS = {
    "setn": "no cell",
    "enas": "no cell",
    "pc-darts": "not edges",
    "gaea-pc-darts": "not edges",
    "darts-minus": "not edges",
    **dict.fromkeys(registry.families()["training-free"], "no network in plain modules"),
}
"""Why these methods do not run; all others do."""


def is_quick(name):
    """One of every kind, and what does not run."""
    return name in OF_EVERY_KIND or name in REASONS or name not in ONE_SHOT


@pytest.mark.parametrize("name", every_time([(name,) for name in registry.built_in()], is_quick))
def test_every_method_meets_the_contract_or_says_why_not(name, capsys, monkeypatch):
    monkeypatch.setattr("harness.commands.check.EPOCHS", 2)
    monkeypatch.setattr("harness.commands.check.IMAGES", 32)
    assert main(["check", name, "--space", SPACE]) == 0
    printed = capsys.readouterr().out
    assert f"{name} meets the contract" in printed
    assert ("does not run on uneven" in printed) == (name in REASONS)
    assert REASONS.get(name, "") in printed


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uneven")
    words = ["--space", SPACE, "--methods", METHODS, "--seeds", "2", "--controls", "none", *FEW_IMAGES]
    small = ["--set", "protocol.epochs=2", "--set", "protocol.batch_size=32", "--set", "protocol.channels=4"]
    assert run_all.main([*words, *small, "--jobs", "1", "--figures", "svg", "--results", str(folder)]) == 0
    return folder


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_search_has_its_numbers(results):
    leaderboard = rows(results / "tables" / "leaderboard.csv")
    searched = {record["config"]["method"]["name"] for record in Store(results).records()}
    assert len(searched) == 6
    for split in ("valid", "test"):
        of_split = [row for row in leaderboard if (row["dataset"], row["split"]) == ("formula", split)]
        assert {row["method"].split()[0] for row in of_split if row["selection"] == "last"} == searched
    assert {row["verdict"] for row in leaderboard} == {"no published value"}
    assert all(row["space"].startswith("external:uneven@") for row in leaderboard)


def test_scores_are_what_the_space_says(results):
    space = Uneven()
    (scores,) = Store(results).scores()
    for row in scores.frame.itertuples():
        assert row.value == space.evaluate(space.from_string(row.architecture))[row.dataset, row.split]
    (best,) = space.best()
    regrets = rows(results / "tables" / "regret.csv")
    assert regrets
    assert all(float(row["regret"]) >= 0 for row in regrets)
    for row in rows(results / "tables" / "runs.csv"):
        assert float(row["value"]) <= space.evaluate(best)[row["dataset"], row["split"]]


def test_everything_is_drawn(results):
    kinds = {path.name.split("-external")[0] for path in (results / "figures").glob("*.svg")}
    assert {
        "entropy",
        "theta",
        "accuracy",
        "final",
        "profile",
        "regret",
        "hits",
        "regret-by-passes",
        "passes",
        "cells-darts",
        "cells-random-cell",
        "supernet",
    } <= kinds
    theta = next((results / "figures").glob("theta-*.svg")).read_text()
    assert all(f"<!-- {name} -->" in theta for name in ("activation  relu", "tanh", "second  conv 3x3", "double"))
    page = (results / "leaderboard.html").read_text()
    assert "external:uneven" in page


def test_choices_without_names_are_called_after_their_group():
    assert TwoEdges().row_names == ("normal 1", "normal 2")


def test_black_boxes_spend_their_budget_on_its_queries(results):
    records = [record for record in Store(results).records() if record["config"]["kind"] == "black-box"]
    queried = [record for record in records if record["config"]["method"]["name"] == "regularized-evolution"]
    assert [(record["queries"], record["search_seconds"]) for record in queried] == [(40, 12_000.0)] * 2


def test_masked_mathematics_ignores_what_is_no_option():
    space = Uneven()
    mask = torch.from_numpy(space.mask)
    assert mask.sum(dim=1).tolist() == list(space.lengths) == [5, 2, 4, 3]
    uniform = simplex.uniform(space)
    assert uniform.sum(dim=1).tolist() == pytest.approx([1] * 4)
    assert simplex.entropy(uniform).tolist() == pytest.approx(np.log(space.lengths).tolist())
    alpha = torch.randn(space.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = simplex.masked(alpha, mask).softmax(dim=-1)
    for row, length in enumerate(space.lengths):
        assert torch.equal(theta[row, :length], alpha[row, :length].softmax(dim=-1))
        assert not theta[row, length:].any()
    moved = simplex.exponentiated_gradient(theta, torch.ones_like(theta), 0.1, floor=0.01)
    assert torch.equal(moved > 0, mask)
    assert simplex.divergence_from_uniform(uniform, mask).item() == pytest.approx(0, abs=1e-6)
    by_hand = sum((row[:n] * (row[:n] * n).log()).sum() for row, n in zip(theta, space.lengths, strict=True))
    assert simplex.divergence_from_uniform(theta, mask).item() == pytest.approx(by_hand.item(), rel=1e-12)
    theta.requires_grad_()
    for value in (simplex.divergence_from_uniform(theta, mask), simplex.log(theta, mask).softmax(-1).square().sum()):
        (gradient,) = torch.autograd.grad(value, theta)
        assert gradient.isfinite().all()
        assert not gradient[~mask].any()


def test_spaces_with_even_choices_have_no_mask_and_the_plain_mathematics():
    from harness.benchmarks import DARTS, NASBench201

    for space in (NASBench201(), DARTS()):
        assert space.mask is None
        assert torch.equal(simplex.uniform(space), torch.full(space.shape, 1 / space.shape[1]))
        alpha = torch.randn(space.shape)
        assert simplex.masked(alpha, None) is alpha


def changed(tmp_path, old, new):
    """The word of the space with a change in its file."""
    text = FILE.read_text()
    assert old in text
    file = tmp_path / "space.py"
    file.write_text(text.replace(old, new))
    return f"{file}:Uneven"


def searched(tmp_path, space, *words, methods="random-cell", seeds="2"):
    asked = ["--space", space, "--methods", methods, "--seeds", seeds, "--jobs", "1", "--figures", "none", *words]
    return run_all.main([*asked, "--results", str(tmp_path / "results")])


@pytest.mark.parametrize("value", ["float('nan')", "101", "'high'"])
def test_an_evaluation_that_is_no_accuracy_costs_no_other_number(tmp_path, value, capsys):
    """One architecture cannot be evaluated: the others are, the report is written, and the status is 1."""
    bad = f'("formula", "valid"): validation if arch[0] != "skip" else {value},'
    space = changed(tmp_path, '("formula", "valid"): validation,', bad)
    assert searched(tmp_path, space, seeds="12") == 1
    assert "Uneven.evaluate(skip/" in " ".join(capsys.readouterr().out.split())
    records = Store(tmp_path / "results").records()
    good = [record for record in records if not record["cells"]["last"].startswith("skip/")]
    assert 0 < len(good) < len(records) == 12
    tests = [row for row in rows(tmp_path / "results" / "tables" / "runs.csv") if row["split"] == "test"]
    assert len(tests) == len(good)


def test_a_failed_evaluation_is_the_status_of_a_comparison(tmp_path, capsys):
    bad = '("formula", "valid"): validation if arch[0] != "skip" else 101,'
    space = changed(tmp_path, '("formula", "valid"): validation,', bad)
    small = [*FEW_IMAGES, "--set", "protocol.epochs=1", "--set", "protocol.channels=4"]
    assert searched(tmp_path, space, *small, "--controls", "none", methods="random-cell,darts", seeds="8") == 1
    words = ["--space", space, "--figures", "none", "--results", str(tmp_path / "results")]
    assert main(["compare", "random-cell,darts", *words]) == 1
    assert "Uneven.evaluate(skip/" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ('    name: ClassVar[str] = "uneven"\n', "", "needs a name"),
        ("    def supernet(self", "    def other(self", "define supernet"),
        ("    groups: ClassVar[dict[str, slice]] = {", "    parts = {", "define groups"),
        ("    def graph(self, arch):\n", "    def graph(self, arch):\n        raise KeyError(1)\n", "raised KeyError"),
        ("        weights = np.zeros(self.shape)\n", "        return np.zeros(3)\n", "one_hot"),
        ('        return "/".join((', '        return "\\n".join((', "one line"),
        ("groups: ClassVar[dict[str, slice]] = {", 'groups = {"none": slice(9, 9), ', "must be a slice of some of the"),
        ("edges = [(0, 1, first)", "edges = [(1, 0, first)", "to a later one"),
    ],
)
def test_an_incomplete_space_is_refused_in_one_line(tmp_path, old, new, reason, capsys):
    assert searched(tmp_path, changed(tmp_path, old, new)) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert reason in line
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("seconds", ["0.0", "float('nan')", "float('inf')"])
def test_a_query_must_cost_time(tmp_path, seconds):
    space = changed(tmp_path, '["formula", "valid"], 300.0', f'["formula", "valid"], {seconds}')
    assert searched(tmp_path, space, methods="random-search", seeds="1") == 1
    (record,) = Store(tmp_path / "results").records()
    assert "a query must cost seconds" in record["failure"]


def test_two_classes_in_one_file_are_two_benchmarks(tmp_path):
    file = tmp_path / "space.py"
    other = """

class Other(Uneven):
    name = "uneven"

    def evaluate(self, arch):
        return {("formula", "valid"): 1.0, ("formula", "test"): 1.0}
"""
    file.write_text(FILE.read_text() + other)
    for name in ("Uneven", "Other"):
        assert searched(tmp_path, f"{file}:{name}", seeds="1") == 0
    assert len(Store(tmp_path / "results").records()) == 2
    first, second = Store(tmp_path / "results").scores()
    assert first.benchmark != second.benchmark
    assert {1.0} in [set(scores.frame["value"]) for scores in (first, second)]


def test_a_table_for_a_space_without_one_is_refused_before_the_searches(tmp_path, capsys):
    assert searched(tmp_path, SPACE, "--table", "anything.npz") == 2
    assert "is not a tabular benchmark" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_lost_scores_are_computed_again_by_a_report(tmp_path):
    results = tmp_path / "results"
    assert searched(tmp_path, SPACE) == 0
    (file,) = (results / "scores").iterdir()
    content = file.read_bytes()
    file.unlink()
    assert main(["report", "--space", SPACE, "--figures", "none", "--results", str(results)]) == 0
    assert file.read_bytes() == content


def test_architectures_of_a_users_space_are_retrained_by_name(tmp_path, capsys):
    space = f"{FILE.with_name('two_edges.py')}:TwoEdges"
    words = ["retrain", "--space", space, "--cell", "conv-skip", "--epochs", "1", "--results", str(tmp_path)]
    assert main(words) == 0
    assert "cell" in capsys.readouterr().out


def test_names_of_scores_never_collide():
    names = [Scores(name, "0" * 64, "", None).file_name for name in ("a b", "a_b", "a-b", "ä", "ö", "x" * 300)]
    assert len(set(names)) == len(names)
    assert max(map(len, names[:-1])) < 200
