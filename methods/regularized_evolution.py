"""Regularized evolution (REA): mutate the best of a random sample of the population, remove the oldest member.

Real, Aggarwal, Huang, Le, "Regularized Evolution for Image Classifier Architecture Search" (AAAI 2019), Algorithm 1.

Defaults: population 10 and sample 3 (drawn with replacement), the values of the NAS-Bench-201 baseline
(D-X-Y/AutoDL-Projects, R_EA). A mutation is the search space's: on NAS-Bench-201 that of the baseline.
"""

from collections import deque
from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch, SearchSpace


@final
class RegularizedEvolution(BlackBox):
    paper = "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019"
    family = "black-box"
    version = 2

    def __init__(self, space: SearchSpace, population: int = 10, sample: int = 3) -> None:
        super().__init__(space)
        if population < 1 or sample < 1:
            raise ValueError("population and sample must be at least 1")
        self.population = population
        self.sample = sample

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        members: deque[tuple[float, Arch]] = deque(maxlen=self.population)  # oldest first; appending drops it
        while len(members) < self.population:
            arch = self.space.random(rng)
            members.append(((yield arch), arch))
        while True:
            rivals = [members[i] for i in rng.integers(len(members), size=self.sample)]
            parent = max(rivals, key=lambda member: member[0])[1]
            child = self.space.mutate(parent, rng)
            members.append(((yield child), child))
