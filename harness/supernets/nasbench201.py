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

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.spaces import NASBench201

KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
NODES = 4


class NASBench201Supernet(nn.Module):
    """A mixture of operations on every edge: forward(images (B, 3, H, W), weights (E, K), edge_weights (E,))
    -> logits (B, classes)."""

    def __init__(
        self,
        space: NASBench201,
        channels: int,
        cells: int,
        classes: int,
        track_statistics: bool = True,
        partial_channels: int = 1,
    ) -> None:
        """channels: C of the first stage; cells: N per stage; track_statistics: of the cells' batch norms.

        partial_channels: operations act on the first 1/n of a node's channels, the others pass through and the two
        groups are shuffled (Xu et al., "PC-DARTS", ICLR 2020, Section 3.1). ValueError unless n divides `channels`.
        """
        super().__init__()
        if partial_channels < 1 or channels % partial_channels:
            raise ValueError(f"partial_channels = {partial_channels} does not divide {channels} channels")
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
        """sampled: every row of `weights` is one-hot in value, so only the chosen operation of each edge runs.

        Gradient may flow to all entries of such a row (straight-through estimators). As in the code of GDAS (Dong
        and Yang, CVPR 2019), each weight that was not chosen is then added to every element of the edge's output.
        """
        mixture = Mixture.of(weights, edge_weights, sampled)
        x = self.stem(images.contiguous(memory_format=torch.channels_last))
        for stage in self.stages:
            for block in cast(nn.ModuleList, stage):
                x = block(x, mixture) if isinstance(block, SearchCell) else block(x)
        x = F.relu(self.last_norm(x)).mean(dim=(2, 3))
        return cast(Tensor, self.classifier(x))


@dataclass(frozen=True)
class Mixture:
    """How the operations of every edge are mixed, the same in all cells."""

    weights: Tensor
    """(E, K), times the edge weights."""
    edge_weights: Tensor
    """(E,)."""
    chosen: list[int] | None = None
    """(E,) the only operation of each edge; None: all run."""
    offsets: Tensor | None = None
    """(E,) the sum of an edge's weights that were not chosen, times its edge weight: zero in value."""

    @staticmethod
    def of(weights: Tensor, edge_weights: Tensor, sampled: bool) -> Mixture:
        product = weights * edge_weights[:, None]
        if not sampled:
            return Mixture(product, edge_weights)
        chosen = weights.detach().argmax(dim=1)
        offsets = None
        if weights.requires_grad and torch.is_grad_enabled():
            offsets = product.scatter(1, chosen[:, None], 0).sum(dim=1)
        return Mixture(product, edge_weights, chosen.tolist(), offsets)


