"""External optimizers and settings, checked before a search."""

from functools import partial
from pathlib import Path

import pytest
import torch

import run_all
from harness.benchmarks import DARTS
from harness.benchmarks.nasbench201.space import NASBench201
from harness.cli import main
from harness.experiment import conformance, exchange
from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import built_in
from harness.experiment.store import Store
from harness.plugins import load
from harness.search.optimizers import ExponentiatedGradient
from methods.gaea_pc_darts import GaeaPcDarts
from tests.optimizers import DrawsItsOwn, HiddenMomentum, LeavesTheSimplex, Momentum, SignDescent
from tests.test_run_all import SMALL

ROOT = Path(__file__).parents[2]
OPTIMIZERS = ROOT / "tests" / "optimizers.py"


BLAMED = "{}, in the place of the method's own optimizer"


class OffTheSimplex(load(built_in()["darts"])):
    def distribution(self):
        return 2 * super().distribution()


def problems_with(optimizer, method="darts"):
    make = partial(load(built_in()[method]), NASBench201())
    return exchange.problems(make(), make, (optimizer, {}))


@pytest.mark.parametrize("method", ["darts", "enas"])  # enas steps its optimizer after the epoch
def test_an_optimizer_must_resume_from_its_state(method):
    assert problems_with(SignDescent, method) == []
    assert problems_with(Momentum, method) == []
    (line,) = problems_with(DrawsItsOwn, method)
    assert "differ: draw from torch's global generator only" in line


def test_what_state_dict_does_not_carry_is_found_before_a_search(tmp_path, capsys):
    (line,) = problems_with(HiddenMomentum)
    words = ["--methods", "darts", "--seeds", "1", "--results", str(tmp_path)]
    assert run_all.main([*words, "--set", f"darts.optimizer={OPTIMIZERS}:HiddenMomentum"]) == 2
    assert line in " ".join(capsys.readouterr().err.split())
    assert "keep what changes in self.state[parameter]" in line


def test_check_takes_an_optimizer(capsys, monkeypatch):
    monkeypatch.setattr("harness.commands.check.IMAGES", 32)
    monkeypatch.setattr("harness.commands.check.EPOCHS", 2)
    words = ["check", "gaea-darts-bilevel", "--space", "nasbench201"]
    assert main([*words, "--optimizer", f"{OPTIMIZERS}:MultiplicativeSign"]) == 0
    assert capsys.readouterr().out == "gaea-darts-bilevel with MultiplicativeSign meets the contract.\n"
    assert main([*words, "--optimizer", f"{OPTIMIZERS}:LeavesTheSimplexLater"]) == 1
    assert f"{BLAMED.format('LeavesTheSimplexLater')}: after epoch 1: GaeaDartsBilevel" in capsys.readouterr().out


def test_an_optimizer_that_leaves_the_simplex_is_named_and_not_the_method(tmp_path):
    (line,) = conformance.problems(load(built_in()["gaea-darts-erm"]), NASBench201(), None, (LeavesTheSimplex, {}))
    assert line.startswith(f"{BLAMED.format('LeavesTheSimplex')}: after a step, GaeaDartsErm.distribution() must have")
    own = f"gaea-darts-erm.optimizer={OPTIMIZERS}:LeavesTheSimplexLater"
    small = ["protocol.channels=2", "protocol.cells=1", "protocol.epochs=1", own]
    methods = {"gaea-darts-erm": built_in()["gaea-darts-erm"]}
    (job,) = plan(methods, "nasbench201", "quick", ["digits"], [0], small, Path(), None)
    work = job.begin(Machine(tmp_path, Path(), None, "cpu", 1, None, None))
    with pytest.raises(ValueError, match=f"{BLAMED.format('LeavesTheSimplexLater')}: after epoch 1, GaeaDartsErm"):
        next(work.epochs())


def test_a_method_that_leaves_the_simplex_itself_is_to_blame_whatever_the_optimizer():
    (line,) = conformance.problems(OffTheSimplex, NASBench201(), None, (SignDescent, {}))
    assert line.startswith("OffTheSimplex.distribution() must have rows on the simplex")


@pytest.mark.parametrize(
    "method, settings, changed, exchanged, idle",
    [
        ("darts", {"lr": 3e-4, "init_std": 1e-3}, {"lr": 0.1, "init_std": 1.0}, False, []),
        ("darts", {"lr": 3e-4, "init_std": 1e-3}, {"lr": 0.1, "init_std": 1.0}, True, ["lr"]),
        ("enas", {"lr": 1e-3, "steps": 50}, {"lr": 0.1, "steps": 5}, True, ["lr"]),
        ("local-search", {}, {}, False, []),
    ],
)
def test_settings_that_nothing_reads(method, settings, changed, exchanged, idle):
    make = partial(load(built_in()[method]), NASBench201())
    assert exchange.without_effect(make, settings, changed, exchanged) == idle


def test_the_files_of_external_code_are_kept_beside_the_records(tmp_path):
    method = ROOT / "tests" / "sign_gradient.py"
    words = ["--methods", f"{method}:SignGradient,darts", "--seeds", "1", "--jobs", "1", "--retrain", "none"]
    words += ["--results", str(tmp_path)]
    swap = ["--set", f"darts.optimizer={OPTIMIZERS}:SignDescent", "--dataset", f"{ROOT / 'tests' / 'stripes.py'}:load"]
    assert run_all.main([*words, *swap, *SMALL, "--set", "protocol.epochs=1"]) == 0
    store = Store(tmp_path)
    files = {}
    for record in store.records():
        for what, source in record["provenance"]["sources"].items():
            files[what] = (source["file"], store.source_path(source["sha256"]).read_bytes())
        external = {what: record["config"].get(what) for what in ("method", "optimizer")}
        for what, config in external.items():
            if config and "sha256" in config:
                assert record["provenance"]["sources"][what]["sha256"] == config["sha256"]
    paths = {"method": method, "optimizer": OPTIMIZERS, "dataset": ROOT / "tests" / "stripes.py"}
    assert files == {what: (path.name, path.read_bytes()) for what, path in paths.items()}


def test_weights_of_edges_keep_their_simplices_under_another_optimizer():
    method = GaeaPcDarts(DARTS())
    method.exchange_optimizers(ExponentiatedGradient)
    assert len(method.eg.param_groups[0]["params"]) == 1
    torch.manual_seed(0)
    for parameter in method.parameters():
        parameter.grad = torch.rand_like(parameter)
    method.step()
    nodes = torch.tensor(method.edge_target)
    for node in nodes.unique():
        torch.testing.assert_close(method.edge_weights()[nodes == node].sum(), torch.tensor(1.0))
