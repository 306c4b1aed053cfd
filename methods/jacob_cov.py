"""Jacobian covariance: how little the images' gradients of the logits are correlated with one another.

Mellor, Turner, Storkey, Crowley, "Neural Architecture Search without Training", first version (arXiv 2006.04647v1), as
in Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), Section 3, and their code (SamsungLabs/
zero-cost-nas): -sum over the eigenvalues v of the images' correlations of log(v + k) + 1 / (v + k), k = 1e-5, where an
image is the gradient of the sum of all logits in it.
"""

from typing import final

import torch
from torch import Tensor, nn

from harness.api import TrainingFree

K = 1e-5
"""Of the same code."""


@final
class JacobCov(TrainingFree):
    paper = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    family = "training-free"

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        images = images.detach().requires_grad_()
        (jacobian,) = torch.autograd.grad(network(images).sum(), images)
        v = torch.linalg.eigvalsh(torch.corrcoef(jacobian.flatten(1).double()).nan_to_num()) + K
        return -float((v.log() + 1 / v).sum())
