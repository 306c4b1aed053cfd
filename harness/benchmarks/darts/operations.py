"""Candidate operations of the DARTS space, computed for several edges at once.

All edges that leave a state read the same input, so an operation on all of them is one call: their channels are
concatenated, with edge e in rows e * C to (e + 1) * C of every parameter. Everything is channels-last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Edges = Sequence[int] | None
"""Indices of the edges of a module that are computed; None: all of them."""


class Convolution(nn.Module):
    """Depthwise convolution, pointwise convolution, batch norm, for `edges` edges."""

    def __init__(
        self, channels: int, edges: int, size: int, stride: int = 1, affine: bool = False, track_statistics: bool = True
    ) -> None:
        super().__init__()
        self.edges = edges
        self.stride = stride
        self.depthwise = nn.Parameter(kernels(edges * channels, 1, size))
        self.pointwise = nn.Parameter(kernels(edges * channels, channels, 1))
        self.norm = batch_norm(edges * channels, affine, track_statistics)

    def forward(self, x: Tensor, edges: Edges = None, scale: Tensor | None = None, dilation: int = 1) -> Tensor:
        """x: (B, e * C, H, W), after the ReLU; scale (e,): factor of every edge's output."""
        x = depthwise(x, edge_rows(self.depthwise, edges, self.edges), self.stride, dilation)
        groups = self.edges if edges is None else len(edges)
        x = F.conv2d(x, edge_rows(self.pointwise, edges, self.edges), groups=groups)
        return edge_norm(x, self.norm, scale, edges, self.edges)


class Separable(nn.Module):
    """sep_conv: two `Convolution`s with a ReLU between them; the first has the stride."""

    def __init__(
        self, channels: int, edges: int, size: int, stride: int = 1, affine: bool = False, track_statistics: bool = True
    ) -> None:
        super().__init__()
        self.first = Convolution(channels, edges, size, stride, affine, track_statistics)
        self.second = Convolution(channels, edges, size, 1, affine, track_statistics)

    def forward(self, x: Tensor, edges: Edges = None, scale: Tensor | None = None) -> Tensor:
        return cast(Tensor, self.second(F.relu_(self.first(x, edges)), edges, scale))


class Projection(nn.Module):
    """1x1 convolution and batch norm."""

    def __init__(self, inputs: int, outputs: int, affine: bool = False, track_statistics: bool = True) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm = batch_norm(outputs, affine, track_statistics)

    def forward(self, x: Tensor) -> Tensor:
        """x: after the ReLU."""
        return cast(Tensor, self.norm(self.convolution(x)))


class FactorizedReduction(nn.Module):
    """Halves the resolution: two 1x1 convolutions of stride 2, the second shifted by a pixel in both directions."""

    def __init__(
        self, inputs: int, outputs: int, edges: int = 1, affine: bool = False, track_statistics: bool = True
    ) -> None:
        super().__init__()
        self.edges = edges
        half = outputs // 2
        self.even = nn.Parameter(kernels(edges * half, inputs, 1))
        self.odd = nn.Parameter(kernels(edges * (outputs - half), inputs, 1))
        self.norm = batch_norm(edges * outputs, affine, track_statistics)

    def forward(self, x: Tensor, edges: Edges = None, scale: Tensor | None = None) -> Tensor:
        """x: (B, C, H, W), after the ReLU, H and W even; returns (B, e * outputs, H / 2, W / 2)."""
        count = self.edges if edges is None else len(edges)
        halves = [
            F.conv2d(part[:, :, ::2, ::2], edge_rows(weight, edges, self.edges))
            .permute(0, 2, 3, 1)
            .unflatten(3, (count, -1))
            for part, weight in ((x, self.even), (x[:, :, 1:, 1:], self.odd))
        ]
        joined = torch.cat(halves, dim=-1).flatten(3).permute(0, 3, 1, 2)
        return edge_norm(joined, self.norm, scale, edges, self.edges)


def kernels(outputs: int, inputs: int, size: int) -> Tensor:
    """Initial weights (outputs, inputs, size, size), from the distribution of torch's convolutions."""
    bound = 1 / math.sqrt(inputs * size * size)
    return torch.empty(outputs, inputs, size, size).uniform_(-bound, bound)


def batch_norm(channels: int, affine: bool, track_statistics: bool) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, affine=affine, track_running_stats=track_statistics)


def edge_rows(tensor: Tensor, edges: Edges, count: int) -> Tensor:
    """The rows of a tensor that belong to `edges`, out of `count` edges."""
    return tensor if edges is None else tensor.unflatten(0, (count, -1))[list(edges)].flatten(0, 1)


