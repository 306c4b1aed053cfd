"""A comparison of methods, and its description in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

from harness.benchmarks.base import Noise
from harness.report import statistics
from harness.report.groups import SELECTIONS, Group
from harness.report.render.wording import p_value, ranges
from harness.report.statistics import ALPHA, POWER, RELIABLE_RUNS, RESAMPLES, Interval, PairedTest
from harness.text import printable

SELECTION = "last"

LEGEND = (
    "How to read this: differences are in points of accuracy (%; of retrained cells 100 minus the test error), first"
    " method minus second. The difference, its interval and the test (Wilcoxon's signed-rank, two-sided) are paired by"
    " seed; the probability that a search beats another and Cliff's delta ignore the pairing."
    " A difference is relevant if its whole interval lies beyond the noise: the pooled standard deviation among"
    " isomorphic cells in the table. p is not corrected for the number of datasets and splits: they evaluate the same"
    " cells."
)


@dataclass(frozen=True)
class Comparison:
    """Two methods on one dataset and split, over the seeds that both have."""

    group: Group
    dataset: str
    split: str
    label: str
    """Label that marks every number of a proxy; otherwise empty."""
    first: str
    second: str
    """Labels of the methods, without the bracketed settings that all compared methods share."""
    seeds: tuple[int, ...]
    unpaired: tuple[tuple[int, ...], tuple[int, ...]]
    """Seeds with an accuracy of only the first, and of only the second method; they are left out."""
    mean: float
    """Mean of the paired differences, first - second, in points."""
    std: float
    """Sample standard deviation of the paired differences; NaN for one."""
    median: float
    iqm: float
    """Interquartile mean of the paired differences."""
    interval: Interval | None
    """95 % paired bootstrap; None for one seed."""
    better: int
    equal: int
    """Numbers of seeds where the first is better, and where both are equal."""
    test: PairedTest
    corrected: float
    """p of the test after Holm's correction over `comparisons`."""
    comparisons: int
    """Number of methods compared with the first on this dataset and split."""
    improvement: float
    """Probability that a search with the first beats one with the second, ties counted half."""
    noise: Noise | None
    """Standard deviation among isomorphic cells; None where no tabular benchmark covers the cells."""

    @property
    def significant(self) -> bool:
        return self.corrected <= ALPHA

    @property
    def lines(self) -> list[str]:
        """Plain text: the first line states the result, the others interpret it."""
        remarks = [self._significance(), self._relevance(self.interval), self._power()] if self.interval else []
        lines = [self._difference(), *remarks, self._size(), self._middle(), self._left_out()]
        return [printable(line) for line in lines if line]

    def _difference(self) -> str:
        n = len(self.seeds)
        where = ", ".join(filter(None, [self.split, self.label, f"n = {n} paired {_seeds(n)}"]))
        what = f"{self.first} against {self.second} on {self.dataset} ({where}): {self.mean:+.2f} points"
        counts = f"better in {self.better} of {n} {_seeds(n)}" + (f", equal in {self.equal}" if self.equal else "")
        if self.interval is None:
            return f"{what}; {counts}; one seed gives neither an interval nor a test"
        bounds = f"95 % interval [{self.interval.low:.2f}, {self.interval.high:.2f}]"
        return f"{what} on average, {bounds} (paired bootstrap, {RESAMPLES:,} resamples); {counts}"

    def _significance(self) -> str:
        differing = len(self.seeds) - self.equal
        if not differing:
            return "equal in every seed: there is nothing to test"
        test = f"{'exact ' if self.test.exact else ''}paired test p {p_value(self.test.p)}"
        if self.comparisons > 1:
            test += f", corrected for {self.comparisons} comparisons p {p_value(self.corrected)}"
        if self.significant:
            return f"{test}: significant at {ALPHA}"
        if self.test.smallest * self.comparisons <= ALPHA:
            return f"{test}: not significant at {ALPHA}"
        possible = f"the smallest possible with {differing} {_seeds(differing)}{' that differ' if self.equal else ''}"
        if not isclose(self.test.p, self.test.smallest):
            possible += f" is {self.test.smallest:.3g}"
        least = statistics.minimum_seeds(self.comparisons)
        return f"{test}; {possible}: too few seeds to reach {ALPHA}, at least {least} are needed"

    def _relevance(self, interval: Interval) -> str:
        if self.noise is None:
            return "relevance unknown: no tabular benchmark measures the noise between isomorphic cells here"
        source = "" if self.noise.split == self.split else f" (of {self.noise.split}: the table lacks {self.split})"
        region = f"±{self.noise.points:.2f} points, the noise between isomorphic cells{source}"
        sentence = {
            "relevant": f"relevant in practice: the whole interval lies beyond {region}",
            "equivalent": f"equivalent in practice: the whole interval lies within {region}",
            "undecided": f"relevance undecided: the interval lies partly within and partly beyond {region}",
        }[statistics.relevance(interval, self.noise.points)]
        if len(self.seeds) < RELIABLE_RUNS:
            sentence += f"; tentative, as a bootstrap interval from fewer than {RELIABLE_RUNS} seeds is too narrow"
        return sentence

    def _size(self) -> str:
        delta = statistics.cliffs_delta(self.improvement)
        word = statistics.magnitude(delta)
        effect = f"a search with {self.first} beats one with {self.second} with probability {self.improvement:.2f}"
        return f"{effect} (Cliff's delta {delta:+.2f}, {word})"

    def _middle(self) -> str:
        """Median and interquartile mean, robust to a few collapsed searches; trimming needs at least four pairs."""
        if len(self.seeds) < 4:
            return ""
        return f"robust to outliers: median of the differences {self.median:+.2f}, interquartile mean {self.iqm:+.2f}"

    def _power(self) -> str:
        needed = statistics.seeds_needed(self.mean, self.std, self.comparisons)
        if needed is None:
            return "the mean difference is zero: no number of seeds would show one"
        enough = "these seeds suffice" if needed <= len(self.seeds) else f"about {needed:,} paired seeds are needed"
        spread = f"if the true difference and its spread (standard deviation {self.std:.2f}) are as observed"
        return f"{enough} for {100 * POWER:.0f} % power at {ALPHA}, {spread}"

    def _left_out(self) -> str:
        parts = [
            f"{ranges(seeds)} (only {method})"
            for method, seeds in zip((self.first, self.second), self.unpaired, strict=True)
            if seeds
        ]
        return f"left out, not paired: seeds {'; '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Comparisons:
    """Comparisons of the first method with each of the others."""

    comparisons: tuple[Comparison, ...]
    shared: str
    """The bracketed settings that all methods share."""
    notes: tuple[str, ...]
    """One line for each pair of methods that cannot be compared, with the reason."""

    @property
    def lines(self) -> list[str]:
        """Plain text without markup: one line per paragraph, empty lines between sections."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        group = None
        for comparison in self.comparisons:
            if comparison.group != group:
                group = comparison.group
                yield printable(f"{group.title}; all with {self.shared}" if self.shared else group.title)
                yield printable(f"{group.sentence}; {SELECTIONS[SELECTION]}")
                if group.label:
                    yield "a proxy: results of these small searches may not hold for full-size ones"
                yield ""
            result, *remarks = comparison.lines
            yield result
            yield from (f"- {remark}" for remark in remarks)
            yield ""
        yield from self.notes
        if self.comparisons:
            yield LEGEND


def _seeds(n: int) -> str:
    return "seed" if n == 1 else "seeds"
