"""Random search: ask for cells drawn uniformly.

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
    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        while True:
            yield self.space.random(rng)
