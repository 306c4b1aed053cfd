"""Parts of a mixture of operations for which plain autograd makes too many passes over memory.

Every function equals the obvious composition of layers, in value and in all gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SMALL = 1 << 16
"""For tensors with fewer elements, call overhead exceeds the cost of arithmetic and memory."""


def is_small(x: Tensor) -> bool:
    return x.numel() < SMALL


# Batch norm ----------------------------------------------------------------------------------------------------------


def scaled_norm(x: Tensor, norm: nn.BatchNorm2d, scale: Tensor, rows: slice = slice(None)) -> Tensor:
    """Batch norm without affine parameters, times `scale` (C,); `rows`: the channels of `norm` that x holds."""
    return F.batch_norm(
        x,
        *running_statistics(norm, rows),
        weight=scale,
        bias=torch.zeros_like(scale),
        training=uses_batch_statistics(norm),
        momentum=cast(float, norm.momentum),
        eps=norm.eps,
    )


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


class ScaledPointwise(torch.autograd.Function):
    """scaled_norm of a 1x1 convolution: (x (B, C, H, W), kernel (D, C, 1, 1), scale (D,), norm, its rows)
    -> (B, D, H, W).

    Backward recomputes the convolution instead of keeping its output, which is as large as that of the 3x3 kernel: this
    saves two fifths of what the cells would keep, for 2 % of the time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, scale: Tensor, norm: nn.BatchNorm2d, rows: slice) -> Tensor:
        ctx.norm, ctx.rows, ctx.uses_batch = norm, rows, uses_batch_statistics(norm)
        with torch.autocast(x.device.type, enabled=False):
            output, mean, inverse_std = torch.native_batch_norm(
                F.conv2d(x, kernel.to(x.dtype)),
                scale,
                torch.zeros_like(scale),
                *running_statistics(norm, rows),
                ctx.uses_batch,
                cast(float, norm.momentum),
                norm.eps,
            )
        ctx.save_for_backward(x, kernel, scale, mean, inverse_std)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, kernel, scale, mean, inverse_std = ctx.saved_tensors
        needs_x, needs_kernel, needs_scale = ctx.needs_input_grad[:3]
        with torch.autocast(g.device.type, enabled=False):
            weight = kernel.to(x.dtype)
            d_output, d_scale, _ = torch.ops.aten.native_batch_norm_backward(
                g,
                F.conv2d(x, weight),
                scale,
                *running_statistics(ctx.norm, ctx.rows),
                mean,
                inverse_std,
                ctx.uses_batch,
                ctx.norm.eps,
                [True, needs_scale, False],
            )
            d_x, d_weight, _ = torch.ops.aten.convolution_backward(
                d_output, x, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [needs_x, needs_kernel, False]
            )
        return d_x, d_weight.to(kernel.dtype) if needs_kernel else None, d_scale, None, None


def scaled_pointwise(x: Tensor, kernel: Tensor, norm: nn.BatchNorm2d, scale: Tensor, rows: slice) -> Tensor:
    return cast(Tensor, ScaledPointwise.apply(x, kernel, scale, norm, rows))  # type: ignore[no-untyped-call]


Factor = float | Tensor
"""A number; on a GPU a tensor (), because reading its value would synchronise with the device."""


# Sums per edge -------------------------------------------------------------------------------------------------------


