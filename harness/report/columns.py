"""Definitions of all table columns: name, meaning, unit, how the value is computed and how it is formatted.

CSV, Markdown, LaTeX, the terminal and the page iterate over these lists: a column added to a list appears in every
output format of its `where`. Notebooks can add columns too: `columns.LEADERBOARD.append(Column(...))`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from operator import attrgetter
from typing import Any

import pandas as pd

from harness.report.costs import UNITS
from harness.report.render import wording
from harness.report.verdict import SIGNS


class Where(Flag):
    """Output formats that include a column."""

    FILES = auto()
    """CSV files, for programs."""
    TABLES = auto()
    """Markdown, LaTeX and the terminal, where each of these columns is a line under every number."""
    PAGE = auto()
    """The HTML page, where every number is a row."""
    EXCERPT = auto()
    """The README and docs/results.md, where every method is a row."""
    ALL = FILES | TABLES | PAGE


FILES, TABLES, PAGE, EXCERPT, ALL = Where.FILES, Where.TABLES, Where.PAGE, Where.EXCERPT, Where.ALL


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    """Name in CSV files."""
    meaning: str
    unit: str = ""
    value: Callable[[Any], Any] | None = None
    """Computes the value from a row; by default the row's attribute `name`."""
    text: Callable[[Any], str] | None = None
    """Formats the value of a row for people; by default fractions get two decimals."""
    title: str = ""
    """Heading for people; by default the name."""
    group: str = ""
    """Heading above several columns of the page."""
    number: bool = False
    """Whether the column is right-aligned and sorted numerically."""
    of_method: bool = False
    """Whether all numbers of a method share the value, so that a table with a row per method has the column once."""
    order: Callable[[Any], float | None] | None = None
    """Sort key of a row on the page; by default the formatted text."""
    where: Where = ALL
    """Output formats that include the column."""

    @property
    def heading(self) -> str:
        return self.title or self.name

    @property
    def about(self) -> str:
        """The meaning, followed by the unit in brackets."""
        return f"{self.meaning} ({self.unit})" if self.unit else self.meaning

    def of(self, row: Any) -> Any:
        return self.value(row) if self.value else getattr(row, self.name)

    def read(self, row: Any) -> str:
        """The value of a row, formatted for people."""
        return self.text(row) if self.text else wording.plain(self.of(row))


def shown(columns: Iterable[Column], where: Where) -> list[Column]:
    """The columns that an output format includes."""
    return [column for column in columns if column.where & where]


def held(columns: Iterable[Column]) -> list[str]:
    """Names of the CSV columns stored in rows, as opposed to those computed from a row."""
    return [column.name for column in shown(columns, FILES) if column.value is None]


def frame(columns: Iterable[Column], rows: pd.DataFrame | Sequence[Any]) -> pd.DataFrame:
    """A frame with the CSV columns, from a frame with the stored columns or from objects."""
    file_columns = shown(columns, FILES)
    if not isinstance(rows, pd.DataFrame):
        return pd.DataFrame({column.name: [column.of(row) for row in rows] for column in file_columns})
    computed = [column for column in file_columns if column.value]
    objects = list(rows.itertuples(index=False)) if computed else []
    added = {column.name: [column.of(row) for row in objects] for column in computed}
    return rows.assign(**added)[[column.name for column in file_columns]]


def _file(name: str, meaning: str, unit: str = "", value: Callable[[Any], Any] | None = None) -> Column:
    return Column(name, meaning, unit, value, where=FILES)


_METHOD = Column("method", "name in the registry, overrides in brackets", of_method=True, where=FILES | PAGE | EXCERPT)
_GROUP = [
    _file("space", "search space"),
    _file("profile", "what a search may use: paper, controlled or quick"),
    _file("searched_on", "dataset of the search"),
]
_SELECTION = _file("selection", "which cell of a search is taken")
_DATASET = Column("dataset", "what the cell was evaluated on", where=FILES | PAGE)
_SPLIT = Column("split", "images that the cell was evaluated on", text=wording.measured, where=FILES | PAGE)
_N = Column("n", "searches", group="Ours", number=True, of_method=True, where=FILES | PAGE | EXCERPT)
_TABLE = _file("table", "SHA-256 of the table looked up, or the recipe of the retraining")

