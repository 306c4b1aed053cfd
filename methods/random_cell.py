"""A control: one cell drawn uniformly, without any search; the reference for the benefit of a search.

Yang, Esperança, Carlucci, "NAS evaluation is frustratingly hard" (ICLR 2020), Section 3, compare methods with randomly
sampled architectures in the same way.
"""

from collections.abc import Generator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch


@final
class RandomCell(BlackBox):
    paper = "Yang et al., NAS Evaluation is Frustratingly Hard, ICLR 2020"
    family = "controls"
    queries = False

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, Arch]:
        return self.space.random(rng)
        yield  # makes this a generator that queries nothing
