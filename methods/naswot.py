"""NASWOT: log |det K|, K_ij the number of rectified units that are both on or both off for images i and j.

Mellor, Turner, Storkey, Crowley, "Neural Architecture Search without Training" (ICML 2021), Section 3 and Algorithm 1.

Defaults: the best of N = 1000 random cells, the largest N of Table 2 (also 10 and 100); a batch of 128 images without
augmentation, affine batch norms and one class, as in the authors' code (BayesWatch/nas-without-training, hook_logdet).
Units before a convolution count twice: that code counts at all modules whose class name contains "ReLU", as that of a
rectifier and that of its blocks of rectifier, convolution and batch norm.
"""

from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn

from harness.api import TrainingFree


@final
class Naswot(TrainingFree):
    paper = "Mellor et al., Neural Architecture Search without Training, ICML 2021"
    family = "training-free"
    batch_size = 128
    augmented = False
    affine = True
    classes = 1

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        blocks = [block for block in network.modules() if isinstance(block, nn.Sequential)]
        twice = {first for block in blocks for first, second in pairwise(block) if isinstance(second, nn.Conv2d)}
        kernel = torch.zeros(len(images), len(images), dtype=torch.float64, device=images.device)

        def count(relu: nn.Module, inputs: tuple[Tensor, ...], __: Any) -> None:
            on = (inputs[0] > 0).flatten(1).to(images.dtype)
            kernel.add_((on @ on.T + (1 - on) @ (1 - on).T).double(), alpha=1 + (relu in twice))

        hooks = [relu.register_forward_hook(count) for relu in network.modules() if isinstance(relu, nn.ReLU)]
        with torch.no_grad():
            network(images)
        for hook in hooks:
            hook.remove()
        return float(torch.linalg.slogdet(kernel).logabsdet)
