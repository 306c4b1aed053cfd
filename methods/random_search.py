"""Random search: query uniformly drawn cells.

Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization" (JMLR 2012); a baseline of the NAS-Bench-201 paper
(Dong and Yang, ICLR 2020), Section 5.
"""

from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch


@final
class RandomSearch(BlackBox):
    paper = "Bergstra, Bengio, Random Search for Hyper-Parameter Optimization, JMLR 2012"
    family = "black-box"

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        while True:
            yield self.space.random(rng)
