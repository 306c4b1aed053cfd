"""Random search with weight sharing (RSPS): train random cells of a supernet, then select the best random candidate.

Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search" (UAI 2019), Section 3.3: every
weight step trains one cell, drawn uniformly; candidates are scored with the shared weights on validation batches.

Default: 100 candidates, one batch each, as in the NAS-Bench-201 baseline (D-X-Y/AutoDL-Projects, RANDOM-NAS).
"""

from typing import final

import numpy as np
import torch
from torch import Tensor

from harness.api import Problem
from harness.benchmarks import Arch, SearchSpace
from harness.search.bases import SampledWeights
from harness.search.simplex import uniform


@final
class RandomSearchWs(SampledWeights):
    paper = "Li, Talwalkar, Random Search and Reproducibility for NAS, UAI 2019"
    family = "random-search-ws"
    centre: Tensor

    def __init__(self, space: SearchSpace, candidates: int = 100) -> None:
        super().__init__(space)
        if candidates < 1:
            raise ValueError("at least one candidate is needed")
        self.candidates = candidates
        self.register_buffer("centre", uniform(space))  # (R, K)

    def distribution(self) -> Tensor:
        return self.centre

    def architecture_step(self, problem: Problem) -> None:
        """Does nothing: there are no architecture parameters."""

    def weights_for_training(self) -> Tensor:
        return torch.from_numpy(self.space.one_hot(self.random_cell())).to(self.centre)

    def derive(self, problem: Problem) -> Arch:
        return self.best((self.random_cell() for _ in range(self.candidates)), problem)

    def random_cell(self) -> Arch:
        return self.space.random(np.random.default_rng(int(torch.randint(2**62, ()))))
