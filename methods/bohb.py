"""BOHB: Hyperband with cells proposed by a density model of good and bad cells.

Falkner, Klein, Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at Scale" (ICML 2018), Algorithms 1 and
2, as the NAS-Bench-201 baseline runs it (D-X-Y/AutoDL-Projects, BOHB, with the package hpbandster): every evaluation
trains for 12 epochs regardless of the Hyperband rung, so a rung only determines which cells are evaluated again.

Defaults: rungs from 12 to 200 epochs with eta 3, as the code had them when the paper appeared (other versions have 3 to
108), 4 samples, random fraction 0, bandwidth factor 3, minimum bandwidth 0.3. As in hpbandster, the best 15 % of a
rung's cells are the good ones, at least one more than the space has edges; bandwidths follow the rule of thumb 1.06 s
n^(-1/(4+E)) with s the standard deviation of the operation indices; the kernel is Aitchison and Aitken's. The bandwidth
factor applies only to continuous parameters, of which there are none.
"""

from collections.abc import Generator, Iterator
from typing import final

import numpy as np

from harness.api import BlackBox
from harness.benchmarks import Arch, SearchSpace

GOOD_SHARE = 0.15


@final
class Bohb(BlackBox):
    paper = "Falkner et al., BOHB, ICML 2018"
    family = "black-box"
    version = 2

    def __init__(
        self,
        space: SearchSpace,
        min_budget: float = 12,
        max_budget: float = 200,
        eta: int = 3,
        samples: int = 4,
        random_fraction: float = 0.0,
        min_bandwidth: float = 0.3,
    ) -> None:
        super().__init__(space)
        self.categories = list(space.categories)
        if not 0 < min_budget <= max_budget or eta < 2 or samples < 1:
            raise ValueError("BOHB needs 0 < min_budget <= max_budget, eta of at least 2, samples of at least 1")
        self.rungs = int(np.log(max_budget / min_budget) / np.log(eta)) + 1
        self.eta = eta
        self.samples = samples
        self.random_fraction = random_fraction
        self.min_bandwidth = min_bandwidth

    @classmethod
    def unsupported(cls, space: SearchSpace) -> str | None:
        return None if space.categories else "its density model takes architectures that are independent decisions"

    def search(self, rng: np.random.Generator) -> Generator[Arch, float, None]:
        seen: list[list[tuple[float, np.ndarray]]] = [[] for _ in range(self.rungs)]  # per rung: accuracy, cell
        for first, sizes in self.brackets():
            cells: list[np.ndarray] = []
            for rung, size in enumerate(sizes, start=first):
                accuracies = []
                for index in range(size):
                    cell = cells[index] if rung > first else self.propose(seen, rng)
                    accuracies.append((yield self.space.from_categories(cell)))
                    seen[rung].append((accuracies[-1], cell))
                    if rung == first:
                        cells.append(cell)
                order = np.argsort(-np.array(accuracies), kind="stable")
                cells = [cells[index] for index in order]

    def brackets(self) -> Iterator[tuple[int, list[int]]]:
        """Endless Hyperband brackets: the first rung of a bracket and the number of cells of each of its rungs."""
        while True:
            for last in reversed(range(self.rungs)):
                most = self.rungs // (last + 1) * self.eta**last
                yield self.rungs - 1 - last, [max(1, int(most * self.eta**-i)) for i in range(last + 1)]

    def propose(self, seen: list[list[tuple[float, np.ndarray]]], rng: np.random.Generator) -> np.ndarray:
        """(E,) operation indices: the best ratio of densities among samples around good cells, or a random cell."""
        enough = len(self.categories) + 1
        for evaluated in reversed(seen):  # the model of the highest rung with enough cells
            good = max(enough, int(GOOD_SHARE * len(evaluated)))
            if len(evaluated) >= good + enough:
                if rng.random() < self.random_fraction:
                    break
                ranked = [cell for _, cell in sorted(evaluated, key=lambda item: -item[0])]
                bad = max(enough, int((1 - GOOD_SHARE) * len(evaluated)))
                return self.sample(np.array(ranked[:good]), np.array(ranked[good : good + bad]), rng)
        return rng.integers(self.categories)

    def sample(self, good: np.ndarray, bad: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(E,) the sample around `good` (n, E) with the lowest density ratio of `bad` (m, E) to `good`."""
        width = self.bandwidth(good)
        centres = good[rng.integers(len(good), size=self.samples)]  # (samples, E)
        stay = rng.random(centres.shape) < 1 - width
        cells = np.where(stay, centres, rng.integers(self.categories, size=centres.shape))
        ratio = density(cells, bad, self.bandwidth(bad)) / density(cells, good, width)
        return np.asarray(cells[ratio.argmin()])

    def bandwidth(self, data: np.ndarray) -> np.ndarray:
        """(E,) bandwidths for data (n, E)."""
        n, edges = data.shape
        return np.asarray((1.06 * data.std(axis=0) * n ** (-1 / (4 + edges))).clip(min=self.min_bandwidth))


def density(cells: np.ndarray, data: np.ndarray, width: np.ndarray) -> np.ndarray:
    """(m,) densities of cells (m, E) under the kernel estimate of data (n, E) with bandwidths (E,), at least 1e-32."""
    levels = np.array([len(np.unique(column)) for column in data.T])
    same = cells[:, None, :] == data  # (m, n, E)
    kernel = np.where(same, 1 - width, width / (levels - 1).clip(min=1))
    return np.asarray(kernel.prod(axis=2).mean(axis=1).clip(min=1e-32))
