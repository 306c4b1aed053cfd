"""Methods against the collapse of DARTS: vectors of the authors' code, and the mathematics behind them."""

from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from harness.benchmarks import BENCHMARKS, DARTS, NASBench201
from harness.data import load, search_data
from harness.experiment import conformance
from harness.search.lanczos import largest_eigenvalue
from harness.search.loop import Search
from harness.search.perturbation import competing_inputs, most_missed, possible_options
from harness.search.simplex import clipped
from methods.beta_darts import BetaDarts
from methods.darts import Darts
from methods.darts_es import DartsEs
from methods.darts_pt import DartsPt
from methods.darts_pt_fixed import DartsPtFixed
from methods.sdarts_adv import SdartsAdv
from methods.sdarts_rs import SdartsRs
from tests.methods.reference import EXACT
from tests.problems import budget, build_supernet, problem_of
from tests.uneven_space import Uneven

EVEN = (0, 2, 4, 6)


@pytest.fixture
def vectors(test_data):
    def of(name):
        with np.load(test_data / "golden" / "newer" / f"{name}.npz", allow_pickle=False) as file:
            return {key: torch.as_tensor(file[key]) for key in file.files if file[key].dtype.kind != "U"}

    return of


def with_alpha(method, alpha):
    method.double()
    with torch.no_grad():
        method.alpha.copy_(alpha)
    return method


# Beta-DARTS ----------------------------------------------------------------------------------------------------------


def test_beta_darts_makes_the_steps_of_the_official_implementation(vectors):
    golden = vectors("beta_darts")
    method = with_alpha(BetaDarts(NASBench201()), golden["alpha"])
    penalty = method.penalty()
    torch.testing.assert_close(penalty, golden["regulariser"], **EXACT)
    torch.testing.assert_close(torch.autograd.grad(penalty, method.alpha)[0], golden["regulariser_grad_alpha"], **EXACT)
    for number, epoch in enumerate(golden["epochs"].tolist()):
        method.before_epoch(SimpleNamespace(epoch=epoch))
        assert method.strength == pytest.approx(golden["strength_at_epoch"][epoch].item(), rel=1e-12)
        loss = (method() * golden["cotangent"]).sum()
        method.zero_grad()
        method.objective(loss, loss).backward()
        torch.testing.assert_close(method.alpha.grad, golden["grad_alpha_at"][number], **EXACT)
        method.step()
        torch.testing.assert_close(method.alpha.detach(), golden["alpha_after"][number], **EXACT)


@pytest.mark.parametrize("space", [NASBench201(), DARTS(), Uneven()], ids=lambda space: space.name)
def test_the_penalty_of_beta_darts_is_a_mean_over_the_edges_of_each_cell_type(space):
    """Its gradient is theta over the number of edges: it shrinks all logits, the largest ones most."""
    method = BetaDarts(space, init_std=1.0).double()
    (gradient,) = torch.autograd.grad(method.penalty(), method.alpha)
    edges = torch.cat([torch.full((rows.stop - rows.start,), rows.stop - rows.start) for rows in space.groups.values()])
    torch.testing.assert_close(gradient, method.distribution().detach() / edges[:, None], **EXACT)


def test_the_architecture_step_of_beta_darts_adds_the_penalty():
    methods = [with_alpha(cls(NASBench201()), torch.ones(6, 5).cumsum(1) / 9) for cls in (Darts, BetaDarts)]
    for method in methods:
        problem = problem_of(method, epoch=1)
        method.before_epoch(problem)
        method.architecture_step(problem)
    darts, beta = (method.alpha.grad for method in methods)
    start = torch.ones(6, 5, dtype=torch.float64).cumsum(1) / 9
    torch.testing.assert_close(beta - darts, 0.5 * start.softmax(-1) / 6, rtol=1e-7, atol=1e-9)


# SDARTS --------------------------------------------------------------------------------------------------------------


