"""DARTS-PT: DARTS, then operations selected by how much accuracy the supernet loses without them.

Wang, Cheng, Chen, Tang, Hsieh, "Rethinking Architecture Selection in Differentiable NAS" (ICLR 2021), Algorithm 1, as
in the authors' code (ruocwang/darts-pt). The search has two phases, which `protocol.epochs` counts together. The first
is first-order DARTS. The second, its last `tuning_epochs`, continues training with a new SGD optimizer while edges are
decided:

    draw an undecided edge of every cell type; for each operation of it, measure the accuracy on the held-out images
    with the operation's weight set to zero; the edge keeps the operation whose removal lowers it most.

Where nodes keep some of their inputs only, these are selected afterwards in the same way, node by node. As in the code,
the other weights of the row stay as they are, the batch norms take the statistics of the batch, and alpha is still
trained on undecided edges; unlike there, the accuracy is of batches of 512 images in a fixed
order, not augmented (there 64, shuffled and augmented), and an operation that no cell can have (the zero operation of
the DARTS space) is not selected.

Defaults: 25 epochs of tuning with learning rate 2.5e-3, of that code on NAS-Bench-201, whose first phase has 100 epochs
(on the DARTS space it tunes for 81 epochs after 50, and the rate falls to 1e-3: the settings of the paper profile
there; those of the quick profile have half of its epochs). If a search has no more epochs than that, the second phase
is its second half. Only the paper profile ends the learning rate's schedule with the first phase. Adam with lr 3e-4,
betas (0.5, 0.999), weight decay 1e-3 and logits drawn from N(0, 1e-3²), the values of the same code.
"""

from typing import final

from harness.benchmarks import SearchSpace
from harness.search.perturbation import PerturbationSelection


@final
class DartsPt(PerturbationSelection):
    paper = "Wang et al., Rethinking Architecture Selection in Differentiable NAS, ICLR 2021"
    family = "robust"
    version = 2  # on the DARTS space an edge could be decided for the zero operation, which no cell has

    def __init__(
        self,
        space: SearchSpace,
        lr: float = 3e-4,
        beta1: float = 0.5,
        beta2: float = 0.999,
        alpha_decay: float = 1e-3,
        init_std: float = 1e-3,
        tuning_epochs: int = 25,
        tuning_lr: float = 2.5e-3,
        tuning_lr_min: float = 2.5e-3,
    ) -> None:
        adam = {"lr": lr, "beta1": beta1, "beta2": beta2, "alpha_decay": alpha_decay}
        super().__init__(space, tuning_epochs, tuning_lr, tuning_lr_min, init_std=init_std, **adam)