def edge_norm(
    x: Tensor, norm: nn.BatchNorm2d, scale: Tensor | None = None, edges: Edges = None, count: int = 1
) -> Tensor:
    """Batch norm of `edges`, out of `count`; without affine parameters, `scale` (e,) multiplies every edge's output.

    The scale is passed as the batch norm's weight. It must be contiguous: torch's CPU kernel ignores the stride of an
    expanded one.
    """
    if scale is None and edges is None:
        return cast(Tensor, norm(x))  # as a module, which may have been converted to a SyncBatchNorm
    means, variances = norm.running_mean, norm.running_var
    training = norm.training or means is None
    if means is not None and variances is not None:
        means, variances = edge_rows(means, edges, count), edge_rows(variances, edges, count)
        if norm.training:
            cast(Tensor, norm.num_batches_tracked).add_(1)
    weight: Tensor | None = norm.weight
    bias: Tensor | None = norm.bias
    if scale is not None:
        weight = scale[:, None].expand(-1, x.shape[1] // len(scale)).reshape(-1).contiguous()
        bias = torch.zeros_like(weight)
    y = F.batch_norm(x, means, variances, weight, bias, training, cast(float, norm.momentum), norm.eps)
    if edges is not None and norm.training and means is not None and variances is not None:
        for buffer, updated in ((norm.running_mean, means), (norm.running_var, variances)):
            cast(Tensor, buffer).view(count, -1)[list(edges)] = updated.view(len(edges), -1)
    return y


def depthwise(x: Tensor, weight: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
    """Depthwise convolution, padded to keep the resolution (divided by the stride). weight: (C, 1, k, k), k odd."""
    convolve = partial(
        F.conv2d, stride=stride, padding=dilation * (weight.shape[-1] // 2), dilation=dilation, groups=len(weight)
    )
    slow = x.device.type == "cpu" and weight.shape[-1] == 5 and dilation == 1 and not torch.compiler.is_compiling()
    if not (slow and weight.requires_grad and torch.is_grad_enabled()):
        return convolve(x, weight)
    y = convolve(x, weight.detach())
    return y.add_(_Zero5x5.apply(x.detach().to(y.dtype), weight, y.shape, stride))  # type: ignore[no-untyped-call]


class _Zero5x5(torch.autograd.Function):
    """Zero in value, with the weight gradient of a 5x5 depthwise convolution; added to a convolution of the detached
    weight.

    The CPU kernel for weight gradients is fast only up to a width of 3 (4 to 5 times), so the gradient is assembled
    from those of the first and the last three columns. It is separate from the gradient of `x`, so that autograd skips
    it where only the architecture's gradient is needed.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shape: torch.Size, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return x.new_zeros(()).expand(shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        columns = weight[..., :3].to(x.dtype).contiguous()
        only_weight = [False, True, False]
        first, last = (
            torch.ops.aten.convolution_backward(
                gradients[0],
                F.pad(x, sides),
                columns,
                bias_sizes=None,
                stride=[ctx.stride, ctx.stride],
                padding=[2, 0],
                dilation=[1, 1],
                transposed=False,
                output_padding=[0, 0],
                groups=len(weight),
                output_mask=only_weight,
            )[1]
            for sides in ((2, 0), (0, 2))
        )
        return None, torch.cat([first, last[..., 1:]], dim=-1).to(weight.dtype), None, None


def undilated(x: Tensor, stride: int) -> tuple[Tensor, int, Callable[[Tensor], Tensor]]:
    """Rewrite a convolution of dilation 2 as an ordinary one, which has faster kernels: (its input, the remaining
    dilation, the function that rearranges its output).

    With stride 2 the kernel sees only pixels of even row and column; with stride 1 the four phases of `x` do not
    interact. Inputs with a side of odd length stay dilated.
    """
    if stride == 2:
        return x[:, :, ::2, ::2], 1, lambda y: y
    if x.shape[2] % 2 or x.shape[3] % 2:
        return x, 2, lambda y: y
    return to_phases(x), 1, from_phases


def to_phases(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (4 B, C, H / 2, W / 2): each phase, the pixels of equal row and column parity, as an image.

    A convolution of dilation 2 is an ordinary convolution on the phases.
    """
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, width // 2, 2, channels)
    return pixels.permute(2, 4, 0, 1, 3, 5).reshape(-1, height // 2, width // 2, channels).permute(0, 3, 1, 2)


def from_phases(x: Tensor) -> Tensor:
    """Inverse of `to_phases`."""
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(2, 2, batch // 4, height, width, channels).permute(2, 3, 0, 4, 1, 5)
    return pixels.reshape(batch // 4, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def mix(weights: Tensor, tensors: Sequence[Tensor]) -> list[Tensor]:
    """n weighted sums of k tensors of the same shape, as one matrix product. weights: (n, k)."""
    pixels = [x.permute(0, 2, 3, 1) for x in tensors]
    sums = weights @ torch.stack([x.flatten() for x in pixels])
    return [y.view(pixels[0].shape).permute(0, 3, 1, 2) for y in sums.unbind()]


def shuffle_channels(x: Tensor, groups: int) -> Tensor:
    """Channel j of group i becomes channel i of block j (ShuffleNet). Unlike `F.channel_shuffle`, the result is
    channels-last on every device."""
    pixels: Tensor = x.permute(0, 2, 3, 1).unflatten(3, (groups, -1)).transpose(3, 4)
    return pixels.flatten(3).permute(0, 3, 1, 2)


def stems(name: str, channels: int) -> tuple[nn.Module, nn.Module]:
    """The two stems, whose outputs are the inputs of the first cell; the second reads the output of the first. "cifar"
    keeps the resolution, 3 C channels; "imagenet" divides it by 8 (by 4 in the first stem), C channels."""
    if name == "cifar":
        return nn.Sequential(*conv_norm(3, 3 * channels, 3, padding=1)), nn.Identity()
    first = nn.Sequential(
        *conv_norm(3, channels // 2, 3, stride=2, padding=1),
        nn.ReLU(),
        *conv_norm(channels // 2, channels, 3, stride=2, padding=1),
    )
    return first, nn.Sequential(nn.ReLU(), *conv_norm(channels, channels, 3, stride=2, padding=1))


def conv_norm(inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, size, stride, padding, bias=False), nn.BatchNorm2d(outputs)]
