"""SNIP: the sum over all weights of |W dL/dW|, L the mean cross-entropy of a batch.

Lee, Ajanthan, Torr, "SNIP: Single-shot Network Pruning based on Connection Sensitivity" (ICLR 2019), summed over the
network by Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), Section 3, as in the latter's code
(SamsungLabs/zero-cost-nas).
"""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import TrainingFree
from harness.search.saliency import gradients, total, weights


@final
class Snip(TrainingFree):
    paper = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    family = "training-free"

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        w = weights(network)
        found = gradients(F.cross_entropy(network(images), labels), w)
        return total((x * g).abs() for x, g in zip(w, found, strict=True))
