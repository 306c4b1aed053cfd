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
    """forward(images (B, 3, H, W), weights (E, K), edge_weights (E,)) -> logits (B, classes).

    With `sampled`, rows of `weights` are one-hot in value: only the chosen operations run, and every other weight is
    added to its edge as a number, which is zero but has a gradient (D-X-Y/AutoDL-Projects, GDAS).
    """

    def __init__(
        self,
        space: NASBench201,
        channels: int,
        cells: int,
        classes: int,
        track_statistics: bool = True,
        partial_channels: int = 1,
    ) -> None:
        """channels: C of the first stage; cells: N per stage; track_statistics: of the cells' batch norms;
        partial_channels: operations act on 1/n of the channels. ValueError if n does not divide C."""
        super().__init__()
        if channels % partial_channels:
            raise ValueError(f"channels={channels} is no multiple of partial_channels={partial_channels}")
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.stages = nn.ModuleList()
        for stage in range(3):
            width = channels << stage
            blocks: list[nn.Module] = [ResidualBlock(width // 2, width)] if stage else []
            blocks += [SearchCell(space, width, track_statistics, partial_channels) for _ in range(cells)]
            self.stages.append(nn.ModuleList(blocks))
        self.last_norm = nn.BatchNorm2d(4 * channels)
        self.classifier = nn.Linear(4 * channels, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor, weights: Tensor, edge_weights: Tensor, sampled: bool = False) -> Tensor:
        mixture = weights * edge_weights[:, None]
        chosen = weights.argmax(dim=1).tolist() if sampled else None  # waits for the device once
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            for block in cast(nn.ModuleList, stage):
                x = block(x, mixture, edge_weights, chosen) if isinstance(block, SearchCell) else block(x)
        x = F.relu(self.last_norm(x)).mean(dim=(2, 3))
        return cast(Tensor, self.classifier(x))


class SearchCell(nn.Module):
    """Four nodes; every candidate operation of every edge, weighted by the mixture (E, K)."""

    def __init__(self, space: NASBench201, channels: int, track_statistics: bool, partial_channels: int) -> None:
        super().__init__()
        self.groups = partial_channels
        self.channels = channels = channels // partial_channels  # that the operations see
        self.operations = space.operations
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

    def forward(self, x: Tensor, mixture: Tensor, edge_weights: Tensor, chosen: list[int] | None) -> Tensor:
        nodes = [x]
        arriving: list[list[Tensor]] = [[] for _ in range(NODES)]
        for node in range(1, NODES):
            parts = [source[:, : self.channels] if self.groups > 1 else source for source in nodes]
            if chosen is None:
                for target, term in self._convolved(parts[-1], node - 1, mixture):
                    arriving[target].append(term)
                terms = self._linear(parts, node, mixture)
            else:
                terms = [self._chosen(parts, edge, chosen[edge], mixture) for edge in self.edges_into[node]]
            output = sum(terms, start=sum(arriving[node], start=x.new_zeros(())))
            nodes.append(self._with_bypass(output, nodes, node, edge_weights) if self.groups > 1 else output)
        return nodes[-1]

    def _with_bypass(self, output: Tensor, nodes: list[Tensor], node: int, edge_weights: Tensor) -> Tensor:
        """The channels that no operation sees pass by; then the channels are shuffled (PC-DARTS, ICLR 2020)."""
        output = output.expand_as(nodes[0][:, : self.channels])  # if all operations are zero it is a number
        edges = self.edges_into[node]
        rest = sum(edge_weights[edge] * nodes[self.source[edge]][:, self.channels :] for edge in edges)
        joined = torch.cat([output, cast(Tensor, rest)], dim=1)
        shuffled: Tensor = joined.unflatten(1, (self.groups, self.channels)).transpose(1, 2).flatten(1, 2)
        return shuffled

    def _chosen(self, nodes: list[Tensor], edge: int, column: int, mixture: Tensor) -> Tensor:
        """The only operation that runs on an edge, and the weights of the others as numbers."""
        x, operation, weight = nodes[self.source[edge]], self.operations[column], mixture[edge, column]
        if operation in KERNEL_SIZES:
            output = self._one_convolution(F.relu(x), edge, operation, weight)
        elif operation == "avg_pool_3x3":
            output = weight * F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        else:
            output = weight * x if operation == "skip_connect" else torch.zeros_like(x)
        return output + (mixture[edge].sum() - weight) if mixture.requires_grad else output

    def _one_convolution(self, activated: Tensor, edge: int, operation: str, weight: Tensor) -> Tensor:
        source = self.source[edge]
        place = self.edges_from[source].index(edge)
        rows = slice(place * self.channels, (place + 1) * self.channels)
        kernel = cast(nn.Conv2d, cast(nn.ModuleList, self.convolutions[operation])[source]).weight[rows]
        norm = cast(nn.ModuleList, self.norms[operation])[source]
        output = F.conv2d(activated, kernel, padding=KERNEL_SIZES[operation] // 2)
        return scaled_norm(output, norm, weight.repeat(self.channels), rows)

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


def scaled_norm(x: Tensor, norm: nn.Module, scale: Tensor, channels: slice = slice(None)) -> Tensor:
    """Batch norm without affine parameters, times `scale` (C,); x has these `channels` of the norm's."""
    norm = cast(nn.BatchNorm2d, norm)
    tracked = norm.running_mean is not None
    if norm.training and tracked:
        cast(Tensor, norm.num_batches_tracked).add_(1)
    return F.batch_norm(
        x,
        cast(Tensor, norm.running_mean)[channels] if tracked else None,
        cast(Tensor, norm.running_var)[channels] if tracked else None,
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
