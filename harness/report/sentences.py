"""A comparison of methods, and its description in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

from harness.report import statistics
from harness.report.groups import SELECTIONS, Group
from harness.report.render.wording import p_value, ranges
from harness.report.statistics import ALPHA, BOOTSTRAP_RUNS, POWER, POWER_RUNS, RESAMPLES, Interval, Test
from harness.text import printable

SELECTION = "last"

MOST_SEEDS = 1_000
"""Larger numbers of seeds are no plan for an experiment, and not printed."""

NO_TEST = "one search gives neither an interval nor a test"
LEGEND = (
    "How to read this: differences are in points of accuracy (%; of retrained cells 100 minus the test error), first"
    " method minus second. p is two-sided and does not test the printed difference of the means: the Mann-Whitney U"
    " test asks whether the searches of both methods come from one distribution, the Wilcoxon signed-rank test"
    " (--paired) whether the differences by seed are symmetric around zero. p is corrected by Holm's method over the"
    " first method against all other methods of the group, whichever were named: on the primary dataset and split, and"
    " on all others together. A difference is relevant if its whole interval lies beyond the training noise: the"
    " standard deviation between the accuracies of isomorphic cells, which compute the same function but were trained"
    " separately."
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
    paired: bool
    """Whether searches are paired by seed."""
    n: tuple[int, int]
    """Numbers of searches of the two methods; equal if paired."""
    left_out: tuple[tuple[int, ...], tuple[int, ...]]
    """If paired, seeds with an accuracy of only the first, and of only the second method."""
    mean: float
    """Difference of the means, first - second, in points."""
    std: float
    """Sample standard deviation of the paired differences, or the pooled one of both methods; NaN for one search."""
    median: float
    iqm: float
    """Median and interquartile mean: of the paired differences, or their differences between the methods."""
    interval: Interval | None
    """95 % interval of `mean`; None if a method has one search, or if nothing is known of the spread
    (`statistics.mean_interval`)."""
    better: int | None
    equal: int | None
    """If paired, numbers of seeds where the first is better, and where both are equal."""
    test: Test
    corrected: float
    """p of the test after Holm's correction over `comparisons`."""
    comparisons: int
    """Number of comparisons in the family: the first method against all others of the group."""
    primary: bool
    """Whether the family is that of the primary dataset and split, or that of all others."""
    improvement: float
    """Probability that a search with the first beats one with the second, ties counted half."""
    noise: float | None
    """The training noise on this dataset and split, in points (`Benchmark.margins`); None if it is not known."""

    @property
    def significant(self) -> bool:
        return self.corrected <= ALPHA

    @property
    def outcome(self) -> str:
        """Of the first method: better or worse (significantly), equivalent, undecided, or untested."""
        if min(self.n) < 2:
            return "untested"
        if self.significant:
            return "better" if self._direction > 0 else "worse"
        return "equivalent" if self._is_equivalent else "undecided"

    @property
    def _direction(self) -> float:
        return self.test.direction or self.mean

    @property
    def _is_equivalent(self) -> bool:
        if self.interval is None or self.noise is None:
            return False
        return statistics.relevance(self.interval, self.noise) == "equivalent"

    @property
    def summary(self) -> str:
        """One line: who is better where, by how much, and how certain that is."""
        where, outcome = f"{self.dataset} ({self.split})", self.outcome
        if outcome == "untested":
            text = f"{where}: {self.first} {self.mean:+.2f} points to {self.second}; one search allows no test"
            return printable(text)
        p = f"p {p_value(self.corrected)}" + (f" (Holm over {self.comparisons})" if self.comparisons > 1 else "")
        within = f"95 % interval {self.interval.low:+.2f} to {self.interval.high:+.2f}, " if self.interval else ""
        certainty = f"{self.mean:+.2f} points, {within}{p}"
        if outcome in ("better", "worse"):
            winner, loser = (self.first, self.second) if outcome == "better" else (self.second, self.first)
            what = f"{winner} is better than {loser}"
            if self.mean * self._direction < 0:
                what += " in most searches, though not in the mean"
            elif self._is_equivalent:
                what += ", by too little to matter"
        elif outcome == "equivalent":
            what = f"{self.first} and {self.second} are equivalent"
        else:
            what = f"{self.first} and {self.second} cannot be told apart"
        return printable(f"{where}: {what}: {certainty}")

    @property
    def lines(self) -> list[str]:
        """Plain text: the first line states the result, the others interpret it."""
        remarks: list[str] = []
        if min(self.n) > 1:  # a single search says nothing about further ones
            remarks = [self._significance(), self._relevance(), self._power(), self._size()]
        lines = [self._difference(), *remarks, self._middle(), self._left_out()]
        return [printable(line) for line in lines if line]

    def _difference(self) -> str:
        n, m = self.n
        counted = f"n = {n} paired {_seeds(n)}" if self.paired else f"n = {n} and {m}"
        where = ", ".join(filter(None, [self.split, self.label, counted]))
        what = f"{self.first} against {self.second} on {self.dataset} ({where}): {self.mean:+.2f} points"
        better = f"better in {self.better} of {n} {_seeds(n)}" if self.paired else ""
        better += f", equal in {self.equal}" if self.equal else ""
        if self.interval is None:
            none = f"{self._equal} give no interval" if min(self.n) > 1 else NO_TEST
            return "; ".join(filter(None, [what, better, none]))
        bounds = f"95 % interval [{self.interval.low:.2f}, {self.interval.high:.2f}]"
        kind = "t" if self.paired else "Welch's t"
        if min(self.n) >= BOOTSTRAP_RUNS:
            kind = f"bootstrap, {RESAMPLES:,} resamples"
        return "; ".join(filter(None, [f"{what} on average, {bounds} ({kind})", better]))

    def _significance(self) -> str:
        if self.test.smallest == 1:
            return f"{'no pairs differ enough' if self.paired else 'all searches are equal'}: there is nothing to test"
        name = "Wilcoxon signed-rank test" if self.paired else "Mann-Whitney U test"
        test = f"{'exact ' if self.test.exact else ''}{name} p {p_value(self.test.p)}"
        if self.comparisons > 1:
            family = "primary" if self.primary else "secondary"
            test += f", corrected over {self.comparisons} {family} comparisons p {p_value(self.corrected)}"
        if self.significant:
            return f"{test}: significant at {ALPHA}"
        if self.test.smallest * self.comparisons <= ALPHA:
            return f"{test}: not significant at {ALPHA}"
        possible = "the smallest possible with these seeds"
        if not isclose(self.test.p, self.test.smallest):
            possible += f" is {self.test.smallest:.3g}"
        least = statistics.minimum_seeds(self.comparisons, paired=self.paired)
        return f"{test}; {possible}: too few to be sure to reach {ALPHA}, which takes {least} of each"

    @property
    def _equal(self) -> str:
        """What has no spread, where there is no interval."""
        return "equal differences" if self.paired else "equal searches"

    def _relevance(self) -> str:
        if self.noise is None:
            return "relevance unknown: the training noise is not known here"
        if self.interval is None:
            return f"relevance unknown: {self._equal} say nothing about the spread"
        region = f"the training noise of ±{self.noise:.2f} points"
        return {
            "relevant": f"relevant in practice: the whole interval lies beyond {region}",
            "equivalent": f"equivalent in practice: the whole interval lies within {region}",
            "undecided": f"relevance undecided: the interval lies partly within and partly beyond {region}",
        }[statistics.relevance(self.interval, self.noise)]

    def _size(self) -> str:
        delta = statistics.cliffs_delta(self.improvement)
        word = statistics.magnitude(delta)
        effect = f"a search with {self.first} beats one with {self.second} with probability {self.improvement:.2f}"
        return f"{effect} (Cliff's delta {delta:+.2f}, {word})"

    def _middle(self) -> str:
        """Median and interquartile mean, robust to a few collapsed searches; trimming needs at least four searches."""
        if min(self.n) < 4:
            return ""
        if self.paired:
            return (
                f"robust to outliers: median of the differences {self.median:+.2f}, interquartile mean {self.iqm:+.2f}"
            )
        return (
            f"robust to outliers: difference of the medians {self.median:+.2f}, of interquartile means {self.iqm:+.2f}"
        )

    def _power(self) -> str:
        if min(self.n) < POWER_RUNS or self.interval is None:
            return ""
        needed = statistics.seeds_needed(self.interval, self.std, self.comparisons, paired=self.paired)
        if needed is None:
            return ""
        if needed.fewest > MOST_SEEDS:
            number = f"more than {MOST_SEEDS:,}"
        elif needed.most is None or needed.most > MOST_SEEDS:
            number = f"at least {needed.fewest:,}"
        else:
            number = f"{needed.fewest:,} to {needed.most:,}" if needed.most > needed.fewest else f"{needed.fewest:,}"
        return (
            f"{number} seeds of each method give {100 * POWER:.0f} % power at {ALPHA}, if the true difference lies in"
            f" the interval and the standard deviation is {self.std:.2f}"
        )

    def _left_out(self) -> str:
        parts = [
            f"{ranges(seeds)} (only {method})"
            for method, seeds in zip((self.first, self.second), self.left_out, strict=True)
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
    def summary(self) -> list[str]:
        """A line per comparison, under a heading per group; differences are first minus second."""
        lines: list[str] = []
        group = None
        for comparison in self.comparisons:
            if comparison.group != group:
                group = comparison.group
                lines.append(
                    printable(
                        f"{group.labelled_title}; all with {self.shared}" if self.shared else group.labelled_title
                    )
                )
            lines.append(f"- {comparison.summary}")
        return lines

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