class Toy(nn.Module):
    """The supernet of the vectors, which keeps the weights that it is asked for."""

    def __init__(self, golden):
        super().__init__()
        self.register_buffer("kernels", golden["M"])
        self.classifier = nn.Parameter(golden["V"])
        self.asked = []
        self.modes = []

    def forward(self, images, weights, edge_weights, sampled=False):
        self.asked.append(weights.detach().clone())
        self.modes.append(self.training)
        return torch.einsum("bd,ekdh,ek->bh", images.flatten(1), self.kernels, weights).tanh() @ self.classifier


@pytest.mark.parametrize("case", ["adv", "adv_small", "adv_nostart", "restored"])
def test_the_attack_of_sdarts_is_the_official_one(vectors, case):
    golden = vectors("sdarts")
    method = with_alpha(SdartsAdv(NASBench201(), steps=1 if case == "restored" else 7), golden["alpha"])
    method.radius = float(golden[f"{case}_eps"])
    toy = Toy(golden)
    problem = problem_of(method, toy, train=(golden["X"].view(8, 4, 1, 1), golden["y"]))
    theta = golden["restored_theta" if case == "restored" else "theta"]
    delta = golden.get(f"{case}_noise", torch.zeros_like(theta))
    worst = method.worst(problem, theta, delta)
    torch.testing.assert_close(worst, golden[f"{case}_result"], **EXACT)
    trail = toy.asked[case == "adv_nostart" : -1]
    torch.testing.assert_close(torch.stack(trail), golden[f"{case}_trail"], **EXACT)
    assert torch.equal(worst, theta) == bool(golden[f"{case}_restored"])
    assert not any(toy.modes), "in evaluation mode"
    problem.loss(theta, problem.train_batch)
    assert toy.modes[-1], "and the next pass in training mode"


def test_the_attack_raises_the_loss_that_the_weight_step_descends(vectors):
    golden = vectors("sdarts")
    method = with_alpha(SdartsAdv(NASBench201()), golden["alpha"])
    method.radius = 0.3
    toy = Toy(golden)
    problem = problem_of(method, toy, train=(golden["X"].view(8, 4, 1, 1), golden["y"]))
    with torch.no_grad():
        before = problem.loss(method(), problem.train_batch).loss
    toy.modes.clear()
    outcome = method.weight_step(problem)
    assert outcome.loss > before
    assert torch.equal(toy.asked[-1], toy.asked[-3]), "the last of the attack"
    assert toy.modes == [False] * 9 + [True]


@pytest.mark.parametrize("case", ["rs", "rs_small"])
def test_the_perturbation_of_sdarts_is_the_official_one(vectors, case):
    golden = vectors("sdarts")
    method = with_alpha(SdartsRs(NASBench201()), golden["alpha"])
    torch.testing.assert_close(method.distribution().detach(), golden["theta"], **EXACT)
    torch.testing.assert_close(
        clipped(golden["theta"] + golden[f"{case}_noise"], None), golden[f"{case}_result"], **EXACT
    )
    method.radius = float(golden[f"{case}_eps"])
    torch.manual_seed(0)
    delta = torch.empty(6, 5, dtype=torch.float64).uniform_(-method.radius, method.radius)
    torch.manual_seed(0)
    assert torch.equal(method.weights_for_training(), clipped(golden["theta"] + delta, None))


def test_the_projection_of_sdarts_is_the_official_one(vectors):
    golden = vectors("sdarts")
    torch.testing.assert_close(clipped(golden["clip_in"], None), golden["clip_out"], **EXACT)


@pytest.mark.parametrize("cls", [SdartsRs, SdartsAdv])
def test_the_radius_rises_from_epoch_to_epoch(vectors, cls):
    expected = vectors("sdarts")["eps_schedule_nb201_100_epochs"]
    method = cls(NASBench201())
    for epoch, radius in enumerate(expected.tolist()):
        method.before_epoch(SimpleNamespace(epoch=epoch, epochs=100))
        assert method.radius == pytest.approx(radius, rel=1e-12)


