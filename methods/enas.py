"""ENAS: an LSTM controller samples cells; its reward is their validation accuracy with the shared weights.

Pham, Guan, Zoph, Le, Dean, "Efficient Neural Architecture Search via Parameter Sharing" (ICML 2018), Section 2, as the
NAS-Bench-201 baseline runs it (D-X-Y/AutoDL-Projects, ENAS): weight steps train sampled cells; after every epoch the
controller takes 50 REINFORCE steps, each on 20 cells scored in evaluation mode. With the reward R = accuracy / 100 +
1e-4 * entropy and the baseline b of the previous epoch, each cell adds 0.99 (b - R) log p / 20 to the loss; the next
baseline is b + 0.01 (R - b) of the epoch's last cell. In the first epoch there is no baseline and the accuracy is used
instead. The derived cell is the best of 10 samples, in the last epoch of 100. They are scored on 512 images as they
are, in that code on one of the controller's batches of 128, augmented.

Defaults: two LSTM layers of 32 units, tanh constant 2.5, temperature 5; Adam with lr 1e-3, betas (0, 0.999), eps 1e-3;
gradients clipped to norm 5.
The tuned range of lr, ours: two decades around the default.
"""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from harness.api import LogUniform, Problem
from harness.benchmarks import Arch, SearchSpace
from harness.search.bases import SampledWeights


@final
class Enas(SampledWeights):
    paper = "Pham et al., Efficient Neural Architecture Search via Parameter Sharing, ICML 2018"
    family = "enas"
    version = 2  # every step also drew 256 cells, of which nothing came
    tunable: ClassVar = {"lr": LogUniform(1e-4, 1e-2)}
    baseline: Tensor
    next_baseline: Tensor

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 1e-3,
        steps: int = 50,
        samples: int = 20,
        entropy_weight: float = 1e-4,
        decay: float = 0.99,
        candidates: int = 10,
        last_candidates: int = 100,
        units: int = 32,
        tanh_constant: float = 2.5,
        temperature: float = 5.0,
    ) -> None:
        super().__init__(space)
        if min(steps, samples, candidates, last_candidates, units) < 1:
            raise ValueError("steps, samples, candidates, last_candidates and units must be at least 1")
        self.steps, self.samples = steps, samples
        self.entropy_weight, self.decay = entropy_weight, decay
        self.candidates, self.last_candidates = candidates, last_candidates
        self.tanh_constant, self.temperature = tanh_constant, temperature
        self.start = nn.Parameter(torch.empty(1, units).uniform_(-0.1, 0.1))
        self.lstm = nn.LSTM(units, units, num_layers=2)
        self.embedding = nn.Embedding(space.shape[1], units)
        self.logits = nn.Linear(units, space.shape[1])
        first_layer = dict(self.lstm.named_parameters())
        for weight in (
            first_layer["weight_hh_l0"],
            first_layer["weight_ih_l0"],
            self.embedding.weight,
            self.logits.weight,
        ):
            nn.init.uniform_(weight, -0.1, 0.1)
        self.adam = torch.optim.Adam(self.parameters(), lr=lr, betas=(0.0, 0.999), eps=1e-3)
        self.register_buffer("baseline", torch.tensor(torch.nan))
        self.register_buffer("next_baseline", torch.tensor(torch.nan))

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        if space.samples_every_choice:
            return None
        return "the controller samples one option of every choice, which is no cell of this space"

    def sample(self, cells: int) -> tuple[Tensor, Tensor, Tensor]:
        """One-hot operations (cells, R, K), log probabilities (cells,) and summed entropies (cells,)."""
        inputs, state = self.start.expand(cells, -1), None
        rows, log_p, entropy = [], self.start.new_zeros(cells), self.start.new_zeros(cells)
        for options in self.space.lengths:
            output, state = self.lstm(inputs[None], state)
            logits = self.tanh_constant * (self.logits(output[0]) / self.temperature).tanh()
            policy = torch.distributions.Categorical(logits=logits[:, :options], validate_args=False)
            operation = policy.sample()
            log_p, entropy = log_p + policy.log_prob(operation), entropy + policy.entropy()
            rows.append(nn.functional.one_hot(operation, self.space.shape[1]).to(logits))
            inputs = self.embedding(operation)
        return torch.stack(rows, dim=1), log_p, entropy

    @torch.no_grad()
    def distribution(self) -> Tensor:
        """Estimate of the operation probabilities (R, K): frequencies among 256 sampled cells."""
        return self.sample(256)[0].mean(dim=0)

    def before_epoch(self, problem: Problem) -> None:
        self.baseline.copy_(self.next_baseline)

    def architecture_step(self, problem: Problem) -> None:
        """Does nothing: the controller is trained after the epoch."""

    def weights_for_training(self) -> Tensor:
        return self.sample(1)[0][0].detach()

    def after_epoch(self, problem: Problem) -> None:
        for _ in range(self.steps):
            samples = zip(*self.sample(self.samples), strict=True)
            losses = [self.reinforce(problem, *sample) for sample in reversed(list(samples))]
            problem.set_gradient(torch.stack(losses).mean())
            nn.utils.clip_grad_norm_(self.parameters(), 5.0)
            self.adam.step()

    def reinforce(self, problem: Problem, cell: Tensor, log_p: Tensor, entropy: Tensor) -> Tensor:
        """(b - R) log p of one cell (R, K), scored on the next held-out batch; also sets the next baseline."""
        with torch.no_grad():
            accuracy = problem.loss(cell, problem.batch("held_out"), training=False, sampled=True).accuracy
        reward = accuracy / 100 + self.entropy_weight * entropy
        average = self.decay * self.baseline + (1 - self.decay) * reward
        baseline = accuracy / 100 if self.baseline.isnan() else average
        self.next_baseline.copy_(baseline.detach())
        return -log_p * (reward - baseline)

    @torch.no_grad()
    def derive(self, problem: Problem) -> Arch:
        last = problem.epoch == problem.epochs - 1
        cells = self.sample(self.last_candidates if last else self.candidates)[0]
        return self.best((self.space.discretize(cell) for cell in cells), problem)
