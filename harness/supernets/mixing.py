"""The parts of a mixture of operations for which plain autograd makes too many passes over memory.

Everything here is the same function as the obvious composition of layers, in value and in every gradient.
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
"""Tensors of fewer elements cost more in calls than in arithmetic and memory."""


def is_small(x: Tensor) -> bool:
    return x.numel() < SMALL


# Batch norm ----------------------------------------------------------------------------------------------------------


def scaled_norm(x: Tensor, norm: nn.BatchNorm2d, scale: Tensor, rows: slice = slice(None)) -> Tensor:
    """Batch norm without affine parameters, times `scale` (C,); `rows`: the channels of `norm` that x holds."""
    return F.batch_norm(
        x,
        *running(norm, rows),
        weight=scale,
        bias=torch.zeros_like(scale),
        training=uses_batch(norm),
        momentum=cast(float, norm.momentum),
        eps=norm.eps,
    )


def running(norm: nn.BatchNorm2d, rows: slice) -> tuple[Tensor | None, Tensor | None]:
    """Mean and variance of some channels of a norm, to be updated in place; None where it keeps none.

    Autograd would take an update of other rows for a change of what backward needs, hence `data`: behind batch
    statistics the running ones have no part in backward, and in evaluation they do not change.
    """
    if norm.running_mean is None or norm.running_var is None:
        return None, None
    return norm.running_mean.data[rows], norm.running_var.data[rows]


def uses_batch(norm: nn.BatchNorm2d) -> bool:
    """Whether the norm takes the statistics of the batch rather than the running ones."""
    return norm.training or norm.running_mean is None


class ScaledPointwise(torch.autograd.Function):
    """scaled_norm of a 1x1 convolution: (a (B, C, H, W), kernel (D, C, 1, 1), scale (D,), norm, its rows)
    -> (B, D, H, W).

    Backward computes the convolution anew rather than keep its output, which is as large as that of the 3x3 kernel:
    two fifths of what the cells would keep, for 2 % of the time.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, kernel: Tensor, scale: Tensor, norm: nn.BatchNorm2d, rows: slice) -> Tensor:
        ctx.norm, ctx.rows, ctx.from_batch = norm, rows, uses_batch(norm)
        with torch.autocast(a.device.type, enabled=False):
            output, mean, inverse = torch.native_batch_norm(
                F.conv2d(a, kernel.to(a.dtype)),
                scale,
                torch.zeros_like(scale),
                *running(norm, rows),
                ctx.from_batch,
                cast(float, norm.momentum),
                norm.eps,
            )
        ctx.save_for_backward(a, kernel, scale, mean, inverse)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        a, kernel, scale, mean, inverse = ctx.saved_tensors
        of_a, of_kernel, of_scale = ctx.needs_input_grad[:3]
        with torch.autocast(g.device.type, enabled=False):
            weight = kernel.to(a.dtype)
            d_output, d_scale, _ = torch.ops.aten.native_batch_norm_backward(
                g,
                F.conv2d(a, weight),
                scale,
                *running(ctx.norm, ctx.rows),
                mean,
                inverse,
                ctx.from_batch,
                ctx.norm.eps,
                [True, of_scale, False],
            )
            d_a, d_weight, _ = torch.ops.aten.convolution_backward(
                d_output, a, weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [of_a, of_kernel, False]
            )
        return d_a, d_weight.to(kernel.dtype) if of_kernel else None, d_scale, None, None


def scaled_pointwise(a: Tensor, kernel: Tensor, norm: nn.BatchNorm2d, scale: Tensor, rows: slice) -> Tensor:
    return cast(Tensor, ScaledPointwise.apply(a, kernel, scale, norm, rows))  # type: ignore[no-untyped-call]


Factor = float | Tensor
"""A number, or on a GPU a tensor () of one, which nobody has to wait for."""


# Sums per edge -------------------------------------------------------------------------------------------------------


