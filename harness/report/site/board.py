"""Columns, blocks and filters of the page's leaderboard, computed in Python so that the script only displays them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from harness.report import columns
from harness.report.columns import LEADERBOARD, PAGE
from harness.report.groups import DATASET_ORDER, PROXIES, SELECTIONS, Group
from harness.report.metrics import METRICS
from harness.report.render import wording

HOME = DATASET_ORDER[0]
"""The dataset that papers search on unless they search on each dataset separately."""
EACH = "each dataset"
"""Search dataset of the blocks of direct searches."""


class Line(NamedTuple):
    """A leaderboard row with the properties that determine its block in the page."""

    row: Any
    black_box: bool
    """Whether the search queried a table; controls that query none are grouped with the weight-sharing methods."""
    kind: str
    """Of the search, as configs have it."""
    proxy: str
    shared: str
    """Details that all methods of the block share."""
    recipe: str
    """Recipe of the retraining; empty if the number was looked up, possibly in several tables."""

    @property
    def group(self) -> Group:
        return Group(self.row.space, self.row.profile, self.row.searched_on)

    @property
    def direct(self) -> bool:
        """Whether the cell was looked up on the dataset of its search."""
        return self.row.dataset == self.row.searched_on and not self.recipe


def described() -> list[dict[str, Any]]:
    """The columns of the page; titles are capitalized unless they are below a group heading."""
    return [
        {
            "name": column.name,
            "title": column.heading if column.group else column.heading[:1].upper() + column.heading[1:],
            "group": column.group,
            "number": column.number,
            "about": column.about,
        }
        for column in columns.shown(LEADERBOARD, PAGE)
    ]


# Blocks ---------------------------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """Results that a paper would put into one table: one kind of search on the same dataset under one profile, and one
    recipe for retrained cells."""

    black_box: bool
    space: str
    profile: str
    where: str
    """Search dataset, or `EACH`."""
    selection: str
    recipe: str


def blocks(lines: Sequence[Line]) -> tuple[list[dict[str, str]], list[tuple[int, int | None]]]:
    """The blocks in page order, and for each line the indices of its block and of its second block, if any.

    Direct searches on each dataset form a separate block, which repeats the number of the home dataset shared with
    transfers.
    """
    everywhere = {_searches(line) for line in lines if line.direct and line.row.searched_on != HOME}
    first = [_block(line, EACH if line.direct and line.row.searched_on != HOME else "") for line in lines]
    second = [
        _block(line, EACH) if line.direct and line.row.searched_on == HOME and _searches(line) in everywhere else None
        for line in lines
    ]
    members: dict[Block, list[Line]] = {}
    for line, *both in zip(lines, first, second, strict=True):
        for block in filter(None, both):
            members.setdefault(block, []).append(line)
    groups = list(dict.fromkeys((line.row.space, line.row.profile) for line in lines))
    ordered = sorted(members, key=lambda block: _order(block, groups))
    index = {block: number for number, block in enumerate(ordered)}
    varies = [name for name in Block._fields if len({getattr(block, name) for block in members}) > 1]
    headings = [_heading(block, members[block], varies) for block in ordered]
    return headings, [
        (index[block], None if other is None else index[other]) for block, other in zip(first, second, strict=True)
    ]


def _searches(line: Line) -> tuple[str, ...]:
    return line.row.method, line.row.space, line.row.profile, line.row.selection


def _block(line: Line, where: str) -> Block:
    row = line.row
    return Block(line.black_box, row.space, row.profile, where or row.searched_on, row.selection, line.recipe)


def _order(block: Block, groups: Sequence[tuple[str, str]]) -> tuple[bool, int, int]:
    """Sort key: black-box blocks first; within a group the home dataset, each dataset, then others."""
    dataset = 1 if block.where == EACH else 0 if block.where in (HOME, *PROXIES) else 2
    return not block.black_box, groups.index((block.space, block.profile)), dataset


def _heading(block: Block, members: Sequence[Line], varies: Sequence[str]) -> dict[str, str]:
    """Texts of a block's heading; properties that all blocks share are omitted unless in `varies`."""
    home = block.black_box and block.where == HOME
    kind, how = _kind(block, {line.kind for line in members})
    first = next((line for line in members if line.proxy), members[0])  # controls may be no proxy
    group = first.group
    cells = f"{group.search}, {group.evaluation}"
    if block.where == EACH:
        cells = "cells looked up on the dataset of their search"
    elif not (block.recipe or first.proxy) and all(line.row.dataset != block.where for line in members):
        cells = f"{group.search}, cells looked up on the other datasets"  # direct results are in the EACH block
    about = [
        how,
        cells,
        "" if first.proxy else group.protocol,
        f"{block.profile} profile",
        f"all with {first.shared}" if first.shared else "",
        block.space if "space" in varies else "",
        SELECTIONS[block.selection] if "selection" in varies else "",
        f"test error in %, lower is better, of cells retrained with {block.recipe}" if block.recipe else "",
    ]
    return {
        "title": kind if home else f"{kind}, searched on {block.where}",
        "proxy": first.proxy,
        "sentence": group.sentence,
        "about": " \u00b7 ".join(filter(None, about)),
    }


