"""Random search with weight sharing (RSPS): train random cells of a supernet, then take the best of random candidates.

Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search" (UAI 2019), Section 3.3: every
weight step trains one cell, drawn uniformly; candidates are scored with the shared weights on validation batches.

Default: 100 candidates, one batch each, of the NAS-Bench-201 baseline (D-X-Y/AutoDL-Projects, RANDOM-NAS).
"""

from typing import final

import numpy as np
import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import Arch, SearchSpace
from harness.search.bases import SampledWeights


@final
class RandomSearchWs(SampledWeights):
    uniform: Tensor

    def __init__(self, space: SearchSpace, candidates: int = 100) -> None:
        super().__init__(space)
        if candidates < 1:
            raise ValueError("at least one candidate is needed")
        self.candidates = candidates
        self.register_buffer("uniform", torch.full(space.shape, 1 / space.shape[1]))  # (R, K)

    def distribution(self) -> Tensor:
        return self.uniform

    def architecture_step(self, problem: Problem) -> None:
        """None: nothing is learned."""

    def weights_for_training(self) -> Tensor:
        return torch.from_numpy(self.space.one_hot(self.random_cell())).to(self.uniform)

    def derive(self, problem: Problem) -> Arch:
        return self.best((self.random_cell() for _ in range(self.candidates)), problem)

    def random_cell(self) -> Arch:
        return self.space.random(np.random.default_rng(int(torch.randint(2**62, ()))))
