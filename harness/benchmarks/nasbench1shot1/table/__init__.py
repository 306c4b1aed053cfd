"""Accuracies of the 423,624 cells of NAS-Bench-101 (Ying et al., ICML 2019) after 108 epochs of training."""

from harness.benchmarks.nasbench1shot1.table.table import CELLS, IMAGES, Table, TableError

__all__ = ["CELLS", "IMAGES", "Table", "TableError"]
