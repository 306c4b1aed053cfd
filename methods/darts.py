"""DARTS, first order: softmax operation weights, whose logits are trained with Adam on held-out data.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equation 2 (the relaxation) and
Equation 6 with xi = 0 (the first-order approximation): alpha descends the validation loss at the current w.

Defaults: Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3²), the values of the
authors' code (quark0/darts) and of the NAS-Bench-201 baselines (DARTS-V1).
"""

from typing import final

from harness.search.bases import SoftmaxAdam


@final
class Darts(SoftmaxAdam):
    """The default weight and architecture steps of `OneShot`, which are those of Algorithm 1 of the paper."""

    paper = "Liu et al., DARTS: Differentiable Architecture Search, ICLR 2019"
    family = "darts"
