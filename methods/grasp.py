"""GraSP: minus the sum over all weights of W (H g), with g = dL/dW and H the second derivatives of L.

Wang, Zhang, Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow" (ICLR 2020), summed over
the network by Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), Section 3, with the sign of the
latter's code (SamsungLabs/zero-cost-nas). L is the mean cross-entropy of a batch.
"""

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import TrainingFree
from harness.search.saliency import gradients, total, weights


@final
class Grasp(TrainingFree):
    paper = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    family = "training-free"

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        w = weights(network)
        found = gradients(F.cross_entropy(network(images), labels), w, create_graph=True)
        product = sum(((g.detach() * g).sum() for g in found), start=images.new_zeros(()))
        return -total(x * hg for x, hg in zip(w, gradients(product, w), strict=True))
