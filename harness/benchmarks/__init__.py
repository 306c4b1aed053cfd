"""The benchmarks: each is a folder with a search space and all that is true of it only. No torch."""

from harness.benchmarks.base import Arch, Benchmark, Graph, SearchSpace
from harness.benchmarks.darts import benchmark as darts
from harness.benchmarks.darts.space import DARTS
from harness.benchmarks.nasbench1shot1 import benchmark as nasbench1shot1
from harness.benchmarks.nasbench201 import benchmark as nasbench201
from harness.benchmarks.nasbench201.space import NASBench201

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark for benchmark in (nasbench201.BENCHMARK, darts.BENCHMARK, *nasbench1shot1.BENCHMARKS)
}
"""By name of the search space; the first is the default."""

__all__ = ["BENCHMARKS", "DARTS", "Arch", "Benchmark", "Graph", "NASBench201", "SearchSpace"]
