"""A control: DARTS with the single-level objective; an epoch has twice as many steps, as no data are held out.
Comparing it with `darts` isolates the objective, comparing it with `gaea-darts-erm` the update and step size.

The relaxation of Liu et al. (DARTS, ICLR 2019, Equation 2) with the objective of Li et al. (GAEA, ICLR 2021): w and
alpha both descend the training loss, on independent batches. Defaults: those of `darts`.
"""

from typing import final

from harness.search.bases import SoftmaxAdam


@final
class DartsErm(SoftmaxAdam):
    paper = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
    family = "controls"
    bilevel = False
