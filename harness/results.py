"""Searches from Python, and their results as data frames."""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import NDArray

from harness.commands import run as command
from harness.experiment.merge import ForeignStore
from harness.experiment.registry import built_in
from harness.installation import PUBLISHED
from harness.report import columns, gather, names
from harness.report.content import Report
from harness.report.groups import GROUP
from harness.report.leaderboard import OBSTACLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRACES = ("loss", "train_accuracy", "valid_accuracy", "seconds")
"""Arrays of a search with one number per epoch."""


class Results:
    """What a results folder holds. Nothing in it is changed; a new object sees what has been added."""

    def __init__(self, folder: str | Path) -> None:
        """ValueError if there is no such results folder."""
        self.folder = Path(folder)
        ForeignStore(self.folder).check()

    @cached_property
    def report(self) -> Report:
        """All that the tables and figures are made of; the ranks of cells, which need complete tables, are missing."""
        return gather(ForeignStore(self.folder), list(built_in()), PUBLISHED)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per method, dataset and split: mean, std, n and the published value; as tables/leaderboard.csv, with
        the reasons why a published value is not comparable."""
        board = self.report.leaderboard
        reasons = ["; ".join(obstacle.reason for obstacle in obstacles) for obstacles in board[OBSTACLES]]
        return board.drop(columns=OBSTACLES).assign(reasons=reasons)

    @property
    def searches(self) -> pd.DataFrame:
        """One row per search, selection, dataset and split: `value` is the accuracy of its cell in %, or the test error
        of a retrained one (see `metric`), `regret` the distance in points to the best cell of the benchmark, where that
        is known, and `key` the name of the record."""
        of_number = ["method", *GROUP, "seed", "selection", "dataset", "split"]
        looked_up = self.report.finals.merge(self.report.regrets[[*of_number, "regret"]], on=of_number, how="left")
        trained = self.report.retrained_finals.assign(regret=math.nan)
        shown = [*of_number, "metric", "value", "regret", "cell", "key"]
        both = pd.concat([frame[shown] for frame in (looked_up, trained) if len(frame)] or [looked_up[shown]])
        return both.reset_index(drop=True)

    def record(self, key: str) -> dict[str, Any]:
        """Config, result and provenance of a search; `key` is that of `searches` or its first digits.

        ValueError if there is no such record, or if several begin with these digits.
        """
        found = [record for record in self.report.records if record["key"].startswith(key)]
        if len(found) != 1:
            raise ValueError(f"{len(found)} records of {self.folder} begin with {key!r}")
        return found[0]

    def arrays(self, key: str) -> dict[str, NDArray[Any]]:
        """What a weight-sharing search stored of every epoch: index t is the state after epoch t + 1.

        theta (epochs, R, K) are the operation weights, entropy (epochs, cell types) their mean entropy in nats, cells
        (epochs,) the cells derived from them. ValueError as of `record`.
        """
        record = self.record(key)
        if "arrays_sha256" not in record:
            raise ValueError(f"search {key!r} has no epochs")
        return ForeignStore(self.folder).arrays(record["key"])

    @property
    def epochs(self) -> pd.DataFrame:
        """One row per search and epoch: entropy (nats, mean over edges), loss, supernet accuracies (%), cell,
        multiply-adds of the supernet, and `key`, the name of the record."""
        store, parts = ForeignStore(self.folder), []
        runs = self.report.runs
        for row in runs[runs["per_epoch"].astype(bool) & (runs["failure"] == "")].itertuples():
            arrays = store.arrays(str(row.key))
            values: dict[str, Any] = {name: arrays[name] for name in TRACES}
            values |= {"entropy": arrays["entropy"].mean(axis=1), "cell": arrays["cells"].astype(str)}
            if "multiply_adds" in arrays:
                values["multiply_adds"] = arrays["multiply_adds"].sum(axis=1)
            count = len(arrays["loss"])
            of_search = {name: [getattr(row, name)] * count for name in ("method", *GROUP, "seed")}
            key = {"key": [row.key] * count}
            parts.append(pd.DataFrame({**of_search, "epoch": range(1, count + 1), **values, **key}))
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["method", "seed", "epoch"])

    @property
    def failures(self) -> list[str]:
        """One line per failed run."""
        return self.report.failures

    def compare(self, *methods: str, paired: bool = False) -> pd.DataFrame:
        """The first of `methods` against each of the others: difference, interval, p and outcome, as
        tables/comparison.csv.

        ValueError if the results have no runs of a method, or several rows of its name.
        """
        from harness.report import comparison  # its tests need scipy.stats

        found = comparison.compare(self.report, names.several(",".join(methods)), paired=paired)
        return columns.frame(columns.COMPARISON, found.comparisons)

    def figure(self, name: str) -> Figure:
        """The first figure of the report whose name begins so, e.g. "entropy", as a matplotlib figure.

        ValueError, which lists the names, if there is none.
        """
        from harness.report import published_curves  # figures need matplotlib
        from harness.report.figures import gallery

        curves = published_curves.load(PUBLISHED.with_name("published_curves.csv"))
        names = []
        for drawing in gallery.describe(self.report, ForeignStore(self.folder), curves):
            if drawing.name.startswith(name):
                return drawing.figure()
            names.append(drawing.name)
        raise ValueError(f"no figure {name!r}; there are {', '.join(names)}")

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}): {len(self.report.runs)} searches of {len(self.report.methods)} methods"


def run(
    methods: str | Iterable[str] = (),
    seeds: int | Iterable[int] = 4,
    *,
    settings: Mapping[str, Any] | None = None,
    results: str | Path = "results",
    quiet: bool = True,
    **options: Any,
) -> Results:
    """Run the searches that are missing, as `run_all.py` does, and return what the results folder holds then.

    Args:
        methods: names, families, `file.py:Class`; none: the default ones.
        seeds: their number, or the seeds.
        settings: as `--set` takes them, e.g. {"darts.lr": 0.1, "protocol.epochs": 5}; a list is a grid.
        results: the folder.
        quiet: whether nothing is printed.
        options: any other option of the command line, e.g. profile="controlled", dataset="cifar10", controls="none",
            jobs=4; figures are not drawn unless figures="png" asks for them.

    Raises:
        ValueError, OSError: for whatever cannot be run as asked. A run that fails is in `Results.failures`.
    """
    named = [methods] if isinstance(methods, str) else list(methods)
    words = ["--methods", ",".join(named)] if named else []
    words += ["--seeds", _seeds(seeds), "--results", str(results)]
    for name, value in (settings or {}).items():
        words += ["--set", f"{name}={_text(value)}"]
    for name, value in {"figures": "none", **options}.items():
        words += _option(name, value)
    with contextlib.redirect_stdout(io.StringIO() if quiet else sys.stdout), _errors_raised():
        command.main(words, "harness.run")
    return Results(results)


def _seeds(seeds: int | Iterable[int]) -> str:
    """As `--seeds` takes them, where a number alone counts seeds."""
    if isinstance(seeds, int):
        return str(seeds)
    listed = [str(seed) for seed in seeds]
    return f"{listed[0]}-{listed[0]}" if len(listed) == 1 else ",".join(listed)


def _option(name: str, value: Any) -> list[str]:
    word = f"--{name.replace('_', '-')}"
    if value is None or value is False:
        return []
    return [word] if value is True else [word, _text(value)]


def _text(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextlib.contextmanager
def _errors_raised() -> Any:
    """Within, what a command line would print of wrong arguments is the text of a ValueError."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit as stop:
        raise ValueError(printed.getvalue().strip()) from stop
