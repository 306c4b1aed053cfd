"""The content of a report, computed from a results folder and independent of how it is rendered."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.base import Evaluator, Graph
from harness.experiment.config import Label
from harness.experiment.store import Record, Store
from harness.experiment.tuning import drawn_keys, tunings
from harness.report import (
    accuracies,
    algorithms,
    controls,
    costs,
    headline,
    leaderboard,
    own_images,
    regret,
    retrained,
    runs,
    tuning,
)
from harness.report.algorithms import Algorithm
from harness.report.controls import Budget
from harness.report.costs import Cost, Size
from harness.report.groups import GROUP, Group
from harness.report.own_images import OwnImages
from harness.report.published import Published, PublishedValue, load
from harness.report.tuning import Tuning

NO_RUNS = "No runs yet: this results folder holds no records."
SEEN_TEST = (
    "Bilevel searches on {0} without the benchmark's index lists may have seen test images of {0}; these rows have no"
    " verdict."
)
UNVERIFIED = (
    "Table {0} lacks the benchmark's validation accuracies or differs from them; numbers from it have no verdict."
)
SEEN = "may have seen test images"
OWN_PROTOCOL = "No protocol is published in {1} for {0}: their searches there are under ours."
NO_TEST_ACCURACIES = (
    "No test accuracies of {0}: python -m harness report --space {0} --table TABLE adds them (docs/data.md: where to"
    " get a TABLE)"
)


@dataclass(frozen=True, eq=False)
class Report:
    """Content of a report: a pure function of records, look-ups and published results."""

    leaderboard: pd.DataFrame
    """Columns `leaderboard.COLUMNS`: one row per method, group, selection, dataset and split."""
    runs: pd.DataFrame
    """Columns `runs.COLUMNS`: one row per record, failed ones included."""
    records: Sequence[Record]
    """The records behind `runs`, in the same order."""
    placed: pd.DataFrame
    """The same runs, with those of controls that see no data in every group where they stand (`controls.placed`)."""
    controls: frozenset[str]
    """Labels of the methods that see no data at all: no images, and no answer of a table."""
    budgets: Mapping[Group, Budget]
    """The most expensive method of each group, and the control with its budget (`controls.budgets`)."""
    finals: pd.DataFrame
    """One row per finished run, selection, dataset and split: the accuracies (%) that the leaderboard averages, and the
    ranks of the cells (`accuracies.with_ranks`)."""
    headlines: pd.DataFrame
    """Columns `headline.COLUMNS`: the headline numbers of the paper's leaderboard next to ours."""
    retrained: pd.DataFrame
    """Columns `retrained.COLUMNS`: errors of cells retrained from scratch."""
    retrained_finals: pd.DataFrame
    """One row per finished search and retraining of its cell (`retrained.finals`): the errors (%) that the leaderboard
    averages."""
    retrainings: Mapping[str, Record]
    """Records of those retrainings, by key."""
    costs: tuple[Cost, ...]
    """Search cost of every method, ours and published."""
    sizes: tuple[Size, ...]
    """Sizes of the retrained networks, ours and published."""
    published: Published
    """All published values of the methods."""
    regrets: pd.DataFrame
    """Columns `regret.RUN_COLUMNS`: rows of `finals` with regret and isomorphism class."""
    accuracies: pd.DataFrame
    """Columns `accuracies.COLUMNS`: accuracies of every cell that was looked up, each number from one table."""
    methods: tuple[str, ...]
    """Labels of all methods, in leaderboard order."""
    labels: Mapping[str, Label]
    """Structured label of each method."""
    subsets: frozenset[str]
    """Methods that searched on a subset of a dataset."""
    algorithms: Mapping[str, Algorithm]
    """Files of the methods, by their name in `runs`."""
    tables: Mapping[str, str]
    """Source of each table in the leaderboard, by the first 12 digits of its SHA-256."""
    cited: tuple[PublishedValue, ...]
    """The published values shown in the leaderboard, in row order; rows without one are skipped."""
    citations: tuple[str, ...]
    """One line per method and source of published values."""
    notes: tuple[str, ...]
    """Missing data and how to obtain it; stored data that are not used."""
    own_images: tuple[OwnImages, ...]
    """What searches on a user's own images reach there."""
    tunings: tuple[Tuning, ...]
    """Searches whose settings were tuned. The trials with drawn settings are no rows of the leaderboard."""
    warnings: tuple[str, ...]
    """One line per corrupt file."""

    def short_names(self, methods: Iterable[str]) -> tuple[dict[str, str], str]:
        """Short names of the given methods, without the details that all of them share, and the shared details; a
        control that sees no data has none to share."""
        labels = {method: self.labels[method] for method in methods}
        return runs.without_shared(labels, self.subsets, self.controls)

    @cached_property
    def graphs(self) -> Mapping[tuple[str, str], tuple[Graph, ...]]:
        """Graphs of the architectures that the searches selected, by space and architecture."""
        graphs: dict[tuple[str, str], tuple[Graph, ...]] = {}
        for record, space in zip(self.records, self.runs["space"], strict=True):
            for architecture in {*(record.get("cells") or {}).values()}:
                if isinstance(architecture, str) and (space, architecture) not in graphs:
                    graphs[space, architecture] = _graphs(record, space, architecture)
        return graphs

    @cached_property
    def set_apart(self) -> frozenset[str]:
        """Labels of all controls, which tables list last."""
        kinds = self.runs.drop_duplicates("method")[["method", "name", "family", "external"]]
        rows = kinds.itertuples(index=False, name=None)
        return frozenset(method for method, *kind in rows if controls.is_control(*kind))

    @cached_property
    def families(self) -> Mapping[str, str]:
        """The family of every method by its label, that of the controls for all that are listed with them."""
        known = dict(zip(self.runs["method"], self.runs["family"], strict=True))
        return {method: controls.FAMILY if method in self.set_apart else family for method, family in known.items()}

    @property
    def failures(self) -> list[str]:
        """One line per failed run, with the last line of its traceback."""
        failed = self.runs[self.runs["failure"] != ""]
        return [
            f"{run['method']}, seed {run['seed']} ({Group(*(run[key] for key in GROUP)).title}): {run['failure']}"
            for run in failed.to_dict("records")
        ]

    def show(self, console: Console | None = None) -> None:
        """Print the leaderboard, failed runs, warnings and notes."""
        from harness.report.render import terminal

        terminal.show(self, console or Console())


