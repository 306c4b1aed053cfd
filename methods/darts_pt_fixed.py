"""DARTS-PT with fixed alpha: train the supernet with nearly uniform operation weights, then select by perturbation.

Wang, Cheng, Chen, Tang, Hsieh, "Rethinking Architecture Selection in Differentiable NAS" (ICLR 2021), Section 6 (fixed
alpha), as in the authors' code (ruocwang/darts-pt, method `blank`). `darts-pt` without architecture steps: alpha keeps
its initial value, and only the second phase selects operations.

Defaults: logits drawn from N(0, 1e-3²) as in the code, where the paper says 0; 25 epochs of tuning with learning rate
2.5e-3 as in `darts-pt`, and the same settings on the DARTS space.
"""

from typing import ClassVar, final

from harness.api import Problem
from harness.benchmarks import SearchSpace
from harness.search.perturbation import PerturbationSelection


@final
class DartsPtFixed(PerturbationSelection):
    paper = "Wang et al., Rethinking Architecture Selection in Differentiable NAS, ICLR 2021"
    family = "robust"
    version = 2  # on the DARTS space an edge could be decided for the zero operation, which no cell has
    tunable: ClassVar = {}  # alpha does not learn

    def __init__(
        self,
        space: SearchSpace,
        init_std: float = 1e-3,
        tuning_epochs: int = 25,
        tuning_lr: float = 2.5e-3,
        tuning_lr_min: float = 2.5e-3,
    ) -> None:
        super().__init__(space, tuning_epochs, tuning_lr, tuning_lr_min, init_std=init_std)
        del self.adam  # nothing moves alpha

    def architecture_step(self, problem: Problem) -> None:
        """Does nothing."""