class SearchCell(nn.Module):
    """Four nodes; every candidate operation of every edge."""

    def __init__(self, space: NASBench201, channels: int, track_statistics: bool, partial_channels: int = 1) -> None:
        super().__init__()
        self.partial_channels = partial_channels
        self.channels = channels // partial_channels
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
            widths = [len(edges) * self.channels for edges in self.edges_from[:-1]]
            self.convolutions[name] = nn.ModuleList(
                nn.Conv2d(self.channels, width, size, padding=size // 2, bias=False) for width in widths
            )
            self.norms[name] = nn.ModuleList(
                nn.BatchNorm2d(width, affine=False, track_running_stats=track_statistics) for width in widths
            )

    def forward(self, x: Tensor, mixture: Mixture) -> Tensor:
        """(B, C, H, W) -> the same shape; the operations see the first C / partial_channels channels of each node."""
        nodes, heads = [x], [self._head(x)]
        arriving: list[list[Tensor]] = [[] for _ in range(NODES)]
        for node in range(1, NODES):
            if mixture.chosen is None:
                for target, term in self._convolved(heads[-1], node - 1, mixture):
                    arriving[target].append(term)
                terms = arriving[node] + self._linear(heads, node, mixture)
            else:
                terms = self._chosen(heads, node, mixture, mixture.chosen)
            mixed = sum(terms[1:], start=terms[0]) if terms else torch.zeros_like(heads[0])
            nodes.append(self._with_untouched(mixed, nodes, node, mixture))
            heads.append(self._head(nodes[-1]))
        return nodes[-1]

    def _head(self, x: Tensor) -> Tensor:
        if self.partial_channels == 1:
            return x
        return x[:, : self.channels].contiguous(memory_format=torch.channels_last)

    def _with_untouched(self, mixed: Tensor, nodes: list[Tensor], node: int, mixture: Mixture) -> Tensor:
        """Append the weighted channels that pass by the operations, then interleave the two kinds (channel shuffle)."""
        if self.partial_channels == 1:
            return mixed
        edges = self.edges_into[node]
        factors = mixture.edge_weights[edges].unbind()
        untouched = sum(f * nodes[self.source[e]][:, self.channels :] for e, f in zip(edges, factors, strict=True))
        joined = torch.cat([mixed, cast(Tensor, untouched)], dim=1)
        return F.channel_shuffle(joined, self.partial_channels).contiguous(memory_format=torch.channels_last)

    # All operations ------------------------------------------------------------------------------------------------

    def _convolved(self, x: Tensor, node: int, mixture: Mixture) -> list[tuple[int, Tensor]]:
        """The weighted convolutions of all edges that leave a node, as (target node, term)."""
        edges = self.edges_from[node]
        activated = F.relu(x)
        terms = []
        for name in self.kernels:
            outputs = cast(nn.ModuleList, self.convolutions[name])[node](activated)
            norm = cast(nn.ModuleList, self.norms[name])[node]
            scale = mixture.weights[edges, self.columns[name]].repeat_interleave(self.channels)
            terms += list(zip(edges, scaled_norm(outputs, norm, scale).split(self.channels, dim=1), strict=True))
        return [(self.target[edge], term) for edge, term in terms]

    def _linear(self, nodes: list[Tensor], node: int, mixture: Mixture) -> list[Tensor]:
        """The weighted identities and average poolings of all edges into a node; the zero operation adds nothing."""
        terms = []
        if "skip_connect" in self.columns:
            terms += self._weighted(nodes, node, mixture, "skip_connect")
        if "avg_pool_3x3" in self.columns:
            terms.append(average(cast(Tensor, sum(self._weighted(nodes, node, mixture, "avg_pool_3x3")))))
        return terms

    def _weighted(self, nodes: list[Tensor], node: int, mixture: Mixture, operation: str) -> list[Tensor]:
        edges = self.edges_into[node]
        factors = mixture.weights[edges[0] : edges[-1] + 1, self.columns[operation]].unbind()
        return [factor * nodes[self.source[edge]] for edge, factor in zip(edges, factors, strict=True)]

    # The chosen operations only ------------------------------------------------------------------------------------

    def _chosen(self, nodes: list[Tensor], node: int, mixture: Mixture, chosen: list[int]) -> list[Tensor]:
        """The weighted chosen operation of every edge into a node, and the offsets of the others."""
        terms = []
        for edge in self.edges_into[node]:
            name, weight, x = (
                self.operations[chosen[edge]],
                mixture.weights[edge, chosen[edge]],
                nodes[self.source[edge]],
            )
            if name in self.kernels:
                terms.append(self._convolved_along(edge, name, x, weight))
            elif name == "skip_connect":
                terms.append(weight * x)
            elif name == "avg_pool_3x3":
                terms.append(weight * average(x))
            if mixture.offsets is not None:
                terms.append(mixture.offsets[edge].expand_as(x))
        return terms

    def _convolved_along(self, edge: int, name: str, x: Tensor, weight: Tensor) -> Tensor:
        node = self.source[edge]
        position = self.edges_from[node].index(edge)
        rows = slice(position * self.channels, (position + 1) * self.channels)
        kernel = cast(nn.ModuleList, self.convolutions[name])[node].weight[rows]
        output = F.conv2d(F.relu(x), kernel, padding=KERNEL_SIZES[name] // 2)
        norm = cast(nn.ModuleList, self.norms[name])[node]
        return scaled_norm(output, norm, weight.repeat(self.channels), rows)


def average(x: Tensor) -> Tensor:
    """3x3 average pooling that does not count the padding."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def scaled_norm(x: Tensor, norm: nn.Module, scale: Tensor, rows: slice = slice(None)) -> Tensor:
    """Batch norm without affine parameters, times `scale` (C,); `rows`: the channels of `norm` that x holds."""
    norm = cast(nn.BatchNorm2d, norm)
    tracked = norm.running_mean is not None
    if norm.training and tracked:
        cast(Tensor, norm.num_batches_tracked).add_(1)
    return F.batch_norm(
        x,
        norm.running_mean[rows] if norm.running_mean is not None else None,
        norm.running_var[rows] if norm.running_var is not None else None,
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
