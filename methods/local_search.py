"""Local search: ask for all neighbours of a cell, move to the best of them while it is better, else restart.

White, Nolen, Savani, "Exploring the Loss Landscape in Neural Architecture Search" (UAI 2021), Algorithm 1; neighbours
differ in the operation of one edge. An accuracy that is known is not asked for again.
"""

from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch


@final
class LocalSearch(BlackBox):
    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        known: dict[Arch, float] = {}
        edges, operations = self.space.shape
        while len(known) < operations**edges:
            here = self.space.random(rng)
            better: Arch | None = here
            while better is not None:
                here = better
                for arch in [here, *self.space.neighbours(here)]:
                    if arch not in known:
                        known[arch] = yield arch
                best = max(self.space.neighbours(here), key=known.__getitem__)
                better = best if known[best] > known[here] else None
