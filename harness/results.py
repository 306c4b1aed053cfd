"""Searches from Python, and their results as data frames."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from harness.commands import run as command
from harness.commands.report import PUBLISHED
from harness.experiment.merge import ForeignStore
from harness.experiment.registry import built_in
from harness.report import columns, comparison, gather, names
from harness.report.content import Report
from harness.report.groups import GROUP
from harness.report.leaderboard import OBSTACLES
from harness.report.render import tables

TRACES = ("loss", "train_accuracy", "valid_accuracy", "seconds")
"""Arrays of a search with one number per epoch."""


class Results:
    """What a results folder holds. Nothing in it is changed; a new object sees what has been added."""

    def __init__(self, folder: str | Path) -> None:
        """ValueError if there is no such results folder."""
        self.folder = Path(folder)
        if not (self.folder / "runs").is_dir():
            raise ValueError(f"no results folder {folder}")

    @cached_property
    def report(self) -> Report:
        """All that the tables and figures are made of."""
        return gather(ForeignStore(self.folder), list(built_in()), PUBLISHED)

    @property
    def leaderboard(self) -> pd.DataFrame:
        """One row per method, dataset and split: mean, std, n and the published value; as tables/leaderboard.csv."""
        return self.report.leaderboard.drop(columns=OBSTACLES)

    @property
    def searches(self) -> pd.DataFrame:
        """One row per search, dataset and split: accuracy of its cell (%), or the test error of a retrained one."""
        looked_up = columns.frame(*_file("runs.csv", self.report))
        trained = self.report.retrained_finals
        shown = [*GROUP, "method", "seed", "selection", "dataset", "split", "metric", "cell", "value"]
        both = pd.concat([frame for frame in (looked_up, trained[shown]) if len(frame)] or [looked_up])
        return both.reset_index(drop=True)

    @property
    def epochs(self) -> pd.DataFrame:
        """One row per search and epoch: entropy (nats, mean over edges), loss, accuracies (%), cell, multiply-adds."""
        store, parts = ForeignStore(self.folder), []
        runs = self.report.runs
        for row in runs[runs["per_epoch"].astype(bool) & (runs["failure"] == "")].itertuples():
            arrays = store.arrays(str(row.key))
            values: dict[str, Any] = {name: arrays[name] for name in TRACES}
            values |= {"entropy": arrays["entropy"].mean(axis=1), "cell": arrays["cells"].astype(str)}
            if "multiply_adds" in arrays:
                values["multiply_adds"] = arrays["multiply_adds"].sum(axis=1)
            count = len(arrays["loss"])
            of_search = {"method": [row.method] * count, "seed": [row.seed] * count}
            parts.append(pd.DataFrame({**of_search, "epoch": range(1, count + 1), **values}))
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
        found = comparison.compare(self.report, names.several(",".join(methods)), None, paired=paired)
        return columns.frame(columns.COMPARISON, found.comparisons)

    def __repr__(self) -> str:
        return f"Results({str(self.folder)!r}): {len(self.report.runs)} searches of {len(self.report.methods)} methods"


def _file(name: str, report: Report) -> tuple[Any, Any]:
    file_columns, rows = tables.FILES[name]
    return file_columns, rows(report)


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
        options: any other option of the command line, e.g. profile="controlled", dataset="cifar10", jobs=4; figures are
            not drawn unless figures="png" asks for them.

    Raises:
        ValueError, OSError: for whatever cannot be run as asked. A run that fails is in `Results.failures`.
    """
    named = [methods] if isinstance(methods, str) else list(methods)
    words = ["--methods", ",".join(named)] if named else []
    words += ["--seeds", str(seeds) if isinstance(seeds, int) else ",".join(map(str, seeds)), "--results", str(results)]
    for name, value in (settings or {}).items():
        words += ["--set", f"{name}={_text(value)}"]
    for name, value in {"figures": "none", **options}.items():
        words += _option(name, value)
    with contextlib.redirect_stdout(io.StringIO() if quiet else sys.stdout), _errors_raised():
        command.main(words, "harness.run")
    return Results(results)


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
