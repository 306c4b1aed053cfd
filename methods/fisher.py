"""Fisher: over all output channels of all layers, the mean over the images of (sum over the pixels of a dL/da)^2 / 2.

Theis, Korshunova, Tejani, Huszár, "Faster gaze prediction with dense networks and Fisher pruning" (2018), with a the
activations of a channel, summed over the network by Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR
2021), Section 3. As in the latter's code (SamsungLabs/zero-cost-nas) a channel counts once for each of its incoming
weights. Our convolutions have no biases; theirs have, where the batch norms have no parameters. L is the mean
cross-entropy of a batch.
"""

from typing import Any, final

import torch.nn.functional as F
from torch import Tensor, nn

from harness.api import TrainingFree
from harness.search.saliency import gradients, layers, total


@final
class Fisher(TrainingFree):
    paper = "Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021"
    family = "training-free"

    def score(self, network: nn.Module, images: Tensor, labels: Tensor) -> float:
        outputs: list[tuple[Tensor, int]] = []

        def keep(layer: Any, _: Any, output: Tensor) -> None:
            outputs.append((output, layer.weight[0].numel()))

        hooks = [layer.register_forward_hook(keep) for layer in layers(network)]
        loss = F.cross_entropy(network(images), labels)
        for hook in hooks:
            hook.remove()
        found = gradients(loss, [a for a, _ in outputs])
        per_image = [
            (a * g).flatten(2).sum(dim=2) if a.dim() > 2 else a * g for (a, _), g in zip(outputs, found, strict=True)
        ]
        return total(n / 2 * x.square().mean(dim=0) for x, (_, n) in zip(per_image, outputs, strict=True))
