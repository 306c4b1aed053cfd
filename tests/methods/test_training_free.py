"""Training-free scores: against vectors of the authors' code, and as methods that search by the best of N."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from harness import plugins
from harness.api import OneShot, TrainingFree
from harness.benchmarks import BENCHMARKS, NASBench201
from harness.benchmarks.external import ExternalBenchmark
from harness.benchmarks.nasbench201.network import NASBench201Network
from harness.data import load
from harness.experiment import conformance, registry
from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import built_in, families, why_not
from harness.protocol import NetworkSize
from harness.search.scoring import EPOCH, Scorer, Scoring
from tests.problems import every_time
from tests.two_edges import TwoEdges

SPACE = NASBench201()
SCORES = {name: plugins.load(built_in()[name])(SPACE) for name in families()["training-free"]}
WITHOUT_BIASES = ("fisher", "synflow")
"""The convolutions of the cells have biases there, which only these two feel."""


@pytest.fixture(scope="module")
def golden(test_data):
    with np.load(test_data / "golden" / "newer" / "zero_cost.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def official_network(golden, number):
    """Ours with the official one's weights."""
    network = NASBench201Network(SPACE.from_string(str(golden["archs"][number])), 2, 1, 3, affine=False).double()
    ours, names = network.state_dict(), {}
    for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        names |= {f"stem.{layer}.{kind}": f"stem.net.{layer}.{kind}" for layer in (0, 1)}
        names |= {f"last.0.{kind}": f"top.lastact.0.{kind}", f"classifier.{kind}": f"top.classifier.{kind}"}
        for block, reduction in ((1, 1), (3, 2)):
            names[f"blocks.{block}.shortcut.1.{kind}"] = f"reduction{reduction}.residual.1.{kind}"
            for place, part in ((1, "conv_a.op.1"), (2, "conv_a.op.2"), (4, "conv_b.op.1"), (5, "conv_b.op.2")):
                names[f"blocks.{block}.body.{place}.{kind}"] = f"reduction{reduction}.{part}.{kind}"
    for stage, block in enumerate((0, 2, 4), 1):
        names |= {
            f"blocks.{block}.operations.{edge}.1.weight": f"stage{stage}/edge{edge}/conv.weight" for edge in range(6)
        }
    network.load_state_dict({name: torch.as_tensor(golden[f"net{number}/{names[name]}"]) for name in ours})
    return network


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("name", SCORES)
def test_scores_are_the_official_ones(golden, name, number):
    network = official_network(golden, number)
    images, labels = torch.as_tensor(golden["images"]), torch.as_tensor(golden["labels"])
    official = name.replace("-", "_") + "_without_conv_biases" * (name in WITHOUT_BIASES)
    before = [parameter.clone() for parameter in network.parameters()]
    score = SCORES[name].score(network, images, labels)
    assert score == pytest.approx(float(golden[f"net{number}/score/{official}"]), rel=1e-9)
    assert all(torch.equal(*pair) for pair in zip(before, network.parameters(), strict=True)), "left as it was"


def test_a_network_that_the_images_do_not_pass_has_finite_scores():
    torch.manual_seed(0)
    network = NASBench201Network(("none",) * 6, 4, 1, 3, affine=False)
    images, labels = torch.randn(8, 3, 8, 8), torch.arange(8) % 3
    assert all(np.isfinite(score.score(network, images, labels)) or name == "naswot" for name, score in SCORES.items())
    assert SCORES["synflow"].score(network, images, labels) == 0


def test_naswot_counts_equal_signs():
    """Two images, of which one of three units has the same sign: K = [[3, 1], [1, 3]]."""
    images = torch.tensor([[1.0, -1.0, 2.0], [1.0, 1.0, -2.0]])
    assert SCORES["naswot"].score(nn.Sequential(nn.ReLU()), images, None) == pytest.approx(np.log(8))


# As methods -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return load("digits", Path())


def scoring_of(cls, digits, cells=12, seed=0, space="nasbench201"):
    benchmark = BENCHMARKS[space]
    size = NetworkSize(channels=2, cells=1 if space == "nasbench201" else 3)
    method = cls(benchmark.full_space, cells=cells)
    scorer = Scorer(method, lambda arch, *shape: benchmark.untrained(arch, size, *shape), digits, seed, "cpu")
    return Scoring(method, scorer, seed)


def done(scoring):
    logs = list(scoring.epochs())
    return logs, scoring


def is_quick(name, space):
    """Every score on one space; where a score comes from does not depend on the space."""
    return space == "nasbench201" or name == "naswot"


@pytest.mark.parametrize(
    "name, space", every_time([(name, space) for name in SCORES for space in ("nasbench201", "darts")], is_quick)
)
def test_meets_the_contract(name, space, digits):
    """Determinism, as many scores as cells, and resuming after every epoch: `conformance.examine_training_free`."""
    assert conformance.examine_training_free(type(SCORES[name]), BENCHMARKS[space], digits) == []


def test_the_best_scored_of_n_random_cells_is_the_result(digits):
    logs, scoring = done(scoring_of(type(SCORES["synflow"]), digits, cells=EPOCH + 3))
    assert [len(log.values) for log in logs] == [EPOCH, 3]
    values = [value for log in logs for value in log.values]
    cells = [cell for log in logs for cell in log.architectures]
    assert scoring.best == (cells[int(np.argmax(values))], max(values)) == (logs[-1].best, max(values))
    assert logs[0].best == cells[int(np.argmax(values[:EPOCH]))]


