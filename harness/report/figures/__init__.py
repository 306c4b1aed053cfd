"""Figures of one group of runs. Every function returns a figure; files are written elsewhere (`saving`)."""

from harness.report.figures.epochs import accuracy, entropy
from harness.report.figures.finals import final, profile
from harness.report.figures.search_time import cost, hits, regret
from harness.report.figures.style import Look, Looks
from harness.report.figures.supernets import supernet
from harness.report.figures.weights import weights

__all__ = ["Look", "Looks", "accuracy", "cost", "entropy", "final", "hits", "profile", "regret", "supernet", "weights"]
