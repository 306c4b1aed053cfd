"""What a method may use in a step, as mathematics; in double precision on small supernets."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.benchmarks import DARTS, NASBench201
from harness.data import load, search_data
from harness.experiment import conformance
from harness.protocol import FolderProtocol
from harness.search.loop import Search
from harness.search.problem import SupernetProblem
from methods.darts import Darts
from methods.gdas import Gdas
from methods.pc_darts import PcDarts
from tests.problems import budget, build_supernet, problem_of

SPACES = [NASBench201(), DARTS()]
by_name = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


def uniform(space, dtype=torch.float64):
    return torch.full(space.shape, 1 / space.shape[1], dtype=dtype)


def one_hot(space, column):
    return F.one_hot(torch.full(space.shape[:1], column), space.shape[1]).double()


def copies(tensors):
    return [tensor.detach().clone() for tensor in tensors]


def momenta(problem):
    return [problem.weight_optimizer.state[w]["momentum_buffer"].clone() for w in problem.w]


# Gradients -----------------------------------------------------------------------------------------------------------


@by_name
def test_gradients_are_the_derivatives_and_zero_where_there_is_none(space):
    problem = problem_of(Darts(space))
    weights, apart = uniform(space).requires_grad_(), torch.ones(3, requires_grad=True)
    of_weights, of_nothing, *of_w = problem.gradients(
        problem.loss(weights, problem.train_batch).loss, [weights, apart, *problem.w]
    )
    assert torch.equal(of_nothing, torch.zeros(3))
    assert [g.shape for g in of_w] == [w.shape for w in problem.w]
    assert [g.stride() for g in of_w] == [w.stride() for w in problem.w], "as backward leaves them"
    direction = torch.randn(space.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        above, below = (problem.loss(weights + h * direction, problem.train_batch).loss for h in (1e-8, -1e-8))
    assert (of_weights * direction).sum().item() == pytest.approx((above - below).item() / 2e-8, rel=1e-5)


@by_name
def test_curvature_is_the_derivative_of_the_gradient(space):
    """Between two points so near that no activation changes its side; single precision differs by its rounding."""
    problem = problem_of(Darts(space))
    generator = torch.Generator().manual_seed(1)
    alpha, direction = torch.randn(2, *space.shape, generator=generator, dtype=torch.float64)
    before = copies(problem.w)

    def gradient(step):
        x = (alpha + step * direction).requires_grad_()
        return problem.gradients(problem.loss(x.softmax(-1), problem.train_batch).loss, [x])[0]

    expected = (gradient(1e-6) - gradient(-1e-6)) / 2e-6
    counted = problem.counter.images.copy()
    product = problem.curvature(lambda x: x.softmax(-1), alpha, problem.train_batch)
    assert torch.allclose(product(direction), expected, rtol=1e-5, atol=1e-9)
    assert torch.equal(product(direction), product(direction))
    images = len(problem.train_batch[1])
    assert (problem.counter.images - counted).tolist() == [[images, 0, 0], [(1 + 3) * images, 0, 0]]
    assert all(map(torch.equal, problem.w, before))
    assert all(w.requires_grad for w in problem.w)


def test_set_gradient_clears_fills_and_takes_gradients_too():
    method = Darts(SPACES[0])
    problem = problem_of(method)
    problem.set_gradient((method.alpha * 3).sum())
    problem.set_gradient((method.alpha * 2).sum())
    assert torch.equal(method.alpha.grad, torch.full_like(method.alpha, 2))
    problem.set_gradient([torch.full_like(method.alpha, 5)])
    assert torch.equal(method.alpha.grad, torch.full_like(method.alpha, 5))
    assert all(w.grad is None for w in problem.w)


def test_set_gradient_clips_all_parameters_together_where_the_protocol_says_so():
    method = PcDarts(SPACES[1])
    problem = problem_of(method)
    problem.parts.protocol = budget("paper", "darts", "imagenet", "pc-darts", {"architecture_clip": 2.0}).protocol
    assert isinstance(problem.parts.protocol, FolderProtocol)
    problem.set_gradient(100 * (method.alpha.sum() + method.beta.sum()))
    norm = torch.cat([method.alpha.grad.flatten(), method.beta.grad]).norm()
    assert norm.item() == pytest.approx(2.0, rel=1e-4)


# The weight step -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [0.0, 0.1])
def test_update_is_a_clipped_step_of_sgd(clip):
    problem = problem_of(Darts(SPACES[0]), gradient_clip=clip)
    twins = [nn.Parameter(w.detach().clone()) for w in problem.w]
    settings = {key: problem.weight_optimizer.defaults[key] for key in ("lr", "momentum", "nesterov", "weight_decay")}
    optimizer = torch.optim.SGD(twins, **settings)
    for _ in range(2):
        gradients = problem.gradients(problem.loss(uniform(SPACES[0]), problem.train_batch).loss, problem.w)
        norm = torch.cat([g.flatten() for g in gradients]).norm()
        for twin, gradient in zip(twins, gradients, strict=True):
            twin.grad = gradient * (min(1, clip / (norm + 1e-6)) if clip else 1)
        problem.update(gradients)
        optimizer.step()
    assert settings["weight_decay"] > 0
    for w, twin in zip(problem.w, twins, strict=True):
        torch.testing.assert_close(w, twin, rtol=1e-12, atol=1e-14)


def test_frozen_weights_and_their_momentum_do_not_move_and_do_not_count():
    space = SPACES[0]
    problem = problem_of(Darts(space), gradient_clip=0.1)
    other = problem_of(Darts(space), gradient_clip=0.1)
    frozen = [part for (_, edge, name), part in problem.operations().items() if edge == 2 and name == "nor_conv_3x3"]
    frozen = [part for parts in frozen for part in parts]
    assert len(frozen) == 3
    for step in range(2):
        before, momentum = copies(problem.w), momenta(problem) if step else None
        gradients = problem.gradients(problem.loss(uniform(space), problem.train_batch).loss, problem.w)
        without = [g.clone() for g in gradients]
        for index, rows in frozen:
            without[index][rows] = 0
        problem.update(gradients, frozen=frozen)
        other.update(without)
        for index, rows in frozen:
            assert torch.equal(problem.w[index][rows], before[index][rows])
            after = momenta(problem)[index][rows]
            assert torch.equal(after, momentum[index][rows] if step else torch.zeros_like(after))
        for index, (w, twin) in enumerate(zip(problem.w, other.w, strict=True)):
            free = torch.ones(len(w), dtype=torch.bool)
            for place, rows in frozen:
                if place == index:
                    free[rows] = False
            assert torch.equal(w[free], twin[free])
            assert not torch.equal(w[free], before[index][free])
        for twin, w in zip(other.w, problem.w, strict=True):
            twin.data.copy_(w)


def test_unsampled_operations_decay_and_keep_their_momentum():
    space = SPACES[0]
    problem = problem_of(Gdas(space))
    for _ in range(2):
        before = copies(problem.w)
        outcome = problem.loss(
            one_hot(space, space.operations.index("nor_conv_1x1")), problem.train_batch, sampled=True
        )
        problem.update(problem.gradients(outcome.loss, problem.w))
    (index, rows), *_ = problem.operations()[0, 0, "nor_conv_3x3"]
    decay, lr = problem.parts.protocol.weight_decay, problem.weight_optimizer.param_groups[0]["lr"]
    assert problem.parts.protocol.nesterov
    first, second = before[index][rows] / (1 - 1.9 * lr * decay), before[index][rows]
    buffer = 0.9 * decay * first + decay * second
    expected = second - lr * (decay * second + 0.9 * buffer)
    torch.testing.assert_close(problem.w[index].detach()[rows], expected, rtol=1e-12, atol=0)


def test_shifted_weights_come_back_bit_for_bit():
    problem = problem_of(Darts(SPACES[1]))
    before = copies(problem.w)
    direction = [torch.randn_like(w) for w in before]
    with problem.shifted(direction, torch.tensor(0.3, dtype=torch.float64)):
        for w, start, step in zip(problem.w, before, direction, strict=True):
            torch.testing.assert_close(w.detach(), start + 0.3 * step, rtol=1e-14, atol=1e-16)
    assert all(map(torch.equal, problem.w, before))
    with pytest.raises(KeyError), problem.shifted(direction, -1e9):
        raise KeyError
    assert all(map(torch.equal, problem.w, before))


# Forward -------------------------------------------------------------------------------------------------------------


def statistics(problem):
    return {name: x.clone() for name, x in problem.supernet.named_buffers()}


@by_name
def test_evaluation_mode_uses_and_leaves_the_running_statistics(space):
    problem = problem_of(Darts(space))
    before = statistics(problem)
    evaluated = problem.loss(uniform(space), problem.train_batch, training=False)
    problem.accuracy(uniform(space))
    assert all(torch.equal(x, before[name]) for name, x in statistics(problem).items())
    trained = problem.loss(uniform(space), problem.train_batch)
    assert not torch.allclose(trained.loss, evaluated.loss)
    assert any(not torch.equal(x, before[name]) for name, x in statistics(problem).items())


@by_name
def test_accuracy_of_an_architecture_is_that_of_its_operations_alone(space):
    problem = problem_of(Darts(space))
    arch = space.discretize(torch.rand(space.shape, generator=torch.Generator().manual_seed(3)))
    weights = torch.from_numpy(space.one_hot(arch))
    batch = problem.train_batch
    expected = problem.loss(weights, batch, training=False, sampled=True).accuracy.item()
    assert problem.accuracy(arch, batch) == pytest.approx(expected, rel=1e-5)
    with_batch_statistics = problem.loss(uniform(space), batch).accuracy.item()
    assert problem.accuracy(uniform(space), batch, training=True) == pytest.approx(with_batch_statistics, rel=1e-5)
    held_out = problem.loss(uniform(space), problem.held_out_batch, training=False).accuracy.item()
    assert problem.accuracy(uniform(space)) == pytest.approx(held_out, rel=1e-5), "all validation images"


@by_name
def test_weights_that_are_not_one_hot_are_not_taken_for_sampled(space):
    problem = problem_of(Darts(space))
    with pytest.raises(ValueError, match="must be one-hot in every row"):
        problem.loss(uniform(space), problem.train_batch, sampled=True)


@by_name
def test_cells_may_have_mixtures_of_their_own(space):
    """The shared mixture's gradient is the sum of the cells'; a cell's own mixture changes that cell only."""
    problem = problem_of(Darts(space))
    batch, cells = problem.train_batch, len(problem.cells)
    shared = uniform(space).requires_grad_()
    each = uniform(space).expand(cells, -1, -1).clone().requires_grad_()
    together, apart = problem.loss(shared, batch).loss, problem.loss(each, batch).loss
    assert apart.item() == pytest.approx(together.item(), rel=1e-12)
    (of_shared,), (of_each,) = problem.gradients(together, [shared]), problem.gradients(apart, [each])
    torch.testing.assert_close(of_each.sum(dim=0), of_shared, rtol=1e-9, atol=1e-12)
    for number, rows in enumerate(problem.cells):
        unread = torch.ones(space.shape[0], dtype=torch.bool)
        unread[rows] = False
        assert not of_each[number, unread].any()
        assert of_each[number, rows].any()
    with pytest.raises(ValueError, match="the same in all cells"):
        problem.loss(each, batch, sampled=True)


