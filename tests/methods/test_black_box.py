"""The black-box methods do what their algorithm boxes say."""

from collections import Counter, deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import plugins
from harness.api import BlackBox
from harness.benchmarks import BENCHMARKS, NASBench201
from harness.benchmarks.nasbench201.space import index
from harness.experiment import conformance, registry
from harness.experiment.registry import built_in
from methods.bohb import Bohb, density
from methods.local_search import LocalSearch
from methods.random_cell import RandomCell
from methods.regularized_evolution import RegularizedEvolution
from methods.reinforce import Reinforce

SPACE = NASBench201()


def asked(method, accuracy, queries, seed=0):
    """The cells that a method asks for, given a function from cells to accuracies."""
    search = method.search(np.random.default_rng(seed))
    cells = [next(search)]
    while len(cells) < queries:
        cells.append(search.send(accuracy(cells[-1])))
    return cells


def convolutions(cell):
    """An accuracy with a single optimum that local moves can climb."""
    return 50.0 + 8 * cell.count("nor_conv_3x3") + cell.count("nor_conv_1x1")


@pytest.mark.parametrize("name", [*registry.families()["black-box"], "random-cell"])
def test_meets_the_contract_on_the_real_table(name):
    cls = plugins.load(built_in()[name])
    assert conformance.examine_black_box(cls, BENCHMARKS["nasbench201"]) == []


def test_regularized_evolution_ages():
    """Replays the algorithm: every child differs from a living member on one edge, the oldest dies."""
    cells = asked(RegularizedEvolution(SPACE, population=5, sample=3), convolutions, 60)
    alive = deque(cells[:5], maxlen=5)
    for child in cells[5:]:
        assert any(sum(a != b for a, b in zip(child, member, strict=True)) == 1 for member in alive)
        alive.append(child)
    assert max(map(convolutions, cells)) > max(map(convolutions, cells[:5])) + 8


def test_regularized_evolution_with_a_sample_of_everyone_mutates_the_best():
    def without_ties(cell):
        return convolutions(cell) + 1e-6 * index(cell)

    cells = asked(RegularizedEvolution(SPACE, population=3, sample=200), without_ties, 30)
    for place in range(3, 30):
        parent = max(cells[place - 3 : place], key=without_ties)
        assert sum(a != b for a, b in zip(cells[place], parent, strict=True)) == 1


def test_reinforce_makes_the_steps_of_autograd_and_adam():
    rng = np.random.default_rng(3)
    method = Reinforce(SPACE, lr=0.05)
    cells = asked(method, convolutions, 12, seed=3)
    alpha = torch.tensor(1e-3 * rng.standard_normal(SPACE.shape), requires_grad=True)
    adam = torch.optim.Adam([alpha], lr=0.05)
    numerator = denominator = 0.0
    for cell in cells:
        policy = alpha.softmax(-1).detach().numpy()
        draws = rng.random((6, 1))
        chosen = (policy.cumsum(1) < draws).sum(1)
        assert tuple(SPACE.operations[k] for k in chosen) == cell
        numerator = 0.9 * numerator + 0.1 * convolutions(cell)
        denominator = 0.9 * denominator + 0.1
        log_p = torch.distributions.Categorical(alpha.softmax(-1)).log_prob(torch.tensor(chosen)).sum()
        adam.zero_grad()
        (-(convolutions(cell) - numerator / denominator) * log_p).backward()
        adam.step()


def test_local_search_climbs_to_the_top_and_starts_anew():
    cells = asked(LocalSearch(SPACE), convolutions, 400)
    assert len(set(cells)) == 400, "nothing is asked twice"
    top = ("nor_conv_3x3",) * 6
    assert top in cells
    climbed = cells.index(top)
    assert climbed <= 1 + 24 * 6
    after = cells[climbed + 1 :]
    assert set(SPACE.neighbours(top)) <= set(cells)
    assert any(sum(a != b for a, b in zip(cell, top, strict=True)) > 2 for cell in after), "a new start"