class Spread(torch.autograd.Function):
    """The mixed operations of T edges that leave a node: (convolved (B, J*T*C, H, W), x (B, C, H, W), weights (T, 2))
    -> T tensors (B, C, H, W).

    Edge t gets the sum over J kernel sizes of its channels of `convolved`, plus weights[t, 0] * x
    + weights[t, 1] * average(x); `factors` are the numbers in `weights`. Every output is contiguous and is summed in
    place, and nothing is kept but x, and that only if the weights need a gradient.
    """

    @staticmethod
    def forward(ctx: Any, convolved: Tensor, x: Tensor, weights: Tensor, factors: list[list[Factor]]) -> Any:
        ctx.factors = factors
        ctx.save_for_backward(x if weights.requires_grad else None)
        ctx.copies = convolved.shape[1] // (x.shape[1] * len(factors))
        parts = convolved.split(x.shape[1], dim=1)
        pooled = average(x) if any(counts(pool) for _, pool in factors) else x
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
        d_convolved = torch.cat(g * ctx.copies, dim=1) if len(g) * ctx.copies > 1 else g[0]
        if any(map(counts, pool)):
            d_x = add_scaled(average_adjoint(add_scaled(g[0] * pool[0], g[1:], pool[1:])), g, skip)
        else:
            d_x = add_scaled(g[0] * skip[0], g[1:], skip[1:])
        d_weights = None
        if ctx.needs_input_grad[2]:
            (x,) = ctx.saved_tensors
            pooled = average(x)
            d_weights = torch.stack([inner(part, y) for part in g for y in (x, pooled)]).view(-1, 2)
        return d_convolved, d_x, d_weights, None


def spread(convolved: Tensor, x: Tensor, weights: Tensor, factors: list[list[Factor]]) -> tuple[Tensor, ...]:
    outputs = Spread.apply(convolved, x, weights, factors)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, ...], outputs)


def add_scaled(total: Tensor, terms: tuple[Tensor, ...], factors: tuple[Factor, ...]) -> Tensor:
    """total += sum of factor * term, in place; an operation without weight costs nothing, where that is known."""
    for term, factor in zip(terms, factors, strict=True):
        if isinstance(factor, Tensor):
            total.addcmul_(term, factor)
        elif factor:
            total.add_(term, alpha=factor)
    return total


def counts(factor: Factor) -> bool:
    """Whether a factor may be other than zero."""
    return isinstance(factor, Tensor) or factor != 0


def picked(x: Tensor, places: Sequence[int], dim: int = 0) -> Tensor:
    """Some entries of a short dimension, as `x[list]`, which would copy the list to a GPU and wait for that."""
    parts = x.unbind(dim)
    return torch.stack([parts[place] for place in places], dim)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def inner(x: Tensor, y: Tensor) -> Tensor:
    """Inner product of two tensors in channels-last layout, summed in single precision at least."""
    if x.dtype == torch.bfloat16 or x.dtype == torch.float16:
        return (x * y).sum(dtype=torch.float32)
    return torch.dot(x.permute(0, 2, 3, 1).flatten(), y.permute(0, 2, 3, 1).flatten())


# Average pooling -----------------------------------------------------------------------------------------------------


def average(x: Tensor) -> Tensor:
    """3x3 average pooling that does not count the padding.

    On large maps a depthwise convolution followed by a correction at the border takes a fifth of the pooling's time.
    """
    if is_small(x):
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return box(x) * inverse_counts(*x.shape[1:], x.dtype, x.device)


def average_adjoint(g: Tensor) -> Tensor:
    """The gradient of `average` for its input, given the gradient of its output."""
    if is_small(g):
        return cast(Tensor, torch.ops.aten.avg_pool2d_backward(g, g, [3, 3], [1, 1], [1, 1], False, False, None))
    return box(g * inverse_counts(*g.shape[1:], g.dtype, g.device))


def box(x: Tensor) -> Tensor:
    """Sum of the 3x3 neighbours, per channel."""
    return F.conv2d(x, x.new_ones(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


@lru_cache(maxsize=64)
def inverse_counts(channels: int, height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(1, C, H, W): one over the number of pixels of the 3x3 neighbourhood that lie inside the map.

    The same for every channel, but stored for each, so that a product with it is one pass over contiguous memory.
    """
    with torch.inference_mode(False):
        ones = torch.ones(1, 1, height, width, dtype=torch.float64)
        counts = F.conv2d(ones, torch.ones(1, 1, 3, 3, dtype=torch.float64), padding=1)
        return channels_last((1 / counts).to(device, dtype).repeat(1, channels, 1, 1))