def test_edge_weights_are_one_unless_given():
    space = SPACES[0]
    problem = problem_of(Darts(space))
    plain = problem.loss(uniform(space), problem.train_batch).loss
    ones = problem.loss(uniform(space), problem.train_batch, edge_weights=torch.ones(6, dtype=torch.float64)).loss
    halves = problem.loss(uniform(space), problem.train_batch, edge_weights=torch.full((6,), 0.5).double()).loss
    assert plain.item() == ones.item() != halves.item()


def test_fp32_is_single_precision_whatever_the_protocol_says():
    space, losses = SPACES[0], {}
    for precision in ("fp32", "bf16"):
        problem = problem_of(Darts(space), dtype=torch.float32, precision=precision)
        weights = uniform(space, torch.float32)
        losses[precision] = problem.loss(weights, problem.train_batch).loss.item()
        losses[f"{precision}, forced"] = problem.loss(weights, problem.train_batch, fp32=True).loss.item()
    assert losses["fp32"] == losses["bf16, forced"] == losses["fp32, forced"] != losses["bf16"]


# Parts of the supernet -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [Darts, PcDarts])
@by_name
def test_an_operations_weights_are_those_that_move_when_it_alone_runs(space, method):
    problem = problem_of(method(space))
    parts = problem.operations()
    owned = [torch.zeros(len(w), dtype=torch.int64) for w in problem.w]
    for index, rows in (part for parts_of_one in parts.values() for part in parts_of_one):
        owned[index][rows] += 1
    assert all((count <= 1).all() for count in owned), "no weight has two owners"
    for column, name in enumerate(space.operations):
        loss = problem.loss(one_hot(space, column), problem.train_batch, sampled=True).loss
        gradients = problem.gradients(loss, problem.w)
        for (_, _, other), places in parts.items():
            moved = any(gradients[index][rows].abs().max() > 0 for index, rows in places)
            assert moved == (other == name), (name, other)
        for gradient, count in zip(gradients, owned, strict=True):
            if count.any():
                chosen = torch.zeros(len(count), dtype=torch.bool)
                for (_, _, other), places in parts.items():
                    for index, rows in places:
                        if other == name and problem.w[index].shape == gradient.shape and gradients[index] is gradient:
                            chosen[rows] = True
                assert gradient[~chosen].abs().sum() == 0