class MixEdges(torch.autograd.Function):
    """The mixed operations of T edges that leave a node: (convolved (B, J*T*C, H, W), x (B, C, H, W), mixture (T, 2))
    -> T tensors (B, C, H, W).

    Edge t gets the sum over J kernel sizes of its channels of `convolved`, plus mixture[t, 0] * x
    + mixture[t, 1] * average(x); `factors` are the values in `mixture`. Every output is contiguous and summed in place.
    Only x is kept for backward, and only if the mixture needs a gradient.
    """

    @staticmethod
    def forward(ctx: Any, convolved: Tensor, x: Tensor, mixture: Tensor, factors: list[list[Factor]]) -> Any:
        ctx.factors = factors
        ctx.save_for_backward(x if mixture.requires_grad else None)
        ctx.kernel_sizes = convolved.shape[1] // (x.shape[1] * len(factors))
        parts = convolved.split(x.shape[1], dim=1)
        pooled = average(x) if any(may_be_nonzero(pool) for _, pool in factors) else x
        outputs = []
        for t, (skip, pool) in enumerate(factors):
            same_edge = parts[t :: len(factors)]
            # The sum or copy of slices is contiguous; summing into a slice would be several times slower.
            total = same_edge[0] + same_edge[1] if len(same_edge) > 1 else same_edge[0].clone()
            outputs.append(add_scaled(total, (x, pooled), (skip, pool)))
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor | None, ...]:
        g = tuple(map(channels_last, g))
        skip, pool = zip(*ctx.factors, strict=True)
        d_convolved = torch.cat(g * ctx.kernel_sizes, dim=1) if len(g) * ctx.kernel_sizes > 1 else g[0]
        if any(map(may_be_nonzero, pool)):
            d_x = add_scaled(average_adjoint(add_scaled(g[0] * pool[0], g[1:], pool[1:])), g, skip)
        else:
            d_x = add_scaled(g[0] * skip[0], g[1:], skip[1:])
        d_mixture = None
        if ctx.needs_input_grad[2]:
            (x,) = ctx.saved_tensors
            pooled = average(x)
            d_mixture = torch.stack([inner_product(part, y) for part in g for y in (x, pooled)]).view(-1, 2)
        return d_convolved, d_x, d_mixture, None


def mix_edges(convolved: Tensor, x: Tensor, mixture: Tensor, factors: list[list[Factor]]) -> tuple[Tensor, ...]:
    outputs = MixEdges.apply(convolved, x, mixture, factors)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, ...], outputs)


def add_scaled(total: Tensor, terms: tuple[Tensor, ...], factors: tuple[Factor, ...]) -> Tensor:
    """total += sum of factor * term, in place; terms whose factor is known to be zero are skipped."""
    for term, factor in zip(terms, factors, strict=True):
        if isinstance(factor, Tensor):
            total.addcmul_(term, factor)
        elif factor:
            total.add_(term, alpha=factor)
    return total


def may_be_nonzero(factor: Factor) -> bool:
    """Whether a factor is nonzero, or a tensor whose value is not read."""
    return isinstance(factor, Tensor) or factor != 0


def select(x: Tensor, indices: Sequence[int], dim: int = 0) -> Tensor:
    """Entries of a short dimension; equals `x[indices]`, which would copy the list to a GPU and synchronise."""
    parts = x.unbind(dim)
    return torch.stack([parts[index] for index in indices], dim)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def inner_product(x: Tensor, y: Tensor) -> Tensor:
    """Inner product of two tensors in channels-last layout, accumulated at least in fp32."""
    if x.dtype == torch.bfloat16 or x.dtype == torch.float16:
        return (x * y).sum(dtype=torch.float32)
    return torch.dot(x.permute(0, 2, 3, 1).flatten(), y.permute(0, 2, 3, 1).flatten())


# Average pooling -----------------------------------------------------------------------------------------------------


def average(x: Tensor) -> Tensor:
    """3x3 average pooling that does not count the padding.

    On large feature maps a depthwise convolution and a correction at the border take a fifth of the pooling's time.
    """
    if is_small(x):
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return box_sum(x) * inverse_counts(*x.shape[1:], x.dtype, x.device)


def average_adjoint(g: Tensor) -> Tensor:
    """The gradient of `average` with respect to its input, given the gradient of its output."""
    if is_small(g):
        return cast(Tensor, torch.ops.aten.avg_pool2d_backward(g, g, [3, 3], [1, 1], [1, 1], False, False, None))
    return box_sum(g * inverse_counts(*g.shape[1:], g.dtype, g.device))


def box_sum(x: Tensor) -> Tensor:
    """Sum over the 3x3 neighbourhood, per channel."""
    return F.conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


@lru_cache(maxsize=64)
def inverse_counts(channels: int, height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(1, C, H, W): one over the number of pixels of the 3x3 neighbourhood that are inside the feature map.

    Repeated for every channel, so that a product with it is one pass over contiguous memory.
    """
    with torch.inference_mode(False):
        ones = torch.ones(1, 1, height, width, dtype=torch.float64)
        counts = F.conv2d(ones, torch.ones(1, 1, 3, 3, dtype=torch.float64), padding=1)
        return channels_last((1 / counts).to(device, dtype).repeat(1, channels, 1, 1))