def gather(
    store: Store,
    order: Sequence[str],
    published: Path,
    tables: Iterable[tuple[str, Evaluator]] = (),
    records: Sequence[Record] | None = None,
) -> Report:
    """Build the report of a results folder, reading each file once.

    Args:
        order: registry names of the methods in leaderboard order.
        published: file of published results.
        tables: complete tables with the space of each, for ranks (`accuracies.with_ranks`).
        records: the folder's records, if they were read before.
    """
    with _uncollected():
        return _gathered(store, order, load(published), tables, store.records() if records is None else records)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: it would walk through all records again and again, and none of them is garbage. Nor
    does it walk through them afterwards: they go to the oldest generation at once."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        if enabled:
            gc.enable()


def _gathered(
    store: Store,
    order: Sequence[str],
    published_values: Published,
    tables: Iterable[tuple[str, Evaluator]],
    stored: Sequence[Record],
) -> Report:
    # Sorted by seed, so that floating-point sums do not depend on the keys of the records.
    all_records = sorted(stored, key=lambda record: (record["config"]["seed"], record["key"]))
    with_trials = retrained.searches(all_records)
    drawn = drawn_keys([stored for _, stored in tunings(store)])
    records = [record for record in with_trials if record["key"] not in drawn]
    searches = runs.tabulate(records)
    scores = list(store.scores())
    looked_up = accuracies.one_table_per_number(scores)
    blind = controls.blind(records, searches)
    placed = controls.placed(searches, blind)
    finals = accuracies.with_ranks(accuracies.final(placed, looked_up), tables)
    methods = runs.methods_in_order(searches, order)
    retrainings = retrained.retrainings(all_records)
    retrained_finals = controls.with_others(retrained.finals(placed, retrainings), blind)
    numbers = [frame for frame in (finals, retrained_finals) if len(frame)] or [finals]
    unverified = accuracies.unverified(scores)
    rows, cited = leaderboard.build(pd.concat(numbers), published_values, methods, unverified)
    sources = {table.sha256[: accuracies.SHOWN_DIGITS]: table.source for table in scores}
    with_best = [table.benchmark for table in scores if table.has_best]
    trained_once = retrained.finals(searches, retrainings)
    trained = retrained.finals(runs.tabulate(with_trials), retrainings) if drawn else trained_once
    labels = dict(zip(searches["method"], searches["label"], strict=True))
    search_costs = costs.build(store, searches, records, published_values, methods)
    tuned = tuning.gather(store, with_trials, looked_up, trained, order)
    return Report(
        leaderboard=rows,
        runs=searches,
        records=records,
        placed=placed,
        controls=blind,
        budgets=controls.budgets(search_costs, searches, records),
        finals=finals,
        headlines=headline.build(rows, labels, published_values, retrainings),
        retrained=retrained.table(retrained_finals, published_values, methods),
        retrained_finals=retrained_finals,
        retrainings=retrainings,
        costs=search_costs,
        sizes=costs.sizes(retrained_finals, published_values),
        published=published_values,
        regrets=regret.of_runs(finals[finals["space"].isin(with_best) | _has_optimum(finals)], looked_up),
        accuracies=looked_up,
        methods=tuple(methods),
        labels=labels,
        subsets=frozenset(searches.loc[searches["subset"].astype(bool), "method"]),
        algorithms=algorithms.of_runs(searches, records, store),
        tables={table: sources[table] for table in sorted(set(rows["table"]) & sources.keys())},
        cited=tuple(cited),
        citations=_citations(cited),
        notes=(
            *_notes(placed, looked_up, set(retrained_finals["space"])),
            *(UNVERIFIED.format(table) for table in sorted(unverified)),
            *(line for each in tuned for line in each.not_compared),
        ),
        own_images=own_images.gather(store, searches, trained_once, retrainings, methods),
        tunings=tuned,
        warnings=tuple(store.warnings),
    )