def test_seeds_draw_other_cells_and_methods_of_one_seed_the_same(digits):
    naswot, snip = type(SCORES["naswot"]), type(SCORES["snip"])
    drawn = [scoring_of(naswot, digits, cells=30, seed=seed).architectures for seed in range(3)]
    assert len({tuple(cells) for cells in drawn}) == 3
    assert scoring_of(snip, digits, cells=30, seed=1).architectures == drawn[1]
    first, second = (scoring_of(snip, digits, seed=seed).scorer for seed in range(2))
    assert not torch.equal(first.images, second.images)
    assert first(drawn[0][0]).value != second(drawn[0][0]).value  # another batch and other initial weights


def test_a_cell_that_is_drawn_again_is_not_scored_again(digits):
    scoring = scoring_of(type(SCORES["naswot"]), digits, cells=25)
    scoring.architectures = [scoring.architectures[0]] * 25
    logs, _ = done(scoring)
    assert [log.images.tolist() for log in logs] == [[128, 0], [0, 0], [0, 0]]
    assert len(set(scoring.values)) == 1


PASSES = dict.fromkeys(("snip", "fisher", "jacob-cov", "grad-norm"), (64, 64))
PASSES |= {"synflow": (1, 1), "grasp": (64, 128), "naswot": (128, 0)}
"""Images that pass forward and backward; GraSP's second derivatives are one more backward pass."""


@pytest.mark.parametrize("name", SCORES)
def test_images_that_pass_are_counted(name, digits):
    scoring = scoring_of(type(SCORES[name]), digits)
    assert tuple(scoring.scorer(SPACE.from_string(CONVOLUTIONS)).images) == PASSES[name]


CONVOLUTIONS = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"


class Random(TrainingFree):
    """Draws from the generator that the harness seeds."""

    def score(self, network, images, labels):
        return float(torch.rand(()))


class Unseeded(TrainingFree):
    def score(self, network, images, labels):
        return float(np.random.default_rng().uniform())


class ReturnsNothing(TrainingFree):
    def score(self, network, images, labels):
        pass


class NotANumber(TrainingFree):
    def score(self, network, images, labels):
        return float("nan")


class ForgetsItsCells(TrainingFree):
    def __init__(self, space, cells=1000):
        super().__init__(space)


def test_conformance_finds_what_is_wrong(digits):
    nasbench201 = BENCHMARKS["nasbench201"]
    assert conformance.examine_training_free(Random, nasbench201, digits) == []
    (line,) = conformance.examine_training_free(Unseeded, nasbench201, digits)
    assert "draw from torch's global generator" in line
    assert "must return a number, not NoneType" in conformance.problems(ReturnsNothing, SPACE)[0]
    assert "must define score" in conformance.problems(ForgetsItsCells, SPACE)[0]
    assert "at least one architecture: cells=0" in conformance.problems(Random, SPACE, {"cells": 0})[0]
    assert conformance.problems(NotANumber, SPACE) == []


class WithNetworks(TwoEdges):
    name = "with-networks"

    def untrained(self, arch, channels, cells, classes, affine):
        norm = nn.BatchNorm2d(channels, affine=affine)
        features = nn.Sequential(nn.Conv2d(3, channels, 3), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(features, nn.Linear(channels, classes))


def test_a_users_own_space_has_scores_if_it_has_networks(digits):
    naswot = type(SCORES["naswot"])
    assert "no network in plain modules" in why_not(naswot, ExternalBenchmark(TwoEdges, "0" * 64))
    own = ExternalBenchmark(WithNetworks, "0" * 64)
    assert why_not(naswot, own) is None
    assert conformance.examine_training_free(naswot, own, digits) == []


def test_what_is_not_finite_is_worst(digits):
    _, scoring = done(scoring_of(NotANumber, digits, cells=3))
    assert scoring.best == (scoring.architectures[0], -np.inf)


def test_a_job_resumes_bit_for_bit_from_every_checkpoint():
    words = ["naswot.cells=25", "protocol.channels=2", "protocol.cells=1"]
    entry = {"naswot": built_in()["naswot"]}
    (job,) = plan(entry, "nasbench201", "quick", ["digits"], [3], words, Path(), None)
    machine = Machine(Path(), Path(), None, "cpu", 1, None, None)
    whole = job.begin(machine)
    expected = list(whole.epochs())
    assert len(expected) == job.epochs == 3
    work, logs = job.begin(machine), []
    while (log := next(work.epochs(), None)) is not None:
        logs.append(log)
        content = io.BytesIO()
        torch.save(work.state_dict(), content)
        content.seek(0)
        work = job.begin(machine)
        work.load_state_dict(torch.load(content, weights_only=True))
    assert work.outcome({}) == whole.outcome({})
    for ours, theirs in zip(logs, expected, strict=True):
        for name in ours.keys() - {"seconds"}:
            np.testing.assert_array_equal(ours[name], theirs[name])
    scores, scored = (np.concatenate([log[name] for log in expected]) for name in ("scores", "scored"))
    assert np.isfinite(scores).sum() <= 25 == (scored != "").sum()
    assert work.outcome({})["cells"]["last"] == scored.ravel()[np.nanargmax(scores)]


class Scored(OneShot):
    """A weight-sharing method with something called `score`."""

    def score(self):
        return 0.0


class WithoutCells(TrainingFree):
    def __init__(self, space):
        self.space = space

    def score(self, network, images, labels):
        return 0.0


def test_kinds_are_told_apart_by_their_bases():
    assert why_not(Scored, BENCHMARKS["nasbench1shot1-1"]) is None
    assert registry.kind(Scored).startswith("weight sharing")


def test_a_score_without_a_number_of_cells_is_refused():
    entries = {"WithoutCells": plugins.external(f"{__file__}:WithoutCells")}
    with pytest.raises(ValueError, match="must have a setting `cells`"):
        plan(entries, "nasbench201", "quick", ["digits"], [0], [], Path(), None)
