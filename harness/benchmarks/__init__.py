"""The benchmarks: each is a folder with a search space and all that is true of it only. No torch."""

from harness.benchmarks.base import Arch, Benchmark, Graph, SearchSpace
from harness.benchmarks.darts import benchmark as darts
from harness.benchmarks.darts.space import DARTS
from harness.benchmarks.nasbench201 import benchmark as nasbench201
from harness.benchmarks.nasbench201.space import NASBench201

BENCHMARKS: dict[str, Benchmark] = {module.BENCHMARK.name: module.BENCHMARK for module in (nasbench201, darts)}
"""By name of the search space; the first is the default."""

__all__ = ["BENCHMARKS", "DARTS", "Arch", "Benchmark", "Graph", "NASBench201", "SearchSpace"]