@by_name
def test_cells_read_the_rows_whose_operations_they_hold(space):
    problem = problem_of(Darts(space))
    cells = problem.cells
    assert len(cells) == 3
    assert {cell for cell, _, _ in problem.operations()} == {0, 1, 2}
    for cell, row, _ in problem.operations():
        assert cells[cell].start <= row < cells[cell].stop
    if space.name == "darts":  # three cells, of which the second and the third reduce
        assert cells == [slice(0, 14), slice(14, 28), slice(14, 28)]


# Data ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def search():
    space = NASBench201()
    data = conformance.few(search_data(load("digits", Path()), True), 25)
    protocol = budget("quick", "nasbench201", "digits", "darts", {"batch_size": 10, "epochs": 3}).protocol
    torch.manual_seed(0)
    return Search(Darts(space), build_supernet(space, protocol, 10), data, protocol, 0, torch.device("cpu"))


def test_an_iteration_has_one_pair_of_batches_drawn_when_asked_for(search):
    problem = search.problem(epoch=0)
    for outside in ("train_batch", "held_out_batch"):
        with pytest.raises(RuntimeError, match="belongs to an iteration"):
            getattr(problem, outside)
    seen, held_out = [], []
    for iteration, _ in enumerate(problem.pairs()):
        assert (problem.iteration, problem.iterations) == (iteration, 3)
        assert problem.train_batch is problem.train_batch
        seen.append(problem.train_batch[1])
        if iteration != 1:
            held_out.append(problem.held_out_batch)
    with pytest.raises(RuntimeError, match="belongs to an iteration"):
        _ = problem.train_batch
    assert torch.equal(torch.cat(seen).sort().values, search.parts.data.train.labels.sort().values)
    again = search.problem(epoch=0)
    further = [again.batch("held_out") for _ in held_out]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(held_out, further, strict=True)), "one stream, drawn lazily"
    assert not torch.equal(search.problem(epoch=1).batch("held_out")[0], held_out[0][0])


