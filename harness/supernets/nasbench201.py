"""The NAS-Bench-201 supernet: the benchmark's skeleton with a mixture of operations on every edge of every cell.

Dong and Yang, "NAS-Bench-201" (ICLR 2020), Section 3.1 and Figure 1: a 3x3 stem, N cells of C channels, a residual
block to 2C with stride 2, N cells, a residual block to 4C, N cells, then batch norm, ReLU, global average pooling and
a linear classifier. Node i of a cell is the sum over its inputs j of sum over operations o of weight[ij, o] * o(x_j).

The same function as one module per candidate operation, written with fewer passes over memory:
- channels-last layout throughout;
- one ReLU per node, and one convolution per node and kernel size for all edges that leave the node;
- averaging and identity are linear, so a node's inputs are mixed first and pooled once;
- the batch norms of the cells have no affine parameters, so the mixture weight is their scale;
- a bias in front of a batch norm cancels, so the convolutions have none.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.spaces import NASBench201

KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
NODES = 4


class NASBench201Supernet(nn.Module):
    """forward(images (B, 3, H, W), weights (E, K), edge_weights (E,)) -> logits (B, classes)."""

    def __init__(
        self, space: NASBench201, channels: int, cells: int, classes: int, track_statistics: bool = True
    ) -> None:
        """channels: C of the first stage; cells: N per stage; track_statistics: of the cells' batch norms."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.stages = nn.ModuleList()
        for stage in range(3):
            width = channels << stage
            blocks: list[nn.Module] = [ResidualBlock(width // 2, width)] if stage else []
            blocks += [SearchCell(space, width, track_statistics) for _ in range(cells)]
            self.stages.append(nn.ModuleList(blocks))
        self.last_norm = nn.BatchNorm2d(4 * channels)
        self.classifier = nn.Linear(4 * channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor, weights: Tensor, edge_weights: Tensor) -> Tensor:
        mixture = weights * edge_weights[:, None]
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            for block in cast(nn.ModuleList, stage):
                x = block(x, mixture) if isinstance(block, SearchCell) else block(x)
        x = F.relu(self.last_norm(x)).mean(dim=(2, 3))
        return cast(Tensor, self.classifier(x))


class SearchCell(nn.Module):
    """Four nodes; every candidate operation of every edge, weighted by the mixture (E, K)."""

    def __init__(self, space: NASBench201, channels: int, track_statistics: bool) -> None:
        super().__init__()
        self.channels = channels
        self.columns = {name: k for k, name in enumerate(space.operations)}
        self.edges_from = [[e for e, (_, j) in enumerate(space.edges) if j == node] for node in range(NODES)]
        self.edges_into = [[e for e, (i, _) in enumerate(space.edges) if i == node] for node in range(NODES)]
        self.target, self.source = zip(*space.edges, strict=True)
        self.kernels = [name for name in KERNEL_SIZES if name in self.columns]
        self.convolutions = nn.ModuleDict()
        self.norms = nn.ModuleDict()
        for name in self.kernels:
            size = KERNEL_SIZES[name]
            widths = [len(edges) * channels for edges in self.edges_from[:-1]]
            self.convolutions[name] = nn.ModuleList(
                nn.Conv2d(channels, width, size, padding=size // 2, bias=False) for width in widths
            )
            self.norms[name] = nn.ModuleList(
                nn.BatchNorm2d(width, affine=False, track_running_stats=track_statistics) for width in widths
            )

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        nodes = [x]
        arriving: list[list[Tensor]] = [[] for _ in range(NODES)]
        for node in range(1, NODES):
            for target, term in self._convolved(nodes[-1], node - 1, mixture):
                arriving[target].append(term)
            nodes.append(sum(self._linear(nodes, node, mixture), start=sum(arriving[node], start=x.new_zeros(()))))
        return nodes[-1]

    def _convolved(self, x: Tensor, node: int, mixture: Tensor) -> list[tuple[int, Tensor]]:
        """The weighted convolutions of all edges that leave a node, as (target node, term)."""
        edges = self.edges_from[node]
        activated = F.relu(x)
        terms = []
        for name in self.kernels:
            outputs = cast(nn.ModuleList, self.convolutions[name])[node](activated)
            norm = cast(nn.ModuleList, self.norms[name])[node]
            scale = mixture[edges, self.columns[name]].repeat_interleave(self.channels)
            terms += list(zip(edges, scaled_norm(outputs, norm, scale).split(self.channels, dim=1), strict=True))
        return [(self.target[edge], term) for edge, term in terms]

    def _linear(self, nodes: list[Tensor], node: int, mixture: Tensor) -> list[Tensor]:
        """The weighted identities and average poolings of all edges into a node; the zero operation adds nothing."""
        terms = []
        if "skip_connect" in self.columns:
            terms += self._weighted(nodes, node, mixture, "skip_connect")
        if "avg_pool_3x3" in self.columns:
            mixed = sum(self._weighted(nodes, node, mixture, "avg_pool_3x3"))
            terms.append(F.avg_pool2d(cast(Tensor, mixed), 3, stride=1, padding=1, count_include_pad=False))
        return terms

    def _weighted(self, nodes: list[Tensor], node: int, mixture: Tensor, operation: str) -> list[Tensor]:
        edges = self.edges_into[node]
        factors = mixture[edges[0] : edges[-1] + 1, self.columns[operation]].unbind()
        return [factor * nodes[self.source[edge]] for edge, factor in zip(edges, factors, strict=True)]


def scaled_norm(x: Tensor, norm: nn.Module, scale: Tensor) -> Tensor:
    """Batch norm without affine parameters, times `scale` (C,)."""
    norm = cast(nn.BatchNorm2d, norm)
    tracked = norm.running_mean is not None
    if norm.training and tracked:
        cast(Tensor, norm.num_batches_tracked).add_(1)
    return F.batch_norm(
        x,
        norm.running_mean,
        norm.running_var,
        weight=scale,
        bias=torch.zeros_like(scale),
        training=norm.training or not tracked,
        momentum=cast(float, norm.momentum),
        eps=norm.eps,
    )


class ResidualBlock(nn.Module):
    """Halves the resolution: two 3x3 convolutions beside a pooled shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.shortcut(x) + self.body(x))