@pytest.mark.parametrize(
    "budgets, expected",
    [
        ((12, 200), [(0, [9, 3, 1]), (1, [3, 1]), (2, [3])]),  # 200, 66.7 and 22.2 epochs
        ((3, 108), [(0, [27, 9, 3, 1]), (1, [9, 3, 1]), (2, [6, 2]), (3, [4])]),
    ],
)
def test_hyperband_brackets_are_those_of_the_budgets(budgets, expected):
    brackets = Bohb(SPACE, *budgets).brackets()
    assert [next(brackets) for _ in range(2 * len(expected))] == 2 * expected


def test_the_default_brackets_are_those_of_12_to_200_epochs():
    assert Bohb(SPACE).rungs == Bohb(SPACE, 12, 200).rungs == 3


def test_bohb_promotes_the_best_of_a_rung():
    cells = asked(Bohb(SPACE, 3, 108), convolutions, 40)
    best = sorted(cells[:27], key=convolutions, reverse=True)
    assert Counter(map(convolutions, cells[27:36])) == Counter(map(convolutions, best[:9]))
    assert set(cells[27:36]) <= set(cells[:27])


def test_bohb_draws_the_random_share_once_for_every_proposal():
    """Not once for every rung with a model, which would leave almost none."""
    method = Bohb(SPACE, random_fraction=1 / 3)
    models = []
    method.sample = lambda good, *_: models.append(1) or good[0]
    rng = np.random.default_rng(0)
    seen = [[(float(k), rng.integers(method.categories)) for k in range(40)] for _ in range(3)]
    for _ in range(3000):
        method.propose(seen, rng)
    assert 1 - len(models) / 3000 == pytest.approx(1 / 3, abs=0.03)


def test_bohb_prefers_where_good_cells_were():
    """With a strong signal the model's proposals are better than random ones."""
    cells = asked(Bohb(SPACE), convolutions, 300)
    assert np.mean([convolutions(cell) for cell in cells[200:]]) > np.mean([convolutions(c) for c in cells[:27]]) + 3


@settings(max_examples=20)
@given(st.integers(2, 20), st.integers(0, 100))
def test_density_of_one_edge_is_a_distribution(n, seed):
    rng = np.random.default_rng(seed)
    data = np.concatenate([np.arange(3), rng.integers(3, size=n)])[:, None]
    total = density(np.arange(3)[:, None], data, np.array([0.4])).sum()
    assert total == pytest.approx(1)


def test_local_search_ends_when_it_knows_every_cell():
    space = NASBench201().without("none").without("avg_pool_3x3").without("nor_conv_1x1")
    cells = asked(LocalSearch(space), convolutions, 2**6)
    assert len(set(cells)) == 2**6
    with pytest.raises(StopIteration):
        asked(LocalSearch(space), convolutions, 2**6 + 1)


def test_random_cell_asks_for_nothing():
    search = RandomCell(SPACE).search(np.random.default_rng(0))
    with pytest.raises(StopIteration) as stop:
        next(search)
    assert SPACE.one_hot(stop.value.value).shape == SPACE.shape


class NotAGenerator(BlackBox):
    def search(self, rng):
        return self.space.random(rng)


class AsksForNonsense(BlackBox):
    def search(self, rng):
        yield ("conv",)


class UsesItsOwnRandomness(BlackBox):
    def search(self, rng):
        own = np.random.default_rng()
        while True:
            yield self.space.random(own)


def test_conformance_finds_what_is_wrong():
    assert "must be a generator" in conformance.problems(NotAGenerator, SPACE)[0]
    assert "must yield cells" in conformance.problems(AsksForNonsense, SPACE)[0]
    found = conformance.examine_black_box(UsesItsOwnRandomness, BENCHMARKS["nasbench201"])
    assert "draw from the given rng only" in found[0]