@pytest.mark.parametrize("cls", [SdartsRs, SdartsAdv])
def test_the_architecture_step_of_sdarts_is_not_perturbed(cls):
    alphas = []
    for method in (Darts(NASBench201()), cls(NASBench201())):
        with_alpha(method, torch.ones(6, 5).cumsum(1) / 9)
        method.architecture_step(problem_of(method))
        alphas.append(method.alpha.detach())
    assert torch.equal(*alphas)


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([0.03, 0.3, 3.0]))
def test_clipped_rows_are_on_the_simplex_and_rows_of_the_simplex_stay(seed, scale):
    generator = torch.Generator().manual_seed(seed)
    space = Uneven()
    mask = torch.from_numpy(space.mask)
    theta = torch.rand(space.shape, generator=generator, dtype=torch.float64).masked_fill(~mask, 0)
    theta = theta / theta.sum(-1, keepdim=True)
    torch.testing.assert_close(clipped(theta, mask), theta, rtol=1e-14, atol=0)
    result = clipped(theta + scale * torch.randn(theta.shape, generator=generator, dtype=torch.float64), mask)
    assert (result >= 0).all()
    assert not result[~mask].any()
    torch.testing.assert_close(result.sum(-1), torch.ones(4, dtype=torch.float64))
    alone = clipped(torch.full(space.shape, -1.0), mask)
    assert torch.equal(alone[:, 0], torch.ones(4)), "of a row without a positive entry, the first of the largest"


# DARTS-PT ------------------------------------------------------------------------------------------------------------


class Table:
    """The accuracy of the vectors, which keeps the mixtures that it is asked for."""

    def __init__(self, golden):
        self.golden, self.asked, self.answers = golden, [], []

    def __call__(self, weights):
        rows = weights[: len(self.golden["table"])]
        self.asked.append(rows.clone())
        flat = rows.flatten()
        self.answers.append((50 + (self.golden["table"] * rows).sum() + flat @ self.golden["pair"] @ flat).item())
        return self.answers[-1]


@pytest.mark.parametrize("cls", [DartsPt, DartsPtFixed])
@pytest.mark.parametrize("file", ["darts_pt_nb201_acc", "darts_pt_nb201_loss"])
def test_operations_are_selected_as_in_the_official_implementation(vectors, cls, file):
    golden = vectors(file)
    method, table = with_alpha(cls(NASBench201()), golden["alpha"]), Table(golden)
    for edge, operation in zip(golden["edges"].tolist(), golden["operations"].tolist(), strict=True):
        method.decide_choice(edge, table)
        assert method.distribution()[edge].tolist() == [float(k == operation) for k in range(5)]
    torch.testing.assert_close(torch.stack(table.asked), golden["evaluated_weights"], **EXACT)
    asked = torch.tensor(table.answers, dtype=torch.float64)
    torch.testing.assert_close(asked, golden["evaluated_accuracy"], **EXACT)
    assert method.derive(None) == NASBench201().discretize(method.chosen)


def test_inputs_are_selected_as_in_the_official_implementation(vectors):
    """There an input that is left out is judged once more with each that follows, with the same result; and the zero
    operation is a candidate too."""
    golden = vectors("darts_pt_darts_cell")
    method, table = DartsPt(DARTS()).double(), Table(golden)
    method.options = [list(range(8))] * 28
    with torch.no_grad():
        method.alpha[:14] = golden["alpha"]
    for edge, operation in zip(golden["edges"].tolist(), golden["operations"].tolist(), strict=True):
        method.decide_choice(edge, table)
        assert method.distribution()[edge].argmax() == operation
    asked = torch.tensor(table.answers, dtype=torch.float64)
    torch.testing.assert_close(asked, golden["accuracy_operations"], **EXACT)
    for node, kept in zip(golden["nodes"].tolist(), golden["kept"].tolist(), strict=True):
        method.decide_inputs(node, table)
        assert [edge for edge in method.nodes[node][0] if method.kept[edge]] == kept
    first = [*range(3), *range(3, 7), *range(10, 15)]  # of each node
    asked = torch.tensor(table.answers[112:], dtype=torch.float64)
    torch.testing.assert_close(asked, golden["accuracy_edges"][first], **EXACT)


