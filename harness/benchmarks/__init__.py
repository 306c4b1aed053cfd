"""Search spaces as pure data: edges, operations, sampling, discretisation, strings. No torch."""

from harness.benchmarks.base import Arch, SearchSpace
from harness.benchmarks.darts.space import DARTS
from harness.benchmarks.nasbench201.space import NASBench201

SPACES: dict[str, type[SearchSpace]] = {"nasbench201": NASBench201, "darts": DARTS}

__all__ = ["DARTS", "SPACES", "Arch", "NASBench201", "SearchSpace"]