def _has_optimum(finals: pd.DataFrame) -> pd.Series[bool]:
    """Whether the benchmark of each row says from which accuracy its regret counts."""
    keys = pd.MultiIndex.from_frame(finals[["space", "dataset", "split"]])
    known = [key for key in keys.unique() if regret.optimum(*key) is not None]
    return pd.Series(keys.isin(known), index=finals.index, dtype=bool)


def _graphs(record: Record, space: str, architecture: str) -> tuple[Graph, ...]:
    """Graphs of an architecture, for a custom space read from its record; empty if none are available."""
    if space in BENCHMARKS:
        full = BENCHMARKS[space].full_space
        try:
            return full.graph(full.from_string(architecture))
        except ValueError:  # a hand-written record
            return ()
    graphs = record.get("space", {}).get("graphs", {}).get(architecture, [])
    return tuple(
        Graph(graph["title"], tuple(graph["nodes"]), tuple(tuple(edge) for edge in graph["edges"])) for graph in graphs
    )


def _notes(searches: pd.DataFrame, looked_up: pd.DataFrame, trained_spaces: set[str]) -> list[str]:
    """Notes on missing accuracies and seen test images; `trained_spaces` are those with retrained architectures."""
    if searches.empty:
        return [NO_RUNS]
    retrained_spaces = {name for name, benchmark in BENCHMARKS.items() if benchmark.recipes()}
    evaluated = searches[~searches["space"].isin(retrained_spaces | trained_spaces)]
    notes = [_uncovered(*row) for row in accuracies.uncovered(evaluated, looked_up).itertuples(index=False, name=None)]
    seen_test = searches["deviations"].map(lambda reasons: SEEN in reasons)
    for searched_on in sorted(set(searches.loc[seen_test, "searched_on"])):
        notes.append(SEEN_TEST.format(searched_on))
    ours = searches[searches["deviations"].map(lambda reasons: runs.UNPUBLISHED in reasons)]
    notes += [
        OWN_PROTOCOL.format(", ".join(sorted(set(names))), space) for space, names in ours.groupby("space")["name"]
    ]
    with_tests = set(looked_up.loc[looked_up["metric"] == "test_accuracy", "space"])
    tabular = [name for name, benchmark in BENCHMARKS.items() if "table" in benchmark.tools and name not in with_tests]
    return notes + [NO_TEST_ACCURACIES.format(name) for name in tabular if name in set(searches["space"])]


def _uncovered(space: str, profile: str, searched_on: str, table: str, count: int) -> str:
    where = f"{Group(space, profile, searched_on).title}: {count} finished {'run' if count == 1 else 'runs'}"
    if not table:
        return f"{where}, but no accuracies of their cells are stored"
    return f"{where} left out of the numbers from table {table}, which has no accuracy of their cells here"


def _citations(cited: Sequence[PublishedValue]) -> tuple[str, ...]:
    """One line per method, source and evidence of published values, in order of first appearance in the leaderboard."""
    splits: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for value in cited:
        searched_on = f"searched on {value.searched_on}" if value.searched_on else "search dataset not stated"
        known = value.protocol in ("direct", "transfer")  # which the two datasets say
        evidence = ", ".join([searched_on, *([] if known else [value.experiment]), value.evidence])
        splits[value.registry_name, value.source, evidence][f"{value.dataset} {value.split}".strip()] = None
    return tuple(
        f"{method}, {', '.join(names)}: {source} ({evidence})" for (method, source, evidence), names in splits.items()
    )
