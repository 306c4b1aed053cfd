"""Decode printed NAS-Bench-201 accuracies: find the cells behind a published row with a table.

    python -m harness decode --table table.npz --mean cifar10:test=94.36 --mean cifar100:x-test=73.51
    python -m harness decode --table table.npz --mean cifar100:ori-test=73.43 --std cifar100:ori-test=0.13 -n 4

The first command finds the cells that have all of the printed accuracies; the second finds every multiset of n cells
whose mean and standard deviation are printed as given. With several columns, the same cells must explain all of them.
Cells with equal values in the given columns cannot be distinguished and count as one solution.

Rounding: a number printed with d decimals stands for every number at most half a unit of the last digit away, both
ends included, because a half may have been rounded up, down or to even: 73.43 is [73.425, 73.435]. The intervals are
widened by 1e-6, because the benchmark records single-precision numbers. The standard deviation is sqrt(Q / (n - ddof)),
with Q the sum of squared distances from the exact mean of the cells, not from the printed one.

The search is exact: half-multisets that no other half can complete are dropped, the others are joined by their sums.
It fails where it would take too long, because then so many multisets fit that none of them is informative.
The exit status is 0 if there is a solution, 1 if there is none, 2 with one line on standard error in case of an error.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.arguments import Parser
from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.table import Metric, NotInTableError, Table, cell_strings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOLERANCE = 1e-6
"""Percent; the rounding error of recorded numbers is below 1e-7, and distinct accuracies differ by at least 1e-3."""
MAX_MEMBERS = 6_000_000
"""Limit on the members of all half-multisets together; a few hundred megabytes."""
MAX_PAIRS = 100_000_000
"""Limit on the pairs of a lower and an upper half whose sums fit; a few seconds."""
CHUNK = 2_000_000
"""Pairs that are checked at a time."""


class Interval(NamedTuple):
    """The numbers that are rounded to a printed one."""

    low: float
    high: float


@dataclass(frozen=True)
class Printed:
    """One column of a published row: accuracies in percent."""

    metric: Metric
    mean: Interval
    std: Interval | None = None


class Part(NamedTuple):
    """Members of a solution with the same values."""

    times: int
    values: tuple[float, ...]
    """(C,) one per column."""
    cells: tuple[str, ...]
    """All cells with these values, which cannot be distinguished."""


class Solution(NamedTuple):
    """A multiset of n cells, identified by their values."""

    means: tuple[float, ...]
    """(C,) one per column."""
    stds: tuple[float, ...]
    """(C,) 0 for one cell."""
    parts: tuple[Part, ...]


class Decoded(NamedTuple):
    """The solutions for a row."""

    solutions: list[Solution]
    """The listed solutions."""
    total: int
    """Number of all solutions."""
    cells: int
    """Number of cells for which the table has all columns."""


def rounded(text: str, decimals: int | None = None) -> Interval:
    """The interval of a printed number; `decimals`: their number, if zeros at the end were omitted. ValueError if it is
    not a plain number."""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,9})?", text, re.ASCII):
        raise ValueError(f"{text[:50]!r} is not a number as in a table, such as 73.43")
    printed = len(text.partition(".")[2])
    if decimals is not None and decimals < printed:
        raise ValueError(f"{text} has more than {decimals} decimals")
    half = 0.5 * 10.0 ** -(printed if decimals is None else decimals) + TOLERANCE
    return Interval(float(text) - half, float(text) + half)


def decode(table: Table, columns: Sequence[Printed], n: int = 1, ddof: int = 0, limit: int = 20) -> Decoded:
    """Find all multisets of n cells that explain every column; at most `limit` of them are listed.

    NotInTableError if the table lacks a column, ValueError if the arguments are inconsistent or the search would take
    too long.
    """
    if not columns or len({column.metric for column in columns}) < len(columns):
        raise ValueError("expected one mean, or one for each of several columns")
    if n < 1 or ddof not in (0, 1):
        raise ValueError("expected n of at least 1 and a ddof of 0 or 1")
    if n == 1 and any(column.std for column in columns):
        raise ValueError("a standard deviation needs several runs: give their number (n)")
    values = accuracy_frame(table, [column.metric for column in columns])
    if values.empty:
        return Decoded([], 0, 0)
    search = _Search(columns, n, ddof, values.to_numpy())
    members, total = search.run(limit)
    return Decoded([_solution(row, search, values) for row in members], total, len(values))


def accuracy_frame(table: Table, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Accuracies (%): one row per cell that has all of the metrics, one column per metric."""
    frame = table.frame(cell_strings())
    columns = []
    for metric in metrics:
        table.accuracy([], *metric)  # raises if the table has no such column
        rows = frame[(frame[["dataset", "split", "epochs"]] == list(metric)).all(axis=1)]
        columns.append(rows.set_index("cell")["value"].rename(str(metric)))
    return pd.concat(columns, axis=1, join="inner")


# The search ---------------------------------------------------------------------------------------------------------