def _kind(block: Block, kinds: set[str]) -> tuple[str, str]:
    """How a block with these kinds of searches is called, and how they search."""
    if block.black_box:
        return "Black box", "tabular queries"
    if kinds == {"black-box"}:
        return "Controls", "cells that were not searched for"
    if "training-free" not in kinds:
        return "Weight sharing", "one supernet per search"
    if "one-shot" not in kinds:
        return "Training-free", "untrained networks scored on one batch"
    return "Weight sharing and training-free", "one supernet per search, or untrained networks scored on one batch"


# Filters --------------------------------------------------------------------------------------------------------------

_FILTERS = ("Space", "Profile", "Searched on", "Selection", "Dataset", "Split", "Family")


def filters(lines: Sequence[Line]) -> tuple[list[dict[str, Any]], list[list[list[str]]]]:
    """The filters, and for every line the choices of each filter that show it.

    A filter has a title, a name in addresses, choices (value and text), a default, and is hidden if it has a single
    choice. Validation accuracies of a space without test results replace these if another space has test results.
    """
    tested = {line.row.space for line in lines if METRICS[line.row.metric].of == "tests"}
    stand_in = {line.row.space for line in lines} - tested if tested else set()
    facets = [
        [
            *([value] for value in (*line.group, line.row.selection, line.row.dataset)),
            [line.row.split, "tests" if line.row.space in stand_in else METRICS[line.row.metric].of],
            [line.row.family],
        ]
        for line in lines
    ]
    names = {
        **SELECTIONS,
        "tests": "tests, else validation" if stand_in else "all test results",
        "validations": "validation accuracies",
    }
    result = []
    for title, choices in zip(_FILTERS, zip(*facets, strict=True), strict=bool(facets)):
        values = list(dict.fromkeys([*(choice[-1] for choice in choices), *(choice[0] for choice in choices)]))
        result.append(
            {
                "title": title,
                "name": title.lower().replace(" ", "-"),
                "choices": [(value, names.get(value, value)) for value in values],
                "default": _default(title, values, lines),
                "hidden": len({choice[0] for choice in choices}) < 2,
            }
        )
    return result, facets


def _default(title: str, values: Sequence[str], lines: Sequence[Line]) -> str:
    """Default choice of a filter: the space with the most results (spaces share no columns), the cells of the last
    epoch, and test results, or validation accuracies if there are none."""
    if title == "Space":
        return str(Counter(line.row.space for line in lines).most_common(1)[0][0])
    wanted = {"Selection": ["last"], "Split": ["tests", "validations"]}.get(title, [])
    return next((value for value in wanted if value in values), "")


# Cells of the table ---------------------------------------------------------------------------------------------------


def pair(row: Any) -> list[str]:
    """Texts of ours, then of the published value: mean, deviation and number of searches of each, then the difference,
    or the published split if it is not ours."""
    ours = _side(row.mean, row.std, str(row.n))
    if pd.isna(row.published):
        return ours
    theirs = _side(row.published, row.published_std, wording.published_n(row))
    theirs[-1] += wording.recalled(row)
    split = row.published_split or "split ?"
    return [*ours, *theirs, split if pd.isna(row.difference) else wording.plain(row.difference, "+")]


def _side(mean: float, std: float, n: str) -> list[str]:
    return [wording.plain(mean), "" if pd.isna(std) else f"\u00b1 {std:.2f}", f"({n})"]