LEADERBOARD = [
    _METHOD,
    _file("family", "family of the method"),
    *_GROUP,
    _SELECTION,
    _DATASET,
    _file("metric", "accuracy or error, of test or validation images"),
    _SPLIT,
    Column("mean", "mean over the searches", "%", group="Ours", number=True, where=FILES | PAGE),
    Column("std", "sample standard deviation, ddof 1", "points", group="Ours", number=True, where=FILES | PAGE),
    _N,
    Column("ours", "mean ± std (n)", "%", text=wording.ours, number=True, where=TABLES),
    Column("reported", "published mean ± std (n), split", "%", text=wording.published, title="published", where=TABLES),
    Column("result", "mean ± std; in brackets the published value", "%", text=wording.result, where=EXCERPT),
    Column(
        "published", "published mean; †: quoted from memory, not verified", "%", None, wording.published_mean, "mean",
        "Published", number=True, where=FILES | PAGE,
    ),
    Column(
        "published_std", "published standard deviation, as printed", "points", None, None, "std",
        "Published", number=True, where=FILES | PAGE,
    ),
    Column(
        "published_n", "searches behind the published mean; ?: not stated", "", None, wording.published_n, "n",
        "Published", number=True, where=FILES | PAGE,
    ),
    Column(
        "published_split", "images of the published mean", "", None, wording.published_split, "split",
        "Published", where=FILES | PAGE,
    ),
    _file("published_status", "how the published value is known"),
    Column(
        "difference", "ours minus published, of the same split", "points",
        text=lambda row: wording.plain(row.difference, "+"), number=True, where=FILES | PAGE,
    ),
    Column(
        "verdict", "by the rule below the table", text=wording.verdict,
        order=lambda row: list(SIGNS).index(row.verdict),
    ),
    _file("low", "lower end of the 95 % interval of the difference or, with hits, of the share of hits"),
    _file("high", "its upper end"),
    _file("resolution", "smallest observed difference that would be significant", "points"),
    _file("margin", "largest difference that agrees, fixed per dataset and split in the benchmark", "points"),
    _file("hits", "searches that end in the published cell, where all published ones did"),
    _file("spread_ratio", "our standard deviation divided by the published one, both with ddof 1; not judged"),
    _file("p", "two-sided, that the means are equal (t test) or the shares of hits (Fisher)"),
    Column(
        "p_holm", "the same, corrected by Holm's method over all judged numbers of the leaderboard",
        text=lambda row: wording.p_plain(row.p_holm), title="p (Holm)", number=True,
        order=lambda row: None if pd.isna(row.p_holm) else float(row.p_holm),  # its text may be "< 0.001"
    ),
    _TABLE,
]  # fmt: skip
"""One row per method, group, selection, dataset and split."""

RUNS = [
    _METHOD,
    *_GROUP,
    _file("seed", "seed of the search"),
    _SELECTION,
    _DATASET,
    _SPLIT,
    _file("cell", "architecture"),
    _file("value", "accuracy of the cell", "%"),
    _file("best", "accuracy of the best cell of the table, or the constant of the benchmark's authors", "%"),
    _file("regret", "best minus value; empty if the best cell is not known", "points"),
    _file("hit", "whether the regret is zero"),
    _file("rank", "of the cell in its space by this accuracy, 1 is best; empty unless the complete table is at hand"),
    _file("rank_of", "cells that are ranked"),
    _TABLE,
]
"""One row per search, selection, dataset and split that was looked up; of a control that sees no data, in every group
where it stands."""

REGRET = [
    _METHOD,
    *_GROUP,
    _SELECTION,
    _DATASET,
    _SPLIT,
    _N,
    _file("regret", "mean regret over the searches", "points"),
    _file("hit_rate", "share of the searches whose regret is zero"),
    _file("cells", "different cells"),
    _file("classes", "different isomorphism classes"),
]
"""One row per leaderboard row that was looked up."""