def images_of(images):
    return {tuple(image.flatten().tolist()) for image in images}


def test_further_batches_have_the_source_size_and_augmentation_that_is_asked_for(search):
    problem, data = search.problem(epoch=0), search.parts.data
    raw = {}
    for name, images in (("train", data.train), ("held_out", data.validation)):
        pixels = (images.pixels.float() - data.mean[0]) / data.std[0]
        raw[name] = images_of(pixels.expand(-1, 3, -1, -1))
    assert not raw["train"] & raw["held_out"]
    for source, of in (("train", "train"), ("held_out", "held_out"), ("validation", "held_out")):
        plain = problem.batch(source, size=7, augmented=False)[0]
        assert len(plain) == 7
        assert images_of(plain) <= raw[of]
        augmented = problem.batch(source, size=25, augmented=True)[0]
        assert not images_of(augmented) <= raw[of]
    assert len(problem.batch("train")[1]) == 10
    assert len(problem.batch("validation")[1]) == 25
    assert images_of(problem.batch("validation")[0]) == raw["held_out"]
    first, second = problem.batch("train", 5), problem.batch("train", 5)
    assert not torch.equal(first[0], second[0])
    again = SupernetProblem(search.parts, epoch=0)
    assert torch.equal(again.batch("train", 5)[0], first[0])
