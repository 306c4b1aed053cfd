"""Do two gradients of an operation agree? The statistic that OLES sums (methods/oles.py)."""

from collections import defaultdict

import torch
from torch import Tensor

from harness.api import Part


def similarities(first: list[Tensor], second: list[Tensor], operations: list[list[Part]]) -> Tensor:
    """Of two gradients of each operation, (operations,): the mean over its tensors of the mean cosine.

    first, second: gradients of all of w; operations: the parts of w that belong to each. Cosines are along the first
    dimension of a tensor (the outputs of a convolution). Tensors of one shape are compared in one call.
    Source: PasaLab/oles.
    """
    alike: dict[torch.Size, list[tuple[int, int, slice]]] = defaultdict(list)
    for number, parts in enumerate(operations):
        for i, rows in parts:
            alike[first[i][rows].shape].append((number, i, rows))
    sums = first[0].new_zeros(len(operations))
    for tensors in alike.values():
        x, y = (torch.stack([_columns(gradient[i][rows]) for _, i, rows in tensors]) for gradient in (first, second))
        numbers = torch.tensor([number for number, *_ in tensors], device=sums.device)
        sums.index_add_(0, numbers, _cosines(x, y).mean(dim=1))
    return sums / torch.tensor([len(parts) for parts in operations], device=sums.device)


def _columns(gradient: Tensor) -> Tensor:
    """(outputs, columns), in the order of the memory, which a supernet lays out channels-last."""
    return (gradient.permute(0, 2, 3, 1) if gradient.dim() == 4 else gradient[:, None]).flatten(1)


def _cosines(x: Tensor, y: Tensor) -> Tensor:
    """(tensors, columns) along the outputs: `cosine_similarity`, which takes twice the time."""
    of_x, of_y = ((v * v).sum(dim=1).sqrt().clamp_min(1e-8) for v in (x, y))
    return (x * y).sum(dim=1) / (of_x * of_y)
