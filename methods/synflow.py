"""SynFlow: the sum over all weights of |W dR/dW|, R the sum of the logits of an image of ones.

Tanaka, Kunin, Yamins, Ganguli, "Pruning neural networks without any data by iteratively conserving synaptic flow"
(NeurIPS 2020), as in Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), Section 3, and their code
(SamsungLabs/zero-cost-nas): with the absolute values of all weights, without batch norms, in double precision. Our
convolutions have no biases; theirs have, where the batch norms have no parameters.
"""

import copy
from typing import final

import torch
from torch import Tensor, nn

from harness.api import TrainingFree
from harness.search.saliency import gradients, total, weights


@final
class Synflow(TrainingFree):
    paper = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    family = "training-free"

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        positive = copy.deepcopy(network).double()
        for module in list(positive.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.Identity())
        with torch.no_grad():
            for parameter in positive.parameters():
                parameter.abs_()
        w = weights(positive)
        found = gradients(positive(torch.ones_like(images[:1], dtype=torch.float64)).sum(), w)
        return total((x * g).abs() for x, g in zip(w, found, strict=True))
