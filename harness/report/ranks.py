"""Mean ranks of methods and which pairs differ significantly: Friedman's test followed by paired tests."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import scipy  # type: ignore[import-untyped]
from numpy.typing import NDArray

from harness.report.statistics import ALPHA, holm, paired_test

FEWEST_BLOCKS = 11
"""Friedman's p is a chi-square approximation for more than 10 blocks (Demšar, JMLR 2006, section 3.2.2)."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Mean ranks of k methods (1 is best), and p-values of all pairs."""

    methods: tuple[str, ...]
    """Labels of the methods, best first."""
    ranks: NDArray[np.float64]
    """(k,) mean rank of each method."""
    friedman: float
    """p of Friedman's test that all methods rank alike."""
    p_values: NDArray[np.float64]
    """(k, k) Holm-corrected p of the paired test of each pair; all 1 unless Friedman's test is significant."""
    blocks: int

    @property
    def caution(self) -> str:
        """A reason to distrust the ranking; empty if there is none."""
        few = f"only {self.blocks} seeds: Friedman's p is reliable for more than {FEWEST_BLOCKS - 1}"
        return few if self.blocks < FEWEST_BLOCKS else ""


def rank(scores: pd.DataFrame) -> Ranking:
    """Rank the columns (methods) in every row (a block: one seed on one task); higher is better, ties share ranks.

    Pairs are compared by the Wilcoxon signed-rank test with Holm's correction rather than by Nemenyi's test, whose
    result for two methods depends on the other methods (Benavoli et al., JMLR 2016). The test is `paired_test` because
    scikit-posthocs' `posthoc_wilcoxon` gives NaN for methods that always select equal cells, which is common in these
    results. Raises ValueError for fewer than 3 methods or 2 blocks, or if a score is missing.
    """
    blocks, methods = scores.shape
    if methods < 3 or blocks < 2:
        raise ValueError(f"ranks need at least 3 methods and 2 blocks, got {methods} and {blocks}")
    values = np.round(scores.to_numpy(dtype=float), 9)  # equal accuracies tie in spite of rounding errors
    if np.isnan(values).any():
        raise ValueError("ranks need every method's score in every block")
    means = pd.Series(scipy.stats.rankdata(-values, axis=1).mean(axis=0), scores.columns).sort_values(kind="stable")
    differ = (values != values[:, :1]).any()
    friedman = float(scipy.stats.friedmanchisquare(*values.T).pvalue) if differ else 1.0
    p_values = np.ones((methods, methods))
    if friedman <= ALPHA:
        pairs = list(combinations(range(methods), 2))
        ranked = scores[list(means.index)].to_numpy(dtype=float)
        corrected = holm([paired_test(ranked[:, [first]], ranked[:, [second]]).p for first, second in pairs])
        for (first, second), p in zip(pairs, corrected, strict=True):
            p_values[first, second] = p_values[second, first] = p
    return Ranking(tuple(map(str, means.index)), means.to_numpy(dtype=float), friedman, p_values, blocks)
