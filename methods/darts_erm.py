"""A control: DARTS with the single-level objective, in which an epoch has twice the steps, as no data are held out.
Against `darts` it shows what the objective does, against `gaea-darts-erm` what update and step size do.

The relaxation of Liu et al. (DARTS, ICLR 2019, Equation 2) with the objective of Li et al. (GAEA, ICLR 2021): w and
alpha both descend the training loss, on independent batches. Defaults: those of `darts`.
"""

from typing import final

from harness.search.bases import SoftmaxAdam


@final
class DartsErm(SoftmaxAdam):
    bilevel = False