def test_the_cell_has_the_inputs_and_operations_that_were_selected():
    space = DARTS().without("none")
    values = torch.rand(space.shape, generator=torch.Generator().manual_seed(3)) + 0.1
    method = DartsPt(space, init_std=0.0)
    for _ in range(17):
        method.decide(lambda weights: float((values * weights).sum()))
    # The inputs that are kept are equally strong: they come in their own order.
    expected = [
        sorted(cell[place : place + 2], key=itemgetter(1)) for cell in space.discretize(values) for place in EVEN
    ]
    found = [list(cell[place : place + 2]) for cell in method.derive(None) for place in EVEN]
    assert found == expected
    assert int(method.kept.sum()) == 16
    assert method.edge_weights() is method.kept


@pytest.mark.parametrize("cls", [DartsPt, DartsPtFixed])
def test_no_edge_is_decided_for_an_operation_that_no_cell_has(cls):
    """Without the zero operation no accuracy is lost, and of equals the first is chosen."""
    space = DARTS()
    method = cls(space)
    for _ in range(14):
        method.decide(lambda _: 50.0)
    assert method.decided.all()
    assert (method.chosen.argmax(1) == space.operations.index("max_pool_3x3")).all()


def test_every_option_that_an_architecture_can_have_is_a_candidate():
    assert possible_options(DARTS()) == [list(range(1, 8))] * 28
    for space in (NASBench201(), Uneven(), DARTS().without("none")):
        assert possible_options(space) == [list(range(length)) for length in space.lengths]


def test_nodes_that_keep_some_inputs_are_those_of_the_space():
    assert competing_inputs(NASBench201()) == competing_inputs(Uneven()) == []
    cell = [([2, 3, 4], 2), ([5, 6, 7, 8], 2), ([9, 10, 11, 12, 13], 2)]
    assert competing_inputs(DARTS()) == [*cell, *(([14 + edge for edge in edges], keep) for edges, keep in cell)]


def test_of_equally_missed_options_the_first_is_chosen():
    assert most_missed([50.0, 40.0, 40.0, 60.0], 1) == [1]
    assert most_missed([50.0, 40.0, 40.0, 60.0, 50.0], 3) == [1, 2, 0]


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_with_an_accuracy_that_is_a_sum_every_choice_is_its_largest_term(seed):
    """Without interactions selection by perturbation is exact, whatever the order; choices with several options keep
    the largest ones."""
    space = Uneven()
    values = torch.rand(space.shape, generator=torch.Generator().manual_seed(seed)) + 0.1
    method = DartsPt(space, init_std=0.0)
    torch.manual_seed(seed)
    for _ in range(3):
        method.decide(lambda weights: float((values * weights).sum()))
    assert method.decided.all()
    assert method.derive(None) == space.discretize(values * torch.from_numpy(space.mask))
    assert method.distribution()[3].sort().values.tolist() == [0, 0, 0, 0.5, 0.5]


def test_decided_choices_have_no_gradient_and_the_others_those_of_darts():
    start = torch.ones(6, 5).cumsum(1) / 9
    method = with_alpha(DartsPt(NASBench201()), start)
    method.decide_choice(2, lambda weights: float(weights[2, 3]))
    problem = problem_of(method)
    method.architecture_step(problem)
    gradient = method.alpha.grad
    assert not gradient[2].any()
    assert gradient[[0, 1, 3, 4, 5]].all()


def same(_, training):
    """An accuracy, measured with the statistics of the batch."""
    assert training
    return 50.0


