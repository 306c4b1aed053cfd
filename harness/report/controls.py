"""Controls: rows of a table that the other rows are to be compared with.

A blind control sees no data at all, so nothing that sets the groups of its space apart concerns it, and the same runs
are the control of all groups. A control at an equal budget spent as many multiply-adds as the most expensive of the
other methods of its group.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from harness.experiment import registry
from harness.experiment.store import Record
from harness.report.costs import Cost
from harness.report.groups import GROUP, PROFILE_ORDER, Group

FAMILY = "controls"
SHARE = 0.05
"""Budgets that differ by less, or by less than an epoch of the control, are equal: what a search costs is estimated
before it begins."""
EQUAL = "{group}: {control} is a control with as many multiply-adds as {method}, the most expensive other method"
MISSING = (
    "{group}: no control matches the multiply-adds of {method}, the most expensive method (--controls {names} adds one)"
)


def is_control(name: str, family: str, external: bool) -> bool:
    """Whether a method is listed last, apart from the others."""
    return family == FAMILY or (name in registry.controls() and not external)


def blind(records: Sequence[Record], runs: pd.DataFrame) -> frozenset[str]:
    """Labels of the methods that see no data: no images, and no answer of a table. `runs` are of the `records`."""
    found: set[str] = set()
    others: set[str] = set()
    for record, method in zip(records, runs["method"], strict=True):
        asks = record["config"].get("table") is not None and record.get("queries") != 0
        (others if record["config"]["kind"] != "black-box" or asks else found).add(method)
    return frozenset(found - others)


def placed(runs: pd.DataFrame, blind: Collection[str]) -> pd.DataFrame:
    """The runs, with those of blind controls in every group of their space that has other methods.

    Where a group has runs of a control that were planned for it, these stand there; else those of another group, next
    to which nothing published is shown. In a group of its own a control stays only if its space has no other group.
    """
    of_controls = runs["method"].isin(blind)
    controls, others = runs[of_controls], runs[~of_controls]
    groups = [Group(*map(str, key)) for key in others[GROUP].drop_duplicates().itertuples(index=False, name=None)]
    parts = [others]
    for (space, _), own in controls.groupby(["space", "method"], sort=False):
        places = [group for group in groups if group.space == space]
        parts += [_in(group, own) for group in places] if places else [own]
    return pd.concat(parts).sort_index(kind="stable") if len(parts) > 1 else runs


def _in(group: Group, own: pd.DataFrame) -> pd.DataFrame:
    here = own[(own[GROUP] == list(group)).all(axis=1)]
    if len(here):
        return here
    lender = min(own[GROUP].drop_duplicates().itertuples(index=False, name=None), key=_rank)
    lent = own[(own[GROUP] == list(lender)).all(axis=1)]
    nothing = pd.Series([()] * len(lent), lent.index, object)
    return lent.assign(**dict(zip(GROUP, group, strict=True)), published_as=nothing)


def _rank(key: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    profile = key[GROUP.index("profile")]
    return PROFILE_ORDER.index(profile) if profile in PROFILE_ORDER else len(PROFILE_ORDER), key


def with_others(trained: pd.DataFrame, blind: Collection[str]) -> pd.DataFrame:
    """Errors of retrained cells (`retrained.finals`), those of blind controls only where another method of the group
    has one on the same dataset by the same recipe; or if no other method of the space has."""
    of_controls = trained["method"].isin(blind)
    in_group = _keys(trained, [*GROUP, "dataset", "table"])
    in_space = _keys(trained, ["space", "dataset", "table"])
    beside, known = set(in_group[~of_controls]), set(in_space[~of_controls])
    return trained[~of_controls | in_group.isin(beside) | ~in_space.isin(known)]


def _keys(frame: pd.DataFrame, columns: list[str]) -> pd.Series:
    return pd.Series(list(frame[columns].itertuples(index=False, name=None)), frame.index, object)


# Equal budgets -------------------------------------------------------------------------------------------------------


class Budget(NamedTuple):
    """The most expensive method of a group that is no control, and the control that spent as much."""

    method: str
    control: str | None
    """None: there is none."""


def budgets(costs: Sequence[Cost], runs: pd.DataFrame, records: Sequence[Record]) -> dict[Group, Budget]:
    """Of every group whose searches count multiply-adds; methods are called by their labels."""
    controls = {
        str(row.method)
        for row in runs.itertuples()
        if row.name in registry.controls() and not row.external and row.per_epoch
    }
    epochs = {
        (row.method, row.space, row.profile, row.searched_on): record["config"]["protocol"]["values"].get("epochs", 1)
        for row, record in zip(runs.itertuples(), records, strict=True)
    }
    found = {}
    for group in dict.fromkeys(cost.group for cost in costs):
        counted = {each.method: each.multiply_adds for each in costs if each.group == group}
        counted = {method: spent for method, spent in counted.items() if not math.isnan(spent)}
        others = {method: spent for method, spent in counted.items() if method not in controls}
        if others:
            dearest = max(others, key=others.__getitem__)
            own = {method: spent for method, spent in counted.items() if method in controls}
            of_group = {method: epochs[(method, *group)] for method in own}
            found[group] = Budget(dearest, _equal(own, others[dearest], of_group))
    return found


def _equal(spent: Mapping[str, float], budget: float, epochs: Mapping[str, int]) -> str | None:
    """The control that is nearest to a budget, if it is near enough."""
    if not spent:
        return None
    nearest = min(spent, key=lambda control: abs(spent[control] - budget))
    near_enough = max(spent[nearest] / epochs[nearest], SHARE * budget)
    return nearest if abs(spent[nearest] - budget) <= near_enough else None


def notes(found: Mapping[Group, Budget]) -> Iterator[str]:
    """A line for every group, on its control at an equal budget or the lack of it."""
    names = ",".join(registry.controls())
    for group, budget in found.items():
        line = MISSING if budget.control is None else EQUAL
        yield line.format(group=group.title, method=budget.method, control=budget.control, names=names)
