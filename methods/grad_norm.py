"""Gradient norm: the sum over the layers of ||dL/dW||, L the mean cross-entropy of a batch.

Abdelfattah, Mehrotra, Dudziak, Lane, "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), Section 3, as in the
authors' code (SamsungLabs/zero-cost-nas).
"""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import TrainingFree
from harness.search.saliency import gradients, total, weights


@final
class GradNorm(TrainingFree):
    paper = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    family = "training-free"

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        found = gradients(F.cross_entropy(network(images), labels), weights(network))
        return total(gradient.norm() for gradient in found)
