"""Which figures a report has, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from matplotlib.figure import Figure

from harness.report import curves, figures
from harness.report.content import Report
from harness.report.curves import Curves
from harness.report.groups import GROUP, Group
from harness.spaces import SPACES
from harness.store import Store


def draw(report: Report, store: Store) -> Iterator[tuple[str, Figure]]:
    """File names (without suffix) and figures of every group with runs that are done; reads the runs' arrays."""
    done = report.runs[report.runs["failure"] == ""]
    for key, runs in done.groupby(GROUP):
        group = Group(*map(str, key))
        present = set(runs["method"])
        looks = figures.looks([method for method in report.methods if method in present])
        for name, figure in _figures(report, group, curves.read(store, runs, report.accuracies, list(looks)), looks):
            yield f"{name}-{group.file_name}", figure


def _figures(
    report: Report, group: Group, searched: Sequence[Curves], looks: dict[str, figures.Look]
) -> Iterator[tuple[str, Figure]]:
    columns = curves.columns(report.accuracies)
    if searched:
        yield "entropy", figures.entropy(searched, _cell_types(group.space, searched[0]), group.labelled_title, looks)
    looked_up = curves.covered(searched)
    if looked_up and columns:
        yield "accuracy", figures.accuracy(looked_up, columns, group.labelled_title, looks)
    finals = _last_cells(report, group)
    if len(finals):
        yield "final", figures.final(finals, columns, group.labelled_title, looks)


def _cell_types(space: str, searched: Curves) -> list[str]:
    if space in SPACES:
        return list(SPACES[space].cell_types)
    return [f"type {number}" for number in range(1, searched.entropy.shape[2] + 1)]


def _last_cells(report: Report, group: Group) -> pd.DataFrame:
    finals = report.finals[report.finals["selection"] == "last"]
    here = (finals[GROUP] == list(group)).all(axis=1)
    return finals[here]
