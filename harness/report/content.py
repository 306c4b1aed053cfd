"""What a report says, computed from a results folder, before it is laid out for files or the console."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from harness.experiment.config import Label
from harness.experiment.store import Record, Store
from harness.report import accuracies, costs, headline, leaderboard, regret, retrained, runs
from harness.report.accuracies import METRIC_OF_SPLIT
from harness.report.costs import Cost, Size
from harness.report.groups import GROUP, Group
from harness.report.published import Published, PublishedValue, load

NO_RUNS = "No runs yet: this results folder holds no records."
SEEN_TEST = (
    "Bilevel searches on {0} without the benchmark's index lists: x-valid, x-test and ori-test of {0} may have been"
    " seen in search; these rows are never judged."
)
UNVERIFIED = (
    "Table {0} lacks the benchmark's validation accuracies, or has others: numbers that rest on it are never judged."
)
SEEN = "may have seen test images"
NO_TEST_ACCURACIES = (
    "No test accuracies at hand: python run_all.py --table TABLE"
    " (made by: python -m harness.benchmarks.nasbench201.table.convert SOURCE TABLE)"
)


@dataclass(frozen=True, eq=False)
class Report:
    """A pure function of records, look-ups and published results."""

    leaderboard: pd.DataFrame
    """Columns `leaderboard.COLUMNS`: one row per method, group, selection, dataset and split."""
    runs: pd.DataFrame
    """Columns `runs.COLUMNS`: one row per record, failed ones included."""
    records: Sequence[Record]
    """The records behind `runs`, in the same order."""
    finals: pd.DataFrame
    """One row per done run, selection, dataset and split: the accuracies behind the leaderboard."""
    headlines: pd.DataFrame
    """Columns `headline.COLUMNS`: the numbers of the paper's own leaderboard and ours."""
    trained: pd.DataFrame
    """Columns `retrained.COLUMNS`: errors of cells of the DARTS space that were trained from scratch."""
    trained_finals: pd.DataFrame
    """One row per done search and training of its cell, as `retrained.finals`: the errors behind the leaderboard."""
    trainings: Mapping[str, Record]
    """The trainings behind them, by key."""
    costs: tuple[Cost, ...]
    """What a search of every method costs, ours and published."""
    sizes: tuple[Size, ...]
    """How large the networks are that found cells were trained in, ours and published."""
    published: Published
    """Everything that is published of the methods."""
    found: pd.DataFrame
    """Columns `regret.RUN_COLUMNS`: the same numbers with regret and isomorphism class."""
    accuracies: pd.DataFrame
    """Columns `accuracies.COLUMNS`: of every cell that was looked up, each number from one table."""
    methods: tuple[str, ...]
    """Every method as labelled, in leaderboard order."""
    labels: Mapping[str, Label]
    """By method."""
    subsets: frozenset[str]
    """Methods whose searches saw a part of a dataset only."""
    tables: Mapping[str, str]
    """Source of each table in the leaderboard, by the first 12 digits of its SHA-256."""
    cited: tuple[PublishedValue, ...]
    """The published values of those rows of the leaderboard that have one, in the same order."""
    citations: tuple[str, ...]
    """One line per method and source of published values."""
    notes: tuple[str, ...]
    """What is missing and how to get it."""
    warnings: tuple[str, ...]
    """One line per damaged file."""

    def short_names(self, methods: Iterable[str]) -> tuple[dict[str, str], str]:
        """Names of some methods without the details that all of them have, by method; and those details."""
        return runs.without_shared({method: self.labels[method] for method in methods}, self.subsets)

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


def gather(store: Store, order: Sequence[str], published: Path) -> Report:
    """Read a results folder, each file once. `order` lists the methods as the leaderboard is to have them."""
    known = load(published)
    # By seed, so that sums do not depend on the keys of the records.
    everything = sorted(store.records(), key=lambda record: (record["config"]["seed"], record["key"]))
    records = retrained.searches(everything)
    found = runs.tabulate(records)
    lookups = list(store.lookups())
    looked_up = accuracies.one_table_per_number(lookups)
    finals = accuracies.final(found[found["space"] == "nasbench201"], looked_up)
    methods = runs.methods_in_order(found, order)
    trainings = retrained.trainings(everything)
    trained = retrained.finals(found, trainings)
    numbers = [frame for frame in (finals, trained) if len(frame)] or [finals]
    unverified = accuracies.unverified(lookups)
    rows, cited = leaderboard.build(pd.concat(numbers), known, methods, unverified)
    sources = {lookup.sha256[:12]: lookup.source for lookup in lookups}
    return Report(
        leaderboard=rows,
        runs=found,
        records=records,
        finals=finals,
        headlines=headline.build(rows, known, trainings),
        trained=retrained.table(trained, known, methods),
        trained_finals=trained,
        trainings=trainings,
        costs=costs.build(found, records, known, methods),
        sizes=costs.sizes(trained, known),
        published=known,
        found=regret.of_runs(finals, looked_up),
        accuracies=looked_up,
        methods=tuple(methods),
        labels=dict(zip(found["method"], found["label"], strict=True)),
        subsets=frozenset(found.loc[found["subset"].astype(bool), "method"]),
        tables={table: sources[table] for table in sorted(set(rows["table"]) & sources.keys())},
        cited=tuple(cited),
        citations=_citations(cited),
        notes=(*_notes(found, looked_up), *(UNVERIFIED.format(table) for table in sorted(unverified))),
        warnings=tuple(store.warnings),
    )


def _notes(found: pd.DataFrame, looked_up: pd.DataFrame) -> list[str]:
    if found.empty:
        return [NO_RUNS]
    of_table = found[found["space"] == "nasbench201"]
    notes = [_uncovered(*row) for row in accuracies.uncovered(of_table, looked_up).itertuples(index=False, name=None)]
    for searched_on in sorted(set(found.loc[found["deviations"].map(lambda reasons: SEEN in reasons), "searched_on"])):
        notes.append(SEEN_TEST.format(searched_on))
    if len(of_table) and not any(METRIC_OF_SPLIT[split] == "test_accuracy" for split in set(looked_up["split"])):
        notes.append(NO_TEST_ACCURACIES)
    return notes


def _uncovered(space: str, profile: str, searched_on: str, table: str, count: int) -> str:
    where = f"{Group(space, profile, searched_on).title}: {count} finished {'run' if count == 1 else 'runs'}"
    if not table:
        return f"{where}, but no accuracies of their cells are stored"
    return f"{where} left out of the numbers from table {table}, which has no accuracy of their cells here"


def _citations(cited: Sequence[PublishedValue]) -> tuple[str, ...]:
    """Published values by method and evidence, in the order in which the leaderboard first shows them."""
    numbers: dict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
    for value in cited:
        protocol = value.protocol or "protocol not stated"
        searched_on = f"searched on {value.searched_on}" if value.searched_on else "search dataset not stated"
        evidence = f"{protocol}, {searched_on}, {value.evidence}"
        numbers[value.registry_name, value.source, evidence][f"{value.dataset} {value.split}".strip()] = None
    return tuple(
        f"{method}, {', '.join(places)}: {source} ({evidence})"
        for (method, source, evidence), places in numbers.items()
    )
