"""A user's own search space that is unlike the built-in ones: choices with 2 to 5 options, of which one keeps two.

A network of two layers, each an operation on the activation of its input, and an output that is the sum of two of the
three feature maps. Architectures are not trained: `evaluate` is a formula, so that the best ones are known.
"""

from itertools import combinations, product
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from harness.benchmarks import Graph, SearchSpace

FIRST = ("conv 3x3", "conv 1x1", "skip", "pool", "double")
ACTIVATIONS = ("relu", "tanh")
SECOND = ("conv 3x3", "conv 1x1", "skip", "pool")
MAPS = ("stem", "first", "second")
SUMS = tuple(combinations(MAPS, 2))


class Uneven(SearchSpace):
    """An architecture is (first operation, activation, second operation, (feature map, feature map))."""

    name: ClassVar[str] = "uneven"
    groups: ClassVar[dict[str, slice]] = {"layers": slice(0, 3), "output": slice(3, 4)}
    options = (FIRST, ACTIVATIONS, SECOND, MAPS)
    keep = (1, 1, 1, 2)
    row_names = ("first", "activation", "second", "output")
    categories = (len(FIRST), len(ACTIVATIONS), len(SECOND), len(SUMS))

    def from_categories(self, values):
        first, activation, second, maps = values
        return FIRST[first], ACTIVATIONS[activation], SECOND[second], SUMS[maps]

    def all(self):
        return list(product(FIRST, ACTIVATIONS, SECOND, SUMS))

    def random(self, rng):
        return self.from_categories(rng.integers(self.categories))

    def neighbours(self, arch):
        return [other for other in self.all() if sum(a != b for a, b in zip(arch, other, strict=True)) == 1]

    def mutate(self, arch, rng):
        neighbours = self.neighbours(arch)
        return neighbours[rng.integers(len(neighbours))]

    def discretize(self, strength):
        rows = [row[: len(names)] for row, names in zip(strength.tolist(), self.options, strict=True)]
        best = [names[int(np.argmax(row))] for names, row in zip(self.options, rows, strict=True)]
        strongest = sorted(np.argsort(-np.array(rows[3]), kind="stable")[:2])
        return (*best[:3], tuple(MAPS[place] for place in strongest))

    def one_hot(self, arch):
        weights = np.zeros(self.shape)
        for row, (names, chosen) in enumerate(zip(self.options, (*[(a,) for a in arch[:3]], arch[3]), strict=True)):
            weights[row, [names.index(name) for name in chosen]] = 1
        return weights

    def to_string(self, arch):
        return "/".join((*arch[:3], "+".join(arch[3])))

    def from_string(self, text):
        *layers, maps = text.split("/")
        arch = (*layers, tuple(maps.split("+")))
        if arch not in self.all():
            raise ValueError(f"not an architecture of the uneven space: {text[:80]!r}")
        return arch

    def graph(self, arch):
        first, activation, second, maps = arch
        edges = [(0, 1, first), (1, 2, second), *((MAPS.index(name), 3, "") for name in maps)]
        return (Graph(activation, ("in", "1", "2", "out"), tuple(edges)),)

    # What gives its architectures numbers ----------------------------------------------------------------------------

    def evaluate(self, arch):
        validation = 60.0 + 5 * (5 - FIRST.index(arch[0])) + 3 * (arch[1] == "relu") + SUMS.index(arch[3])
        return {("formula", "valid"): validation, ("formula", "test"): validation - 1}

    def best(self):
        return [max(self.all(), key=lambda arch: self.evaluate(arch)["formula", "test"])]

    def query(self, arch):
        return self.evaluate(arch)["formula", "valid"], 300.0

    def supernet(self, channels, cells, classes, track_statistics, partial_channels):
        return UnevenSupernet(channels, classes, track_statistics)


class UnevenSupernet(nn.Module):
    def __init__(self, channels, classes, track_statistics):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(channels, channels, size, padding=size // 2) for size in (3, 1)) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, track_running_stats=track_statistics) for _ in range(2))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images, weights, edge_weights, sampled=False):
        stem = self.stem(images)
        first = self.layer(0, weights[1, 0] * stem.relu() + weights[1, 1] * stem.tanh(), weights[0])
        second = self.layer(1, first, weights[2])
        maps = torch.stack([stem, first, second])
        return self.classifier((weights[3, :3] @ maps.flatten(1)).view_as(stem).mean(dim=(2, 3)))

    def operation_rows(self):
        """The convolutions of both layers, whole tensors."""
        return {
            (0, row, FIRST[column]): [(f"layers.{place}.{column}.{part}", slice(None)) for part in ("weight", "bias")]
            for place, row in enumerate((0, 2))
            for column in range(2)
        }

    def layer(self, place, x, weights):
        three, one = self.layers[place]
        outputs = [three(x), one(x), x, F.avg_pool2d(x, 3, 1, 1), 2 * x]
        return self.norms[place](sum(w * output for w, output in zip(weights, outputs, strict=True)))
