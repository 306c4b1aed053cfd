"""DARTS, first order: operation weights are the softmax of logits, which Adam moves on held-out data.

Liu, Simonyan, Yang, "DARTS: Differentiable Architecture Search" (ICLR 2019), Equation 2 (the relaxation) and
Equation 6 with xi = 0 (the first-order approximation): alpha descends the validation loss at the current w.

Defaults: Adam with lr 3e-4, betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3), the values of the
authors' code (quark0/darts) and of the NAS-Bench-201 baselines (DARTS-V1).
"""

from typing import final

from harness.search.bases import SoftmaxAdam


@final
class Darts(SoftmaxAdam):
    """Both steps as in Algorithm 1 of that paper, which are those of the contract."""
