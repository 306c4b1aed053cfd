"""Local search: query all neighbours of a cell, move to the best one while it is better, otherwise restart.

White, Nolen, Savani, "Exploring the Loss Landscape in Neural Architecture Search" (UAI 2021), Algorithm 1; neighbours
differ in the operation of one edge. Cells are queried only once.
"""

from collections.abc import Generator
from math import prod
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch, SearchSpace


@final
class LocalSearch(BlackBox):
    paper = "White et al., Exploring the Loss Landscape in NAS, UAI 2021"
    family = "black-box"

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        if type(space).neighbours is SearchSpace.neighbours:
            return "the space does not list the neighbours of an architecture"
        return None if space.categories else "it ends when all architectures are known, whose number is not given"

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        known: dict[Arch, float] = {}
        while len(known) < prod(self.space.categories):
            current = self.space.random(rng)
            better: Arch | None = current
            while better is not None:
                current = better
                for arch in [current, *self.space.neighbours(current)]:
                    if arch not in known:
                        known[arch] = yield arch
                best = max(self.space.neighbours(current), key=known.__getitem__)
                better = best if known[best] > known[current] else None
