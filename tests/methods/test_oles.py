"""OLES against the similarities, sums and freezings of the authors' code on given gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from harness.benchmarks import NASBench201
from harness.search.agreement import similarities
from methods.darts import Darts
from methods.oles import Oles
from tests.methods.reference import EXACT, vectors
from tests.problems import FewOperations, problem_of

OPERATIONS = {"sep": 4, "dil": 2}
"""Name in the vectors -> number of tensors."""
KINDS = ("train", "valid")


@pytest.fixture
def golden(test_data):
    return vectors(test_data, "oles")


def gradients(golden, name, kind, step):
    return [golden[f"{name}_{kind}_{i}"][step] for i in range(OPERATIONS[name])]


@pytest.mark.parametrize("name", OPERATIONS)
def test_similarities_are_the_official_ones(golden, name):
    parts = [(index, slice(None)) for index in range(OPERATIONS[name])]
    for step in range(len(golden[f"{name}_count"])):
        train, held_out = (gradients(golden, name, kind, step) for kind in KINDS)
        both = [t + v for t, v in zip(train, held_out, strict=True)]
        torch.testing.assert_close(similarities(train, both, [parts])[0], golden[f"{name}_sim_code"][step], **EXACT)
        torch.testing.assert_close(
            similarities(train, held_out, [parts])[0], golden[f"{name}_sim_clean"][step], **EXACT
        )


def test_sums_counts_and_freezing_are_the_official_ones(golden):
    """Two operations side by side; what the official code stops counting, ours counts on without an effect."""
    method = Oles(NASBench201(), threshold=float(golden["threshold"]), window=int(golden["window"])).double()
    method.operations = [[(i, slice(None)) for i in range(4)], [(4 + i, slice(None)) for i in range(2)]]
    for step in range(66):
        method.compare(*([g for name in OPERATIONS for g in gradients(golden, name, kind, step)] for kind in KINDS))
        for place, name in enumerate(OPERATIONS):
            frozen = bool(golden[f"{name}_frozen"][step])
            assert (place in method.frozen) == frozen, (name, step)
            if not frozen:
                sums = method.sums.double().expand(len(OPERATIONS))  # 0 at first
                torch.testing.assert_close(sums[place], golden[f"{name}_avg"][step], **EXACT)
                assert method.count == golden[f"{name}_count"][step]
    assert golden["sep_frozen"].any() != golden["dil_frozen"].any(), "one of the two is frozen"


def test_the_papers_statistic_leaves_out_the_training_gradient(golden):
    for statistic, column in (("code", "sep_sim_code"), ("paper", "sep_sim_clean")):
        method = Oles(NASBench201(), statistic=statistic).double()
        method.operations = [[(i, slice(None)) for i in range(4)]]
        method.compare(*(gradients(golden, "sep", kind, 0) for kind in KINDS))
        torch.testing.assert_close(method.sums[0], golden[column][0], **EXACT)
    with pytest.raises(ValueError, match="code or paper"):
        Oles(NASBench201(), statistic="clean")


def test_sums_of_one_more_than_the_window_are_divided_by_the_window_and_freezing_is_for_good():
    """Three operations with given cosines: of 0.38, 21 times make 0.399 of 20, of 0.39 they make 0.4095."""
    method = Oles(NASBench201(), statistic="paper").double()
    method.operations = [[(place, slice(None))] for place in range(3)]

    def window(*cosines):
        turned = [torch.tensor([c, (1 - c * c) ** 0.5], dtype=torch.float64) for c in cosines]
        for _ in range(21):
            method.compare([torch.tensor([1.0, 0.0], dtype=torch.float64)] * 3, turned)

    window(0.38, 0.39, 1.0)
    assert method.frozen == [0]
    window(1.0, 0.39, 0.38)
    assert method.frozen == [0, 2]


@pytest.mark.parametrize("space", [NASBench201(), FewOperations.full_space], ids=lambda space: space.name)
def test_gradients_of_both_steps_are_compared_and_frozen_operations_stand_still(space):
    problem = problem_of(Oles(space, lr=0.0, threshold=9.0, window=1), gradient_clip=0.1)  # no sum reaches it
    method = problem.parts.method
    method.before_epoch(problem)
    assert len(method.operations) == sum(name != "skip_connect" for _, _, name in problem.operations())
    method.architecture_step(problem)
    assert method.count == 0, "nothing is compared before the first weight step"
    method.weight_step(problem)
    norm = torch.stack([g.norm() for g in method.last]).norm()
    assert norm.item() == pytest.approx(0.1, rel=1e-4), "after clipping"
    method.architecture_step(problem)
    assert method.count == 1
    last = method.last
    method.before_epoch(problem)
    method.architecture_step(problem)
    assert method.count == 1, "nothing is compared across the border of an epoch"
    method.last = last
    held_out = problem.gradients(problem.loss(method(), problem.held_out_batch).loss, problem.w)
    other = [t + v for t, v in zip(method.last, held_out, strict=True)]
    expected = torch.stack(
        [
            torch.stack(
                [cosine_similarity(method.last[i][rows], other[i][rows], dim=0).mean() for i, rows in parts]
            ).mean()
            for parts in method.operations
        ]
    )
    torch.testing.assert_close(method.sums, expected, rtol=1e-9, atol=1e-12)
    method.weight_step(problem)
    method.architecture_step(problem)
    assert method.frozen == list(range(len(method.operations)))
    assert method.count == 0
    watched = [part for parts in method.operations for part in parts]
    before = [w.detach().clone() for w in problem.w]
    method.weight_step(problem)
    for index, rows in watched:
        assert torch.equal(problem.w[index][rows], before[index][rows])
    indices = {index for index, _ in watched}
    assert all(
        not torch.equal(w, old) for i, (w, old) in enumerate(zip(problem.w, before, strict=True)) if i not in indices
    )


def test_is_darts_until_something_is_frozen():
    trained = []
    for cls in (Oles, Darts):
        torch.manual_seed(3)
        problem = problem_of(cls(NASBench201()))
        method = problem.parts.method
        method.before_epoch(problem)
        for _ in range(2):
            method.architecture_step(problem)
            method.weight_step(problem)
        trained.append([method.alpha, *problem.w])
    for ours, theirs in zip(*trained, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_a_checkpoint_holds_sums_count_and_what_is_frozen():
    problem = problem_of(Oles(NASBench201()))
    method = problem.parts.method
    method.before_epoch(problem)
    method.weight_step(problem)
    method.architecture_step(problem)
    method.frozen = [3]
    other = Oles(NASBench201()).double()
    other.load_state_dict(method.state_dict())
    other.before_epoch(problem)
    assert torch.equal(other.sums, method.sums)
    assert (other.count, other.frozen) == (method.count, method.frozen)
    assert other.last is None, "no comparison across the border of an epoch"


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_the_papers_similarity_does_not_depend_on_lengths_and_that_of_equal_gradients_is_one(seed, factor):
    generator = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(4, 2, 3, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    parts = [(0, slice(0, 2)), (0, slice(2, 4))]
    found = similarities([first], [second], [parts])
    assert -1 <= found <= 1
    torch.testing.assert_close(similarities([factor * first], [second], [parts]), found, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(similarities([first], [first], [parts]), torch.ones(1).double(), rtol=1e-6, atol=1e-6)
    assert similarities([first], [-first], [parts]) < -0.99
