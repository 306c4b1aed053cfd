"""A control: one cell drawn uniformly, without any search. What a search is worth shows only against it.

Yang, Esperança, Carlucci, "NAS evaluation is frustratingly hard" (ICLR 2020), Section 3, compare methods with randomly
sampled architectures in this way.
"""

from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch


@final
class RandomCell(BlackBox):
    def search(self, rng: np.random.Generator) -> Generator[Arch, float, Arch]:
        return self.space.random(rng)
        yield  # a generator that asks for nothing
