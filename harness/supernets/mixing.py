"""The parts of a mixture of operations for which plain autograd makes too many passes over memory.

Everything here is the same function as the obvious composition of layers, in value and in every gradient.
"""

from __future__ import annotations

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
    """Batch norm without affine parameters, times `scale` (C,); `rows`: the channels of `norm` that x holds.

    Autograd would take an update of other rows for a change of what backward needs, hence `data`: behind batch
    statistics the running ones have no part in backward, and in evaluation they do not change.
    """
    return F.batch_norm(
        x,
        norm.running_mean.data[rows] if norm.running_mean is not None else None,
        norm.running_var.data[rows] if norm.running_var is not None else None,
        weight=scale,
        bias=torch.zeros_like(scale),
        training=uses_batch(norm),
        momentum=cast(float, norm.momentum),
        eps=norm.eps,
    )


def uses_batch(norm: nn.BatchNorm2d) -> bool:
    """Whether the norm takes the statistics of the batch rather than the running ones."""
    return norm.training or norm.running_mean is None


class FoldedPointwise(torch.autograd.Function):
    """scale * batch_norm(conv1x1(a)) as one convolution.

    (a (B, C, H, W), kernel (D, C, 1, 1), scale (D,), norm, its rows) -> (B, D, H, W).

    The outputs' mean W m and variance diag(W S W^T) follow from the mean m and covariance S of the inputs, a C x C
    matrix product. So kernel and shift are known before the convolution runs, no pass over its output is needed, and
    neither that output nor its normalised copy is kept. Statistics are taken in single precision at least.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, kernel: Tensor, scale: Tensor, norm: nn.BatchNorm2d, rows: slice) -> Tensor:
        with torch.autocast(a.device.type, enabled=False):
            w = kernel.flatten(1)
            ctx.from_batch = uses_batch(norm)
            m = w_cov = None
            if ctx.from_batch:
                m, covariance = moments(a)
                mean, w_cov = w @ m, w @ covariance
                variance = (w_cov * w).sum(dim=1).clamp_(min=0)
                update_running(norm, rows, mean, variance, a.numel() // a.shape[1])
            else:
                mean, variance = cast(Tensor, norm.running_mean)[rows], cast(Tensor, norm.running_var)[rows]
            inverse = (variance + norm.eps).rsqrt_()
            factor = scale * inverse
            folded = (w * factor[:, None]).to(a.dtype).view_as(kernel)
            ctx.save_for_backward(a, kernel, folded, scale, factor, inverse, mean, m, w_cov)
            return F.conv2d(a, folded, (mean * factor).neg_().to(a.dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(g.device.type, enabled=False):
            a, kernel, folded, scale, factor, inverse, mean, m, w_cov = ctx.saved_tensors
            w = kernel.flatten(1)
            d_a, d_folded, d_shift = torch.ops.aten.convolution_backward(
                g, a, folded, [len(w)], [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, True]
            )
            d_folded, d_shift = d_folded.flatten(1).to(w.dtype), d_shift.to(w.dtype)
            d_factor = (d_folded * w).sum(dim=1) - d_shift * mean
            d_w = d_folded * factor[:, None]
            if ctx.from_batch:
                d_mean = -factor * d_shift
                d_variance = -0.5 * d_factor * scale * inverse.pow(3)
                d_w.addr_(d_mean, m).addcmul_(w_cov, d_variance[:, None], value=2)
                add_moments_gradient(d_a, a, m, w.t() @ d_mean, (w.t() * d_variance) @ w)
            return d_a, d_w.view_as(kernel), d_factor * inverse, None, None


def folded_pointwise(a: Tensor, kernel: Tensor, scale: Tensor, norm: nn.BatchNorm2d, rows: slice) -> Tensor:
    return cast(Tensor, FoldedPointwise.apply(a, kernel, scale, norm, rows))  # type: ignore[no-untyped-call]


def moments(a: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) of the channels, in single precision at least."""
    flat = rows_of(a).to(torch.promote_types(a.dtype, torch.float32))
    m = flat.mean(dim=0)
    return m, torch.addmm(torch.outer(m, m), flat.t(), flat, beta=-1, alpha=1 / len(flat))


