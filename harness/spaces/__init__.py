"""Search spaces as pure data: edges, operations, sampling, discretisation, strings. No torch."""

from harness.spaces.darts import DARTS
from harness.spaces.nasbench201 import NASBench201
from harness.spaces.space import Arch, SearchSpace

SPACES: dict[str, type[SearchSpace]] = {"nasbench201": NASBench201, "darts": DARTS}

__all__ = ["DARTS", "SPACES", "Arch", "NASBench201", "SearchSpace"]
