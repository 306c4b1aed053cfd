"""A user's own cell space: two edges in a row, three operations, and its supernet."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import nn

from harness.benchmarks import SearchSpace


@dataclass(frozen=True)
class TwoEdges(SearchSpace):
    operations: tuple[str, ...] = ("skip", "conv", "pool")
    name: ClassVar[str] = "two-edges"
    edge_target: ClassVar[tuple[int, ...]] = (1, 2)
    groups: ClassVar[dict[str, slice]] = {"normal": slice(0, 2)}

    def without(self, operation):
        return replace(self, operations=tuple(name for name in self.operations if name != operation))

    def random(self, rng):
        return tuple(self.operations[k] for k in rng.integers(len(self.operations), size=2))

    def mutate(self, arch, rng):
        edge = rng.integers(2)
        other = [name for name in self.operations if name != arch[edge]]
        return tuple(other[rng.integers(len(other))] if e == edge else name for e, name in enumerate(arch))

    def discretize(self, strength):
        return tuple(self.operations[k] for k in np.array(strength.tolist()).argmax(axis=1))

    def one_hot(self, arch):
        return np.eye(len(self.operations))[[self.operations.index(name) for name in arch]]

    def to_string(self, arch):
        return "-".join(arch)

    def from_string(self, text):
        arch = tuple(text.split("-"))
        self.one_hot(arch)
        return arch

    def supernet(self, channels, cells, classes, track_statistics, partial_channels):
        return TwoEdgesSupernet(channels, cells, classes, track_statistics)


class TwoEdgesSupernet(nn.Module):
    def __init__(self, channels, cells, classes, track_statistics):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2 * cells))
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(channels, track_running_stats=track_statistics) for _ in range(2 * cells)
        )
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images, weights, edge_weights, sampled=False):
        x = self.stem(images)
        for place, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            edge = place % 2
            outputs = [x, norm(convolution(x.relu())), nn.functional.avg_pool2d(x, 3, 1, 1)]
            x = edge_weights[edge] * sum(w * output for w, output in zip(weights[edge], outputs, strict=True))
        return self.classifier(x.mean(dim=(2, 3)))
