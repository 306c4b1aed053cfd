"""Which cells is a published row? Decode printed NAS-Bench-201 accuracies with a table.

    D=harness.benchmarks.nasbench201.decoder
    python -m $D --table table.npz --mean cifar10:test=94.36 --mean cifar100:x-test=73.51
    python -m $D --table table.npz --mean cifar100:ori-test=73.43 --std cifar100:ori-test=0.13 -n 4

The first asks for the cells that have all of the printed accuracies; the second for every multiset of n cells whose
mean and standard deviation print as given. In several columns it is the same cells that have to explain all of them.
Cells with equal values in the columns asked for cannot be told apart and are one solution.

Rounding: a number printed with d decimals stands for every number at most half a unit of the last digit away, both
ends included, because a half may have been rounded up, down or to even: 73.43 is [73.425, 73.435]. The intervals are
wider by 1e-6, because the benchmark records single-precision numbers. The standard deviation is sqrt(Q / (n - ddof)),
with Q the sum of squared distances from the exact mean of the cells, not from the printed one.

The search is exact: half-multisets that no other half can complete are dropped, the others are joined by their sums.
It is refused where it would take too long: then so many multisets fit that none of them would say anything.
The exit code is 0 if there is a solution, 1 if there is none, 2 with one line on standard error if something is wrong.
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

from harness.benchmarks.nasbench201.space import CELLS
from harness.benchmarks.nasbench201.table.table import Metric, NotInTableError, Table, cell_strings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOLERANCE = 1e-6
"""Percent; the noise of the recorded numbers is below 1e-7, and different accuracies are at least 1e-3 apart."""
MAX_MEMBERS = 6_000_000
"""Of all half-multisets together; some hundred megabytes."""
MAX_PAIRS = 100_000_000
"""Of a lower and an upper half whose sums fit; some seconds."""
CHUNK = 2_000_000
"""Pairs that are looked at together."""


class Interval(NamedTuple):
    """What a printed number stands for."""

    low: float
    high: float


@dataclass(frozen=True)
class Printed:
    """One column of a published row: accuracies in percent."""

    metric: Metric
    mean: Interval
    std: Interval | None = None


class Part(NamedTuple):
    """Runs of a solution that found cells with the same values."""

    times: int
    values: tuple[float, ...]
    """(C,) one per column."""
    cells: tuple[str, ...]
    """The cells that have these values: any of them."""


class Solution(NamedTuple):
    """A multiset of n cells, known by their values."""

    means: tuple[float, ...]
    """(C,) one per column."""
    stds: tuple[float, ...]
    """(C,) 0 for one cell."""
    parts: tuple[Part, ...]


class Decoded(NamedTuple):
    """What explains a row."""

    solutions: list[Solution]
    """Those that are listed."""
    total: int
    """How many there are."""
    cells: int
    """How many cells the table has all of the columns of."""


def rounded(text: str, decimals: int | None = None) -> Interval:
    """The interval of a printed number; `decimals` where its last digits were zeros and left out. ValueError if it is
    not a plain number."""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,9})?", text, re.ASCII):
        raise ValueError(f"{text[:50]!r} is not a number as in a table, such as 73.43")
    shown = len(text.partition(".")[2])
    if decimals is not None and decimals < shown:
        raise ValueError(f"{text} has more than {decimals} decimals")
    half = 0.5 * 10.0 ** -(shown if decimals is None else decimals) + TOLERANCE
    return Interval(float(text) - half, float(text) + half)


def decode(table: Table, columns: Sequence[Printed], n: int = 1, ddof: int = 0, limit: int = 20) -> Decoded:
    """All multisets of n cells that explain every column, at most `limit` of them listed.

    NotInTableError if the table lacks a column, ValueError if the question makes no sense or the search is hopeless.
    """
    if not columns or len({column.metric for column in columns}) < len(columns):
        raise ValueError("expected one mean, or one for each of several columns")
    if n < 1 or ddof not in (0, 1):
        raise ValueError("expected n of at least 1 and a ddof of 0 or 1")
    if n == 1 and any(column.std for column in columns):
        raise ValueError("a standard deviation is one of several runs: say of how many (n)")
    values = known_values(table, [column.metric for column in columns])
    if values.empty:
        return Decoded([], 0, 0)
    search = _Search(columns, n, ddof, values.to_numpy())
    members, total = search.run(limit)
    return Decoded([_solution(row, search, values) for row in members], total, len(values))


def known_values(table: Table, metrics: Sequence[Metric]) -> pd.DataFrame:
    """Index: the cells that have all of the metrics; one column of accuracies (%) per metric."""
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
    """(N, k) which values, ascending."""
    sums: Floats
    """(N, C)"""
    squares: Floats
    """(N, C) sums of squares"""


class _Search:
    """D different values in C columns, relative to the printed means; sums over n of them have to be near zero."""

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
        # Sum of squared distances from the exact mean: at least and at most.
        self.least, self.most = max(n - ddof, 1) * np.maximum(spreads, 0).T ** 2

    def run(self, limit: int) -> tuple[list[Ints], int]:
        """At most `limit` solutions as (n,) ascending numbers of values, and how many there are."""
        nothing = np.zeros((1, self.x.shape[1]))
        halves = [_Halves(np.zeros((1, 0), dtype=np.int64), nothing, nothing)]
        for _ in range((self.n + 1) // 2):
            halves.append(self._grow(halves[-1]))
        found: list[Ints] = []
        total = 0
        for members in self._join(halves[self.n // 2], halves[-1]):
            total += len(members)
            found.extend(members[: max(limit - len(found), 0)])
        return found, total

    def _grow(self, halves: _Halves) -> _Halves:
        """One more value, not below the last one: so each multiset is there once."""
        last = halves.members[:, -1] if halves.members.shape[1] else np.zeros(len(halves.members), dtype=np.int64)
        counts = len(self.x) - last
        if counts.sum() * (halves.members.shape[1] + 1) > MAX_MEMBERS:
            raise ValueError(self._hopeless())
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
        """False where no m = n - k further values can make the sum small enough and the squares too.

        m values that sum to t lie between m times the smallest and the largest value, and have squares of at least
        t^2 / m; all squares together are the squared distances from the exact mean plus sum^2 / n.
        """
        m = self.n - halves.members.shape[1]
        least, most = m * self.x.min(axis=0), m * self.x.max(axis=0)
        in_reach = (halves.sums + least <= self.sum) & (halves.sums + most >= -self.sum)
        missing = np.maximum(np.abs(halves.sums) - self.sum, 0) ** 2 / max(m, 1)
        near = halves.squares + missing <= self.most + self.sum**2 / self.n
        completable: NDArray[np.bool_] = np.logical_and(in_reach, near).all(axis=1)
        return completable

    def _join(self, lower: _Halves, upper: _Halves) -> Iterator[Ints]:
        """Arrays (., n) of solutions: a lower and an upper half each, by the column that leaves the fewest pairs."""
        windows = [self._window(lower, upper, column) for column in range(self.x.shape[1])]
        order, start, counts = min(windows, key=lambda window: int(window[2].sum()))
        if counts.sum() > MAX_PAIRS:
            raise ValueError(self._hopeless())
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
            good = fits.all(axis=1)
            yield np.hstack([lower.members[below[good]], upper.members[above[good]]])

    def _window(self, lower: _Halves, upper: _Halves, column: int) -> tuple[Ints, Ints, Ints]:
        """An order of the upper halves, and for each lower half where in it those start that fit it, and how many."""
        order = np.argsort(upper.sums[:, column], kind="stable")
        ascending = upper.sums[order, column]
        start = np.searchsorted(ascending, -self.sum[column] - lower.sums[:, column], side="left")
        end = np.searchsorted(ascending, self.sum[column] - lower.sums[:, column], side="right")
        return order, start, end - start

    def _hopeless(self) -> str:
        return f"hopeless: too many multisets of {self.n} among {len(self.x)} different values could fit"


def _groups(values: Floats) -> Ints:
    """(rows,) the same number for rows that are equal but for noise, ascending with the first column."""
    numbers = np.empty(values.shape, dtype=np.int64)
    for column, known in enumerate(values.T):
        order = np.argsort(known, kind="stable")
        numbers[order, column] = np.cumsum(np.diff(known[order], prepend=known[order][:1]) > TOLERANCE)
    return np.unique(numbers, axis=0, return_inverse=True)[1].reshape(-1)


def _expand(counts: Ints) -> tuple[Ints, Ints]:
    """Row i counts[i] times, and which time it is."""
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
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.benchmarks.nasbench201.decoder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    column = "DATASET:SPLIT=NUMBER"
    parser.add_argument(
        "--table", type=Path, required=True, help="a table made by harness.benchmarks.nasbench201.table.convert"
    )
    parser.add_argument("--mean", metavar=column, action="append", required=True, help="as printed; several times")
    parser.add_argument("--std", metavar=column, action="append", default=[], help="as printed; needs -n")
    parser.add_argument("-n", type=int, default=1, help="number of cells behind each printed number (1)")
    parser.add_argument("--ddof", type=int, default=0, choices=(0, 1), help="0: population (default), 1: sample std")
    parser.add_argument("--decimals", type=int, help="of every printed number, where zeros at the end were left out")
    parser.add_argument("--epochs", type=int, default=200, help="training epochs of the accuracies (200)")
    parser.add_argument("--limit", type=int, default=20, help="how many solutions to list (20)")
    return parser


def _assignments(texts: Sequence[str]) -> dict[str, str]:
    """Column -> printed number."""
    found: dict[str, str] = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name in found:
            raise ValueError(f"{name} is there twice")
        found[name] = number
    return found


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
    cut = f", of which {listed} are listed" if listed < total else ""
    lines.append(f"{total or 'no'} solution{'s' if total > 1 else ''}{cut}")
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