HEADLINE = [
    _file("task", "as the paper's page names it"),
    _METHOD,
    _DATASET,
    _file("metric", "what is published"),
    _SPLIT,
    _file("published", "published mean"),
    _file("published_status", "how the published mean is known"),
    _file("ours", "our mean"),
    _N,
    _file("verdict", "by the rule of the leaderboard"),
    _file("status", "whether it was run here"),
    _file("command", "what reproduces it"),
]
"""One row per number of the paper's own leaderboard."""

RETRAINED = [
    _METHOD,
    *_GROUP,
    _DATASET,
    _file("recipe", "recipe of the retraining"),
    _file("mean", "mean test error over the searches", "%"),
    _file("std", "sample standard deviation, ddof 1", "points"),
    _N,
    _file("params_millions", "parameters of the networks, mean over the searches", "millions"),
    _file("published", "all that is published of the method"),
]
"""One row per method, group, dataset and recipe of retrained cells."""


def _of_published(name: str) -> Callable[[Any], Any]:
    """Getter of an attribute of a cost's published value; None if nothing is published."""
    return lambda cost: None if cost.published is None else getattr(cost.published, name)


_OURS_AND_PUBLISHED = [
    Column("ours", "median or mean of ours", text=attrgetter("ours"), where=TABLES | PAGE),
    Column("reported", "published", text=attrgetter("theirs"), title="published", where=TABLES | PAGE),
]

COSTS = [
    _METHOD,
    *(_file(column.name, column.meaning, value=attrgetter(f"group.{column.name}")) for column in _GROUP),
    _N,
    _file("passes", "median number of images that passed through the supernet, forward and backward"),
    _file("multiply_adds", "median number of multiply-adds of the supernet"),
    _file("cpu_seconds", "median CPU time of a search", "s"),
    _file("seconds", "median wall time of a search, for the record: it depends on the load", "s"),
    _file("load", "median number of processes that ran meanwhile"),
    _file("device", "where the times were measured"),
    _file("simulated_seconds", "median simulated time of a search", "GPU s", attrgetter("simulated")),
    _file("published", "published cost of a search", "", _of_published("mean")),
    _file("published_unit", "its unit", "", lambda cost: cost.published and UNITS[cost.published.metric]),
    _file("published_status", "how it is known", "", _of_published("evidence")),
    _file("published_source", "where it is published", "", _of_published("source")),
    *_OURS_AND_PUBLISHED,
    Column("verdict", "whether the two costs are comparable"),
]
"""One row per method and group (`costs.Cost`); in the leaderboard, an extra column with the lines ours, published and
verdict."""

COMPARISON = [
    *(_file(column.name, column.meaning, value=attrgetter(f"group.{column.name}")) for column in _GROUP),
    _file("dataset", "what the cells were evaluated on"),
    _file("split", "images that the cells were evaluated on"),
    _file("first", "the method that is compared with the others"),
    _file("second", "one of the others"),
    _file("n_first", "searches", "", lambda each: each.n[0]),
    _file("n_second", "searches", "", lambda each: each.n[1]),
    _file("paired", "whether searches are paired by seed"),
    _file("difference", "mean of the first minus mean of the second", "points", attrgetter("mean")),
    _file(
        "low",
        "lower end of the 95 % interval of the difference",
        "points",
        lambda each: each.interval and each.interval.low,
    ),
    _file("high", "its upper end", "points", lambda each: each.interval and each.interval.high),
    _file("p", "of the Mann-Whitney U or the Wilcoxon signed-rank test", "", attrgetter("test.p")),
    _file("p_holm", "the same, corrected by Holm's method over the family", "", attrgetter("corrected")),
    _file("family", "comparisons in the family", "", attrgetter("comparisons")),
    _file("probability", "that a search with the first beats one with the second", "", attrgetter("improvement")),
    _file("outcome", "of the first: better, worse, equivalent, undecided or untested"),
]
"""One row per pair of methods, group, dataset and split (`sentences.Comparison`)."""

SIZES = [*_OURS_AND_PUBLISHED, Column("verdict", "whether the two sizes are comparable", where=TABLES | PAGE)]
"""One row per method, group, dataset and recipe (`costs.Size`); shown only as an extra column of the leaderboard."""