class _Halves(NamedTuple):
    """N multisets of k values each."""

    members: Ints
    """(N, k) indices of the values, ascending."""
    sums: Floats
    """(N, C) sums of the values."""
    squares: Floats
    """(N, C) sums of their squares."""


class _Search:
    """Search over D distinct values in C columns, relative to the printed means: sums over n of them must be near 0."""

    def __init__(self, columns: Sequence[Printed], n: int, ddof: int, values: Floats) -> None:
        self.n = n
        self.ddof = ddof
        self.groups = _groups(values)
        first = np.unique(self.groups, return_index=True)[1]
        self.values = values[first]
        centers = np.array([sum(column.mean) / 2 for column in columns])
        self.x = self.values - centers  # (D, C)
        self.sum = n * (np.array([column.mean.high for column in columns]) - centers)  # the largest |sum|
        spreads = np.array([column.std or (-np.inf, np.inf) for column in columns])
        # Bounds of the sum of squared distances from the exact mean.
        self.least, self.most = max(n - ddof, 1) * np.maximum(spreads, 0).T ** 2

    def run(self, limit: int) -> tuple[list[Ints], int]:
        """At most `limit` solutions as (n,) ascending indices of values, and the number of all solutions."""
        zero = np.zeros((1, self.x.shape[1]))
        halves = [_Halves(np.zeros((1, 0), dtype=np.int64), zero, zero)]
        for _ in range((self.n + 1) // 2):
            halves.append(self._grow(halves[-1]))
        solutions: list[Ints] = []
        total = 0
        for members in self._join(halves[self.n // 2], halves[-1]):
            total += len(members)
            solutions.extend(members[: max(limit - len(solutions), 0)])
        return solutions, total

    def _grow(self, halves: _Halves) -> _Halves:
        """Add a value with an index not below the last one, so that each multiset occurs once."""
        last = halves.members[:, -1] if halves.members.shape[1] else np.zeros(len(halves.members), dtype=np.int64)
        counts = len(self.x) - last
        if counts.sum() * (halves.members.shape[1] + 1) > MAX_MEMBERS:
            raise ValueError(self._too_many())
        rows, offsets = _expand(counts)
        new = last[rows] + offsets
        grown = _Halves(
            np.column_stack([halves.members[rows], new]),
            halves.sums[rows] + self.x[new],
            halves.squares[rows] + self.x[new] ** 2,
        )
        keep = self._completable(grown)
        return _Halves(grown.members[keep], grown.sums[keep], grown.squares[keep])

    def _completable(self, halves: _Halves) -> NDArray[np.bool_]:
        """False where no m = n - k further values can make both the sum and the squares small enough.

        m values that sum to t lie between m times the smallest and the largest value, and have squares of at least
        t^2 / m; all squares together are the squared distances from the exact mean plus sum^2 / n.
        """
        m = self.n - halves.members.shape[1]
        least, most = m * self.x.min(axis=0), m * self.x.max(axis=0)
        reachable = (halves.sums + least <= self.sum) & (halves.sums + most >= -self.sum)
        missing = np.maximum(np.abs(halves.sums) - self.sum, 0) ** 2 / max(m, 1)
        near = halves.squares + missing <= self.most + self.sum**2 / self.n
        completable: NDArray[np.bool_] = np.logical_and(reachable, near).all(axis=1)
        return completable

    def _join(self, lower: _Halves, upper: _Halves) -> Iterator[Ints]:
        """Yield arrays (., n) of solutions, joined from a lower and an upper half on the column with fewest pairs."""
        windows = [self._window(lower, upper, column) for column in range(self.x.shape[1])]
        order, start, counts = min(windows, key=lambda window: int(window[2].sum()))
        if counts.sum() > MAX_PAIRS:
            raise ValueError(self._too_many())
        ends = np.cumsum(counts)
        cuts = np.searchsorted(ends, np.arange(CHUNK, ends[-1] if len(ends) else 0, CHUNK))
        for part in np.split(np.arange(len(counts)), cuts):
            rows, offsets = _expand(counts[part])
            below, above = part[rows], order[start[part][rows] + offsets]
            if lower.members.shape[1]:
                ascending = lower.members[below, -1] <= upper.members[above, 0]
                below, above = below[ascending], above[ascending]
            sums = lower.sums[below] + upper.sums[above]
            distances = lower.squares[below] + upper.squares[above] - sums**2 / self.n
            distances = np.maximum(distances, 0)  # equal values leave a rounding error of either sign
            fits = (np.abs(sums) <= self.sum) & (distances >= self.least) & (distances <= self.most)
            solved = fits.all(axis=1)
            yield np.hstack([lower.members[below[solved]], upper.members[above[solved]]])

    def _window(self, lower: _Halves, upper: _Halves, column: int) -> tuple[Ints, Ints, Ints]:
        """An order of the upper halves and, for each lower half, start and number of its matches in that order."""
        order = np.argsort(upper.sums[:, column], kind="stable")
        ascending = upper.sums[order, column]
        start = np.searchsorted(ascending, -self.sum[column] - lower.sums[:, column], side="left")
        end = np.searchsorted(ascending, self.sum[column] - lower.sums[:, column], side="right")
        return order, start, end - start

    def _too_many(self) -> str:
        return f"too many multisets of {self.n} among {len(self.x)} different values could fit: give more columns"


def _groups(values: Floats) -> Ints:
    """(rows,) group of each row, the same for rows equal to within `TOLERANCE`; ascending with the first column."""
    ranks = np.empty(values.shape, dtype=np.int64)
    for column, numbers in enumerate(values.T):
        order = np.argsort(numbers, kind="stable")
        ranks[order, column] = np.cumsum(np.diff(numbers[order], prepend=numbers[order][:1]) > TOLERANCE)
    return np.unique(ranks, axis=0, return_inverse=True)[1].reshape(-1)


def _expand(counts: Ints) -> tuple[Ints, Ints]:
    """Row index i repeated counts[i] times, and the index of each repetition."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)


def _solution(members: Ints, search: _Search, values: pd.DataFrame) -> Solution:
    rows = search.values[members]
    numbers, times = np.unique(members, return_counts=True)
    parts = [
        Part(int(count), tuple(search.values[number].tolist()), tuple(values.index[search.groups == number]))
        for number, count in zip(numbers, times, strict=True)
    ]
    stds = rows.std(axis=0, ddof=search.ddof) if search.n > 1 else np.zeros(rows.shape[1])
    return Solution(tuple(rows.mean(axis=0).tolist()), tuple(stds.tolist()), tuple(parts))


# The command line ---------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, 1 if there is no solution, 2 with one line on standard error that says what is wrong."""
    options = parser().parse_args(arguments)
    try:
        means, stds = _assignments(options.mean), _assignments(options.std)
        if unknown := stds.keys() - means.keys():
            raise ValueError(f"a --std without a --mean: {unknown.pop()}")
        columns = [
            Printed(
                _metric(name, options.epochs),
                rounded(mean, options.decimals),
                rounded(stds[name], options.decimals) if name in stds else None,
            )
            for name, mean in means.items()
        ]
        table = Table.load(options.table)
        decoded = decode(table, columns, options.n, options.ddof, options.limit)
    except (ValueError, NotInTableError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(_text(columns, decoded))
    return 0 if decoded.total else 1


def parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m harness decode",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    column = "DATASET:SPLIT=NUMBER"
    parser.add_argument("--table", type=Path, required=True, help="a table made by python -m harness table")
    parser.add_argument("--mean", metavar=column, action="append", required=True, help="as printed; several times")
    parser.add_argument("--std", metavar=column, action="append", default=[], help="as printed; needs -n")
    parser.add_argument("-n", type=int, default=1, help="number of cells behind each printed number (1)")
    parser.add_argument("--ddof", type=int, default=0, choices=(0, 1), help="0: population (default), 1: sample std")
    parser.add_argument("--decimals", type=int, help="of every printed number, if zeros at the end were omitted")
    parser.add_argument("--epochs", type=int, default=200, help="training epochs of the accuracies (200)")
    parser.add_argument("--limit", type=int, default=20, help="how many solutions to list (20)")
    return parser


def _assignments(texts: Sequence[str]) -> dict[str, str]:
    """Column -> printed number."""
    numbers: dict[str, str] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name in numbers:
            raise ValueError(f"{name} is given twice")
        numbers[name] = number
    return numbers


def _metric(name: str, epochs: int) -> Metric:
    dataset, separator, split = name.partition(":")
    if not separator:
        raise ValueError(f"{name[:50]!r} is not a column such as cifar100:x-test")
    return Metric(dataset, split, epochs)


def _text(columns: Sequence[Printed], decoded: Decoded) -> str:
    lines = []
    if decoded.cells < CELLS:
        lines.append(f"the table has these accuracies of only {decoded.cells} of the {CELLS} cells")
    total, listed = decoded.total, len(decoded.solutions)
    truncation = f", of which {listed} are listed" if listed < total else ""
    lines.append(f"{total or 'no'} solution{'s' if total > 1 else ''}{truncation}")
    for number, solution in enumerate(decoded.solutions, start=1):
        lines.append(f"{number}. {_statistics(columns, solution)}")
        for part in solution.parts:
            values = " / ".join(f"{value:.4f}" for value in part.values)
            lines.append(f"   {part.times} x {values}  {part.cells[0]}")
            lines += [f"      or {cell}" for cell in part.cells[1:]]
    return "\n".join(lines) + "\n"


def _statistics(columns: Sequence[Printed], solution: Solution) -> str:
    several = sum(part.times for part in solution.parts) > 1
    return "; ".join(
        f"{column.metric}: {mean:.4f}" + (f" ± {std:.4f}" if several else "")
        for column, mean, std in zip(columns, solution.means, solution.stds, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
