"""The one-shot network against its textbook version, discrete networks, and what it says of itself."""

import copy
import functools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from harness.benchmarks.nasbench1shot1.space import OPERATIONS, Space1, Space2, Space3
from harness.benchmarks.nasbench1shot1.supernet import NASBench1Shot1Supernet
from tests.nasbench1shot1.textbook import Textbook, pairs

SPACES = [Space1(), Space2(), Space3()]
by_space = pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)


def build(space, partial=1, cells=3, channels=4, seed=0):
    torch.manual_seed(seed)
    network = NASBench1Shot1Supernet(space, channels, cells, 10, partial_channels=partial).double()
    for name, parameter in network.named_parameters():
        if "norm" in name:  # else a wrong scale or shift could hide
            nn.init.uniform_(parameter, 0.5, 1.5)
    return network


def images(seed=1, side=8):
    return torch.randn(5, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(space, seed=2):
    logits = torch.randn(space.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return logits.masked_fill(~torch.from_numpy(space.mask), -torch.inf).softmax(dim=-1)


def random_cell(space, seed):
    return space.random(np.random.default_rng(seed))


def one_hot(space, arch):
    return torch.from_numpy(space.one_hot(arch))


def ones(space):
    return torch.ones(space.shape[0]).double()


@by_space
@pytest.mark.parametrize("partial", [1, 2])
def test_it_is_the_textbook_network_in_value_and_every_gradient(space, partial):
    network = build(space, partial)
    textbook = Textbook(space.parents, 4, 3, 10, partial).double()
    with torch.no_grad():
        matched = list(pairs(network, textbook))
        for _, ours, rows, theirs in matched:
            theirs.copy_(ours[rows])
    covered = sum(theirs.numel() for *_, theirs in matched if isinstance(theirs, nn.Parameter))
    assert covered == sum(parameter.numel() for parameter in network.parameters())
    theta = [mixture(space).requires_grad_() for _ in range(2)]
    logits = network(images(), theta[0], ones(space)), textbook(images(), theta[1])
    assert_close(*logits)
    for output in logits:
        F.cross_entropy(output, torch.arange(5)).backward()
    assert_close(theta[0].grad, theta[1].grad)
    assert not theta[0].grad[~torch.from_numpy(space.mask)].any()
    for name, ours, rows, theirs in matched:
        if isinstance(theirs, nn.Parameter):
            assert theirs.grad.any(), name
            assert_close(ours.grad[rows], theirs.grad, msg=name)
        else:
            assert_close(ours[rows], theirs, msg=name)  # running statistics
    network.eval(), textbook.eval()
    assert_close(network(images(3), theta[0], ones(space)), textbook(images(3), theta[1]))


def discrete(network, arch, x):
    """The network of one cell with the supernet's weights: pruned blocks and channels that are not concatenated do not
    exist."""
    operations, parents = arch
    last = len(parents)
    needed, border = {last}, [last]
    while border:
        for parent in set(parents[border.pop() - 1]) - needed - {0}:
            needed.add(parent)
            border.append(parent)
    x, kept = network.stem(x), None
    for number, cell in enumerate(network.cells):
        if number in (len(network.cells) // 3, 2 * len(network.cells) // 3):
            x = F.max_pool2d(x, 2, 2, 1)
        weight, norm = cell.projections.convolution.weight, cell.projections.norm
        width = len(weight) // last
        if kept is not None:
            weight = weight.unflatten(1, (last, -1))[:, kept].flatten(1, 2)

        def projected(place, x=x, weight=weight, norm=norm, width=width):
            rows = slice(place * width, (place + 1) * width)
            y = F.conv2d(x, weight[rows])
            return F.relu(F.batch_norm(y, None, None, norm.weight[rows], norm.bias[rows], True, 0, norm.eps))

        states = {}
        for node in sorted(needed - {last}):
            incoming = [projected(node - 1) if parent == 0 else states[parent] for parent in parents[node - 1]]
            states[node] = cell.blocks[node - 1].operations[operations[node - 1]](sum(incoming))
        kept = list(parents[last - 1])
        x = torch.cat([projected(last - 1) if parent == 0 else states[parent] for parent in kept], dim=1)
    weight = network.last.weight.unflatten(1, (last, -1))[:, kept].flatten(1, 2)
    return network.classifier(network.last_norm(F.conv2d(F.relu(x), weight)).mean(dim=(2, 3)))


@by_space
def test_one_hot_weights_are_the_discrete_network(space):
    for seed in range(3):
        network, arch = build(space), random_cell(space, seed)
        weights = one_hot(space, arch)
        expected = discrete(copy.deepcopy(network), arch, images())
        assert_close(copy.deepcopy(network)(images(), weights, ones(space)), expected, msg=str(arch))
        assert_close(network(images(), weights, ones(space), sampled=True), expected, msg=str(arch))


@pytest.mark.parametrize("partial", [1, 2])
def test_sampled_runs_the_chosen_operations_and_adds_the_other_weights_as_numbers(partial):
    space = Space2()
    weights = one_hot(space, random_cell(space, 1)).requires_grad_()
    network, calls, outputs = build(space, partial), [], [[] for _ in range(space.blocks)]

    def keep(_block, _inputs, output, number):
        output.retain_grad()
        outputs[number].append(output)

    for cell in network.cells:
        for number, block in enumerate(cell.blocks):
            block.register_forward_hook(functools.partial(keep, number=number))
            for name, operation in block.operations.items():
                operation.register_forward_hook(lambda *_, key=(number, name): calls.append(key))
    network(images(), weights, ones(space), sampled=True).square().sum().backward()
    chosen = weights[: space.blocks].argmax(dim=1).tolist()
    assert calls == [(number, OPERATIONS[k]) for number, k in enumerate(chosen)] * len(network.cells)
    added = [sum(output.grad[:, ::partial].sum() for output in of_block) for of_block in outputs]
    sampled_gradient, weights.grad = weights.grad, None
    build(space, partial)(images(), weights, ones(space)).square().sum().backward()
    expected = weights.grad  # of the chosen operations, and of all inputs
    for number, k in enumerate(chosen):
        others = [other for other in range(3) if other != k]
        expected[number, others] = added[number]
    assert_close(sampled_gradient, expected)
    assert (sampled_gradient[1 : space.blocks, :3].abs() > 1e-6).all()  # of block 1, batch norms cancel what is added


def test_cells_can_have_mixtures_of_their_own():
    space, network = Space1(), build(Space1())
    theta = mixture(space)
    assert_close(network(images(), theta.repeat(3, 1, 1), ones(space)), network(images(), theta, ones(space)))
    several = torch.stack([mixture(space, seed) for seed in range(3)])
    gradients = []
    for weights in (several, several.flip(0)):
        weights = weights.clone().requires_grad_()
        network(images(), weights, ones(space)).square().sum().backward()
        assert weights.grad.abs().sum(dim=(1, 2)).all()
        gradients.append(weights.grad)
    assert not torch.allclose(*gradients)
    assert network.cell_rows() == [slice(0, 7)] * 3


@by_space
@pytest.mark.parametrize("sampled", [False, True])
def test_multiply_adds_are_those_of_the_modules_that_run(space, sampled):
    network, total = build(space, partial=2), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda m, _, out: total.append(out[0].numel() * m.weight[0].numel()))
    weights = one_hot(space, random_cell(space, 1)) if sampled else mixture(space)
    with torch.no_grad():
        network(images(side=10), weights, ones(space), sampled)
    shared, operations = network.multiply_adds(10, 10)
    assert shared + (operations * weights if sampled else operations).sum() == sum(total)


def test_weights_of_an_operation_are_its_own():
    """Without an operation's entry of theta, its weights and no others of its block lose their gradient."""
    space, network = Space3(), build(Space3())
    parameters = dict(network.named_parameters())
    rows = network.operation_rows()
    assert len(rows) == 3 * 5 * 2
    theta = mixture(space)
    theta[2, 1] = 0  # the 3x3 convolution of block 3
    network(images(), theta, ones(space)).square().sum().backward()
    for (_, row, name), parts in rows.items():
        for part, _ in parts:
            assert parameters[part].grad.any() == ((row, name) != (2, OPERATIONS[1])), part


def test_channels_must_divide():
    with pytest.raises(ValueError, match="cannot be divided"):
        NASBench1Shot1Supernet(Space1(), 6, 3, 10, partial_channels=4)
