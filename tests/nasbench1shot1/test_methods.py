"""What methods do with rows of theta that are weights of inputs, and the report of their searches."""

import csv
from pathlib import Path

import pytest
import torch

import run_all
from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.benchmarks.nasbench1shot1.space import Space2
from harness.benchmarks.nasbench1shot1.table.convert import main
from harness.experiment.registry import built_in
from harness.search.problem import check_sampled
from harness.search.simplex import uniform
from tests.problems import problem_of

SPACE = Space2()
SUPPORTED = (
    *("darts", "darts-2nd", "pc-darts", "gaea-pc-darts", "gaea-darts-erm", "gaea-darts-bilevel", "gdas"),
    *("random-search-ws", "gaea-gdas", "drnas", "snas", "sdarts-rs", "sdarts-adv", "beta-darts", "lambda-darts"),
    *("oles", "idarts", "shapley-nas", "darts-pt", "darts-pt-fixed", "darts-es"),
)


def new(name, **settings):
    torch.manual_seed(0)
    return plugins.load(built_in()[name])(SPACE, **settings)


@pytest.mark.parametrize("name", SUPPORTED)
def test_methods_run_on_all_three_spaces(name):
    cls = plugins.load(built_in()[name])
    assert [cls.unsupported(benchmark.full_space) for benchmark in BENCHMARKS.values()][2:] == [None] * 3


def test_partial_channels_need_no_weights_beside_theta():
    for name in ("pc-darts", "gaea-pc-darts"):
        method = new(name)
        assert method.edge_weights() is None
        assert [tuple(parameter.shape) for parameter in method.parameters()] == [SPACE.shape]
        supernet = problem_of(method).supernet
        assert {block.partial_channels for cell in supernet.cells for block in cell.blocks} == {4}


def test_gaea_pc_darts_moves_operations_and_inputs_alike_and_both_have_the_floor():
    method = new("gaea-pc-darts", floor=0.21)  # above the output's uniform weights
    problem = problem_of(method)
    method.theta.data.copy_(uniform(SPACE))
    loss = problem.loss(method(), problem.held_out_batch).loss
    (gradient,) = torch.autograd.grad(loss, method.theta)
    method.architecture_step(problem)
    mask = torch.from_numpy(SPACE.mask)
    product = (uniform(SPACE).double() * (-0.1 * gradient).exp()).clamp(min=0.21) * mask
    assert torch.allclose(method.theta.detach(), product / product.sum(dim=1, keepdim=True))
    inputs = slice(SPACE.blocks, None)
    assert gradient[inputs][mask[inputs]].all()  # inputs and output learn
    assert (method.theta > 0).equal(mask)


@pytest.mark.parametrize("name", ["gdas", "gaea-gdas", "random-search-ws"])
def test_samples_keep_as_many_inputs_as_an_architecture(name):
    method = new(name)
    for _ in range(5):
        weights = method.weights_for_training()
        check_sampled(weights, SPACE.keep)
        assert weights.sum(dim=1).tolist() == pytest.approx(list(SPACE.keep))
        assert not weights[~torch.from_numpy(SPACE.mask)].any()
        assert SPACE.one_hot(SPACE.discretize(weights)) == pytest.approx(weights.numpy(), abs=1e-6)


def test_every_row_of_gdas_learns():
    method = new("gdas", tau_first=1.0, tau_last=1.0)
    problem, before = problem_of(method), method.alpha.detach().clone()
    method.architecture_step(problem)
    mask = torch.from_numpy(SPACE.mask)
    assert (method.alpha.detach() != before.double())[mask].all()


@pytest.mark.parametrize(
    "profile, method, name",
    [
        ("quick", "pc-darts", "nasbench1shot1/quick"),
        ("controlled", "pc-darts", "nasbench1shot1/controlled"),
        ("paper", "pc-darts", "nasbench1shot1/paper/pc-darts"),
        ("paper", "gdas", "nasbench1shot1/controlled"),
    ],
)
def test_methods_without_a_published_search_have_the_controlled_protocol(profile, method, name):
    benchmark = BENCHMARKS[SPACE.name]
    budget = benchmark.default_protocol(profile, "cifar10", method)
    assert (budget.name, budget.profile) == (name, name.split("/")[1])
    published = {"lr": 3e-4, "warmup": 0.0} if "paper/" in name else {}
    assert benchmark.method_settings(profile, "cifar10", method) == published


# Reports -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(test_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    assert main([str(test_data / "nasbench101" / "nasbench101.npz"), str(folder / "table.npz")]) == 0
    words = ["--space", SPACE.name, "--methods", "gaea-pc-darts,darts", "--seeds", "1", "--jobs", "1"]
    words += ["--set", "protocol.epochs=2", "--set", "protocol.batch_size=400", "--table", str(folder / "table.npz")]
    words += ["--controls", "none"]
    assert run_all.main([*words, "--figures", "svg", "--results", str(folder)]) == 0
    return folder


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_accuracies_and_regrets_are_those_of_the_table_and_the_published_optimum(results):
    found = rows(results / "tables" / "runs.csv")
    assert {(row["dataset"], row["split"]) for row in found} == {("cifar10", "test")}
    evaluator = BENCHMARKS[SPACE.name].evaluator(results / "table.npz")
    for row in found:
        (score,) = evaluator.scores([row["cell"]])[0].itertuples()
        assert float(row["value"]) == pytest.approx(score.value, abs=1e-3)
        assert float(row["best"]) == pytest.approx(100 - 5.7592, abs=1e-4)
        assert float(row["regret"]) == pytest.approx(float(row["best"]) - score.value, abs=1e-3)
    leaderboard = {row["method"].split(" [")[0]: row for row in rows(results / "tables" / "leaderboard.csv")}
    assert float(leaderboard["gaea-pc-darts"]["published"]) == 93.325
    assert leaderboard["gaea-pc-darts"]["verdict"] == "not comparable"  # the quick profile
    assert leaderboard["darts"]["verdict"] == "no published value"


def test_everything_is_drawn(results):
    kinds = {path.name.split(f"-{SPACE.name}")[0] for path in (results / "figures").glob("*.svg")}
    assert {"entropy", "theta", "accuracy", "final", "regret-by-passes", "regret-by-epoch", "supernet"} <= kinds
    assert "cells-darts" in kinds
    entropy = next((results / "figures").glob("entropy-*.svg")).read_text()
    assert all(f"<!-- {name} -->" in entropy for name in ("operations", "inputs", "output"))
    regret = next((results / "figures").glob("regret-by-epoch-*.svg")).read_text()
    assert "published GAEA PC-DARTS (bilevel), mean of 4 searches" in regret


def test_a_users_own_images_are_searched_and_nothing_is_retrained(tmp_path):
    own = f"{Path(__file__).parents[1] / 'stripes.py'}:load"
    words = [
        "--methods",
        "darts",
        "--space",
        "nasbench1shot1-1",
        "--dataset",
        own,
        "--controls",
        "none",
        "--seeds",
        "1",
    ]
    words += ["--set", "protocol.epochs=1", "--set", "protocol.channels=4", "--set", "protocol.cells=1"]
    words += ["--seeds", "1", "--jobs", "1", "--figures", "none", "--results", str(tmp_path)]
    assert run_all.main(words) == 0
