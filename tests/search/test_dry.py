"""What a search is said to cost before it runs."""

from pathlib import Path

import numpy as np
import pytest

from harness.experiment.jobs.base import Machine
from harness.experiment.plan import plan
from harness.experiment.registry import built_in, families
from harness.search import dry
from harness.search.dry import dry_run

SMALL = ["protocol.channels=4", "protocol.batch_size=73", "protocol.epochs=2"]
SETTINGS = {"enas": ["enas.steps=3", "enas.last_candidates=20", "enas.candidates=5"]}
SETTINGS["random-search-ws"] = ["random-search-ws.candidates=5"]
SETTINGS["shapley-nas"] = ["shapley-nas.samples=3", "shapley-nas.images=200"]
SAMPLING = ("gdas", "gaea-gdas", "enas", "random-search-ws")
CHANCE = {"shapley-nas": 0.5, "setn": 0.6, "darts-es": 0.2, **dict.fromkeys(SAMPLING, 0.2)}
"""Relative errors where the cost depends on what is drawn or seen: few sampled operations, of which ENAS learns some;
the operations of SETN's candidates, which are alike; an order of Shapley-NAS ends early where the accuracy is lost
early; the eigenvalue of DARTS-ES takes a number of products that depends on it."""
METHODS = [
    name
    for name in sorted(built_in())
    if name not in {"random-cell", *families()["black-box"], *families()["training-free"]}
]


def searched(method, *overrides):
    """A search that has not begun."""
    words = [*SMALL, *SETTINGS.get(method, []), *overrides]
    (job,) = plan({method: built_in()[method]}, "nasbench201", "quick", ["digits"], [0], words, Path(), None)
    return job.search(Machine(Path(), Path(), None, "cpu", 1, None, None))


@pytest.mark.parametrize("method", METHODS)
def test_a_dry_run_counts_what_the_search_costs(method):
    logs = list(searched(method).epochs())
    counted = sum(log.multiply_adds.sum() for log in logs)
    expected = dry_run(searched(method))
    assert expected.epochs >= len(logs)
    assert expected.multiply_adds * len(logs) / expected.epochs == pytest.approx(counted, rel=CHANCE.get(method, 0.05))


def test_a_dry_run_moves_no_weight():
    search = searched("darts-pt")
    before = {name: value.clone() for name, value in search.supernet.state_dict().items()}
    dry_run(search)
    assert all((value == before[name]).all() for name, value in search.supernet.state_dict().items())


@pytest.mark.parametrize("method", ["darts", "idarts", "pc-darts"])
def test_few_iterations_suffice(method, monkeypatch):
    every = dry_run(searched(method)).multiply_adds
    monkeypatch.setattr(dry, "ITERATIONS", 1)
    monkeypatch.setattr(dry, "FEWEST", 4)
    assert dry_run(searched(method)).multiply_adds == pytest.approx(every, rel=0.1)


def test_what_is_passed_elsewhere_is_told_by_what_is_computed():
    """The validation of the supernet passes mixtures, the candidates of a random search single architectures."""
    mixtures, single = dry_run(searched("darts")), dry_run(searched("random-search-ws"))
    assert (mixtures.images > 0, mixtures.sampled_images) == (True, 0)
    assert single.images == 0
    assert single.sampled_images > 0


def test_the_count_of_sampled_steps_is_their_mean():
    """An operation of each of six edges, drawn uniformly: against the mean over the cells of the whole space."""
    search = searched("random-search-ws", "random-search-ws.candidates=1", "protocol.epochs=40")
    shared, operations = search.supernet.multiply_adds(8, 8)
    mean = shared + operations.double().mean(dim=1).sum().item()
    problem = dry.DrySearch(search).problem(0)
    problem.few = problem.iterations
    means = []
    for _ in range(60):
        for _ in problem.pairs():
            search.method.weight_step(problem)
        images = problem.iterations * len(problem.batch("train")[1])
        means.append(problem.in_iterations.multiply_adds / (3 * images))
    assert np.mean(means) == pytest.approx(mean, rel=0.05)
