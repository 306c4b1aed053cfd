"""What supernets share: the weighted batch norm of a candidate operation, poolings, and the choice of a formulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALL = 1 << 16


def is_small(x: Tensor) -> bool:
    """Whether call overhead exceeds the cost of arithmetic and memory."""
    return x.numel() < SMALL


def scaled_norm(x: Tensor, norm: nn.BatchNorm2d, scale: Tensor, rows: slice = slice(None)) -> Tensor:
    """Batch norm without affine parameters, times `scale` (C,); `rows`: the channels of `norm` that x holds.

    The scale is passed as the batch norm's weight. It must be contiguous: torch's CPU kernel ignores the stride of an
    expanded one. A compiler gets the norm written out instead, which it fuses with the sums that follow.
    """
    if torch.compiler.is_compiling() and uses_batch_statistics(norm):
        return _written_out(x, norm, scale, rows)
    return F.batch_norm(
        x,
        *running_statistics(norm, rows),
        weight=scale,
        bias=torch.zeros_like(scale),
        training=uses_batch_statistics(norm),
        momentum=cast(float, norm.momentum),
        eps=norm.eps,
    )


def _written_out(x: Tensor, norm: nn.BatchNorm2d, scale: Tensor, rows: slice) -> Tensor:
    """The same with the batch's statistics, at least in fp32."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
    running_mean, running_variance = running_statistics(norm, rows)
    if running_mean is not None and running_variance is not None:
        with torch.no_grad():
            values = x.numel() // x.shape[1]
            momentum = cast(float, norm.momentum)
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_variance.lerp_((variance * values / (values - 1)).to(running_variance.dtype), momentum)
    factor = scale * (variance + norm.eps).rsqrt()
    return (x - mean[:, None, None]) * factor[:, None, None]


def running_statistics(norm: nn.BatchNorm2d, rows: slice) -> tuple[Tensor | None, Tensor | None]:
    """Running mean and variance of some channels of a norm, to be updated in place; None if it tracks none.

    `data` hides updates from autograd, which would mistake an update of other rows for a change of a tensor that
    backward needs: with batch statistics backward does not use the running ones, and in evaluation they do not change.
    """
    if norm.running_mean is None or norm.running_var is None:
        return None, None
    return norm.running_mean.data[rows], norm.running_var.data[rows]


def uses_batch_statistics(norm: nn.BatchNorm2d) -> bool:
    """Whether the norm uses the statistics of the batch instead of the running ones."""
    return norm.training or norm.running_mean is None


def average_pool(x: Tensor, stride: int) -> Tensor:
    """3x3 average pooling that does not count the padding."""
    return F.avg_pool2d(x, 3, stride, padding=1, count_include_pad=False)


def convolved_average(x: Tensor) -> Tensor:
    """`average_pool` of stride 1, on a CPU as a convolution.

    On large tensors a CPU takes less time for a depthwise convolution, divided by the number of pixels that it saw: a
    fifth in eager mode, and of a whole compiled cell (C=16, bf16) two thirds.
    """
    if is_small(x) or x.is_cuda:
        return average_pool(x, stride=1)
    channels = x.shape[1]
    return F.conv2d(x, x.new_ones(channels, 1, 3, 3), padding=1, groups=channels) * _inverse_counts(x)


def _inverse_counts(x: Tensor) -> Tensor:
    """(H, W) one over the number of pixels of the 3x3 neighbourhood that are inside the feature map."""
    rows, columns = (_seen(side, x) for side in x.shape[2:])
    return (rows[:, None] * columns).reciprocal()


def _seen(side: int, x: Tensor) -> Tensor:
    """(side,) how many of three neighbouring pixels are inside."""
    positions, dtype = torch.arange(side, device=x.device), torch.promote_types(x.dtype, torch.float32)
    return 3 - (positions == 0).to(dtype) - (positions == side - 1).to(dtype)


def select(x: Tensor, indices: Sequence[int], dim: int = 0) -> Tensor:
    """Entries of a short dimension; equals `x[indices]`, which would copy the list to a GPU and synchronise."""
    parts = x.unbind(dim)
    return torch.stack([parts[index] for index in indices], dim)