def add_moments_gradient(d_a: Tensor, a: Tensor, m: Tensor, d_m: Tensor, d_covariance: Tensor) -> None:
    """d_a += what the gradients of the moments (the covariance's is symmetric) mean for a."""
    count = a.numel() // a.shape[1]
    matrix = d_covariance * (2 / count)
    constant = torch.addmv(d_m, matrix, m, beta=1 / count, alpha=-1)
    d_a.add_(F.conv2d(a, matrix.to(a.dtype)[:, :, None, None], constant.to(a.dtype)))


def rows_of(x: Tensor) -> Tensor:
    """(B, C, H, W) as (B * H * W, C), without a copy if x is in channels-last layout."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def update_running(norm: nn.BatchNorm2d, rows: slice, mean: Tensor, variance: Tensor, count: int) -> None:
    """As batch norm does: the running variance is the unbiased one."""
    if norm.running_mean is not None:
        momentum = cast(float, norm.momentum)
        norm.running_mean[rows].lerp_(mean, momentum)
        cast(Tensor, norm.running_var)[rows].lerp_(variance * (count / (count - 1)), momentum)


# Sums per edge -------------------------------------------------------------------------------------------------------


class Spread(torch.autograd.Function):
    """The mixed operations of T edges that leave a node: (convolved (B, J*T*C, H, W), x (B, C, H, W), weights (T, 2))
    -> T tensors (B, C, H, W).

    Edge t gets the sum over J kernel sizes of its channels of `convolved`, plus weights[t, 0] * x
    + weights[t, 1] * average(x); `factors` are the numbers in `weights`. Every output is contiguous and is summed in
    place, and nothing is kept but x, and that only if the weights need a gradient.
    """

    @staticmethod
    def forward(ctx: Any, convolved: Tensor, x: Tensor, weights: Tensor, factors: list[list[float]]) -> Any:
        ctx.factors = factors
        ctx.save_for_backward(x if weights.requires_grad else None)
        ctx.copies = convolved.shape[1] // (x.shape[1] * len(factors))
        parts = convolved.split(x.shape[1], dim=1)
        pooled = average(x) if any(pool for _, pool in factors) else x
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
        if any(pool):
            d_x = add_scaled(average_adjoint(add_scaled(g[0] * pool[0], g[1:], pool[1:])), g, skip)
        else:
            d_x = add_scaled(g[0] * skip[0], g[1:], skip[1:])
        d_weights = None
        if ctx.needs_input_grad[2]:
            (x,) = ctx.saved_tensors
            pooled = average(x)
            d_weights = torch.stack([inner(part, y) for part in g for y in (x, pooled)]).view(-1, 2)
        return d_convolved, d_x, d_weights, None


def spread(convolved: Tensor, x: Tensor, weights: Tensor, factors: list[list[float]]) -> tuple[Tensor, ...]:
    outputs = Spread.apply(convolved, x, weights, factors)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, ...], outputs)


def add_scaled(total: Tensor, terms: tuple[Tensor, ...], factors: tuple[float, ...]) -> Tensor:
    """total += sum of factor * term, in place; an operation without weight costs nothing."""
    for term, factor in zip(terms, factors, strict=True):
        if factor:
            total.add_(term, alpha=factor)
    return total


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def inner(x: Tensor, y: Tensor) -> Tensor:
    """Inner product, summed in single precision at least."""
    if x.dtype == torch.bfloat16 or x.dtype == torch.float16:
        return (x * y).sum(dtype=torch.float32)
    return torch.dot(rows_of(x).flatten(), rows_of(y).flatten())


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