def rounds_before_each_epoch(space, epochs, tuning_epochs):
    """How many decisions were taken before each epoch, and with which learning rate it trains."""
    method = DartsPt(space, tuning_epochs=tuning_epochs, tuning_lr_min=1e-3)
    problem = problem_of(method, Smallest(), dtype=torch.float32, epochs=epochs)
    problem.accuracy = same
    found = []
    for problem.epoch in range(epochs):
        problem.weight_optimizer.param_groups[0]["lr"] = problem.parts.protocol.learning_rate_at(problem.epoch)
        method.before_epoch(problem)
        found.append((method.rounds(), problem.weight_optimizer.param_groups[0]["lr"]))
    assert method.decided.all()
    assert not method.open_nodes.any()
    return found, problem.parts.protocol


class Smallest(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))


@pytest.mark.parametrize(
    "space, epochs, tuning_epochs, decided_at",
    [
        (NASBench201(), 125, 25, [0, 5, 10, 15, 20, 24]),
        (DARTS(), 131, 81, list(range(0, 81, 5))),
        (NASBench201(), 15, 25, [0, 2, 3, 4, 5, 6]),  # shorter than the published second phase alone: its half
        (NASBench201(), 3, 25, [0] * 6),
    ],
)
def test_decisions_are_taken_at_the_published_epochs(space, epochs, tuning_epochs, decided_at):
    found, protocol = rounds_before_each_epoch(space, epochs, tuning_epochs)
    second = min(tuning_epochs, epochs // 2) if tuning_epochs >= epochs else tuning_epochs
    first = epochs - second
    assert found[:first] == [(0, protocol.learning_rate_at(epoch)) for epoch in range(first)]
    rounds = [0, *(number for number, _ in found[first:])]
    taken = [epoch for epoch in range(second) for _ in range(rounds[epoch + 1] - rounds[epoch])]
    assert taken == decided_at
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(
        torch.optim.SGD([torch.zeros(1)], lr=2.5e-3), second, eta_min=1e-3
    )
    for _, rate in found[first:]:
        assert rate == pytest.approx(cosine.get_last_lr()[0], rel=1e-9)
        cosine.optimizer.step()
        cosine.step()


def search_of(method, epochs):
    protocol = budget("quick", "nasbench201", "digits", "darts", {"epochs": epochs, "channels": 4, "batch_size": 20})
    data = conformance.few(search_data(load("digits", Path()), True), 40)
    torch.manual_seed(2)
    supernet = build_supernet(method.space, protocol.protocol, data.classes)
    return Search(method, supernet, data, protocol.protocol, 0, torch.device("cpu"))


@pytest.mark.parametrize("cls", [DartsPt, DartsPtFixed])
def test_the_two_phases_and_what_they_cost(cls):
    """Two epochs of training, two of tuning; 40 images of each kind."""
    torch.manual_seed(1)
    method = cls(NASBench201(), tuning_epochs=2)
    start = method.alpha.detach().clone()
    search = search_of(method, 4)
    logs = []
    emptied = []
    for log in search.epochs():
        logs.append(log)
        optimizer = search.parts.weight_optimizer
        emptied.append([optimizer.state[w]["momentum_buffer"].abs().max() for w in optimizer.param_groups[0]["params"]])
    architecture_steps = cls is DartsPt
    for log, decisions in zip(logs, (0, 0, 1, 5), strict=True):
        assert log.backward_images.tolist() == [40 + 40 * architecture_steps, 0, 0]
        assert log.forward_images.tolist() == [40 + 40 * architecture_steps, 0, decisions * 5 * 40 + 40]
    assert [int((log.theta == 1).sum()) for log in logs] == [0, 0, 1, 6]
    assert torch.equal(method.alpha, start) == (cls is DartsPtFixed)


def test_each_space_has_its_method_settings_of_tuning():
    for name in ("darts-pt", "darts-pt-fixed"):
        nasbench201, darts = BENCHMARKS["nasbench201"], BENCHMARKS["darts"]
        protocol = nasbench201.default_protocol("paper", "cifar10", name).protocol
        assert (protocol.epochs, protocol.schedule_epochs) == (100 + 25, 100)
        assert nasbench201.method_settings("paper", "cifar10", name) == {}
        protocol = darts.default_protocol("paper", "cifar10", name).protocol
        assert (protocol.epochs, protocol.schedule_epochs) == (50 + 81, 50)
        assert darts.method_settings("paper", "cifar10", name)["tuning_epochs"] == 81
        assert darts.method_settings("controlled", "cifar10", name) == {}


@pytest.mark.parametrize("space, epochs", [("nasbench201", 7), ("darts", 5), ("nasbench1shot1-1", 7)])
def test_half_of_a_quick_search_is_tuning(space, epochs):
    benchmark = BENCHMARKS[space]
    for name in ("darts-pt", "darts-pt-fixed"):
        protocol = benchmark.default_protocol("quick", "digits", name).protocol
        assert benchmark.method_settings("quick", "digits", name) == {"tuning_epochs": epochs}
        assert epochs == protocol.epochs // 2


def test_tuning_begins_without_momentum():
    method = DartsPt(NASBench201(), tuning_epochs=1)
    problem = problem_of(method, epochs=2, epoch=1)
    for weight in problem.w:
        problem.weight_optimizer.state[weight]["momentum_buffer"] = torch.ones_like(weight)
    method.before_epoch(problem)
    assert not problem.weight_optimizer.state
    assert problem.weight_optimizer.param_groups[0]["lr"] == 2.5e-3


def test_settings_of_tuning_are_checked():
    for bad in ({"tuning_epochs": 0}, {"tuning_lr": 1e-3}, {"tuning_lr_min": 0.0}):
        with pytest.raises(ValueError, match="tuning needs"):
            DartsPt(NASBench201(), **bad)
    with pytest.raises(ValueError, match="no torch"):
        DartsPtFixed(NASBench201()).exchange_optimizers(torch.optim.SGD)


# DARTS-ES ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("series", ["collapse", "flat", "early"])
def test_the_search_stops_where_the_official_one_does_and_goes_back(vectors, series, every):
    golden = {key.removeprefix(f"{series}_{every}_"): value for key, value in vectors("rdarts").items()}
    space = NASBench201()
    method = DartsEs(space, every=every).double()
    values = golden["series"].tolist()
    averages = []
    for epoch in range(0, len(values) - 1, every):  # the last one is not measured
        method, before = DartsEs(space, every=every).double(), method.state_dict()
        method.load_state_dict(before)  # as if resumed
        with torch.no_grad():  # theta says of which epoch it is
            method.alpha.zero_()
            method.alpha[0, 0] = epoch
        method.measured(epoch, torch.tensor(values[epoch], dtype=torch.float64))
        averages.append(method.largest[-5:].nanmean())
        if method.finished():
            break
    assert method.finished() == bool(golden["stopped"])
    torch.testing.assert_close(torch.stack(averages[2:]), golden["local_average"][: len(averages) - 2], **EXACT)
    if method.finished():
        assert epoch == golden["noticed_at"]
        assert len(averages) - 2 == len(golden["local_average"])
        stop_epoch = int(golden["stop_epoch"])
        with torch.no_grad():
            method.alpha[0, 0] = stop_epoch
        torch.testing.assert_close(method.thetas[0], method.distribution().detach(), **EXACT)


@pytest.mark.parametrize("ratio, stops", [(1.29, False), (1.32, True)])
def test_the_threshold_is_that_of_the_code_not_of_the_paper(ratio, stops):
    method = DartsEs(NASBench201(), every=1, first_epoch=2)
    for epoch in range(9):
        method.measured(epoch, torch.tensor(1.0 if epoch < 8 else 1 + 5 * (ratio - 1)))
    assert method.finished() == stops


def test_the_cell_is_the_earlier_one_once_the_search_has_stopped():
    space = NASBench201()
    method = DartsEs(space, every=1, first_epoch=0)
    for epoch in range(7):
        assert not method.finished()
        with torch.no_grad():
            method.alpha.zero_()
            method.alpha[:, min(epoch, 4)] = 1
        assert method.derive(None) == (space.operations[min(epoch, 4)],) * 6
        method.measured(epoch, torch.tensor(2.0**epoch))
    assert method.finished()
    assert method.derive(None) == (space.operations[0],) * 6


def test_weights_that_became_nan_are_not_measured():
    """Else the failure would be that of the eigenvalues."""
    space = NASBench201()
    protocol = budget("quick", "nasbench201", "digits", "darts-es", {"learning_rate": 1e30, "channels": 4}).protocol
    supernet = build_supernet(space, protocol, 10)
    data = conformance.few(search_data(load("digits", Path()), bilevel=True), 20)
    search = Search(DartsEs(space), supernet, data, replace(protocol, batch_size=5), 0, torch.device("cpu"))
    with pytest.raises(FloatingPointError, match="the training loss became nan in epoch 1"):
        next(search.epochs())


class SmoothLoss(nn.Module):
    """The supernet of the vectors: six edges with four operations, six classes."""

    def __init__(self, golden):
        super().__init__()
        self.w = nn.Parameter(golden["hessian_W"].view(6, 4, 6))

    def forward(self, images, weights, edge_weights, sampled=False):
        return (3 * torch.einsum("ek,ekc->c", weights, self.w).tanh()).expand(len(images), -1)


def test_the_hessian_and_its_largest_eigenvalue_are_the_official_ones(vectors):
    golden = vectors("rdarts")
    method = with_alpha(DartsEs(NASBench201().without("none")), golden["hessian_alpha"].view(6, 4))
    batch = torch.zeros(1, 3, 1, 1, dtype=torch.float64), golden["hessian_target"].view(1)
    problem = problem_of(method, SmoothLoss(golden), held_out=batch, epochs=3)
    product = problem.curvature(lambda alpha: alpha.softmax(-1), method.alpha, problem.held_out_batch)
    identity = torch.eye(24, dtype=torch.float64)
    rows = torch.stack([product(row.view(6, 4)).flatten() for row in identity])
    torch.testing.assert_close(rows + 1e-3 * identity, golden["hessian"], **EXACT)
    method.after_epoch(problem)
    torch.testing.assert_close(method.largest[-1], golden["eigenvalue"], **EXACT)


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 12), products=st.integers(1, 12))
def test_lanczos_finds_the_largest_eigenvalue_from_below(seed, size, products):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(size, size, generator=generator, dtype=torch.float64)
    matrix = matrix + matrix.T
    start = torch.randn(size, generator=generator, dtype=torch.float64)
    largest = torch.linalg.eigvalsh(matrix)[-1].item()
    found = largest_eigenvalue(lambda vector: matrix @ vector, start, products).item()
    assert found <= largest + 1e-9
    if products >= size:
        assert found == pytest.approx(largest, rel=1e-6, abs=1e-6)


def test_lanczos_ends_where_the_matrix_has_no_more_eigenvalues():
    asked = []

    def product(vector):
        asked.append(vector)
        return 3 * vector

    assert largest_eigenvalue(product, torch.randn(7, dtype=torch.float64), 5).item() == pytest.approx(3)
    assert len(asked) == 1


@pytest.mark.parametrize("epoch, measured", [(0, True), (1, False), (2, True), (4, False)])
def test_every_second_epoch_but_the_last_is_measured(vectors, epoch, measured):
    golden = vectors("rdarts")
    method = DartsEs(NASBench201().without("none"))
    batch = torch.zeros(1, 3, 1, 1), golden["hessian_target"].view(1)
    method.after_epoch(problem_of(method, SmoothLoss(golden), held_out=batch, epochs=5, epoch=epoch))
    assert bool(method.largest[-1].isfinite()) == measured
