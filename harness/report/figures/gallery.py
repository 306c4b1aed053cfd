"""Which figures a report has, and what they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from harness.benchmarks import SPACES
from harness.experiment.store import Record, Store
from harness.report import curves, traces
from harness.report.content import Report
from harness.report.curves import Curves, Floats
from harness.report.figures import epochs, finals, search_time, style, supernets, weights
from harness.report.groups import GROUP, Group
from harness.report.published_curves import PublishedCurve
from harness.report.runs import subset_label, without_shared
from harness.report.traces import Traces

Named = Iterator[tuple[str, Figure]]
ENOUGH_SEEDS = 6
"""The exact paired test of fewer seeds cannot reach 0.05."""
MOST = 40
"""Methods of a group in its figures: as many as fit a page. The tables have them all."""


def draw(report: Report, store: Store, published: Sequence[PublishedCurve] = ()) -> Named:
    """File names (without suffix) and figures of every group with runs that are done; reads the runs' arrays.

    Regret is counted from the best accuracy among the look-ups of the table.
    """
    done = report.runs[report.runs["failure"] == ""]
    columns = curves.columns(report.accuracies)
    values = curves.by_cell(report.accuracies)
    best = values.max().to_numpy(dtype=float)
    for key, runs in done.groupby(GROUP):
        group = Group(*map(str, key))
        families = dict(zip(runs["method"], runs["family"], strict=True))
        methods = [method for method in report.methods if method in families][:MOST]
        title = group.labelled_title
        if len(families) > MOST:
            title += f"; the first {MOST} of {len(families)} methods"
            runs = runs[runs["method"].isin(methods)]
        short, shared = without_shared(methods)
        title += f"; {shared}{subset_label(shared)}" if shared else ""
        looks = style.Looks({short[method]: families[method] for method in methods})
        records = [report.records[place] for place in runs.index]
        runs = runs.assign(method=runs["method"].map(short))
        searched = curves.read(store, runs, report.accuracies, list(short.values()))
        looked_up = curves.covered(searched) if columns else []
        over_time = [*traces.black_box(runs, records, values, list(short.values())), *traces.weight_sharing(looked_up)]
        known = [curve for curve in published if curve.space == group.space]
        for name, figure in chain(
            _searches(group.space, searched, title, looks, known),
            _found(group.searched_on, looked_up, columns, title, looks, known),
            _finals(_last_cells(report, group, short), columns, best, title, looks),
            _over_time(over_time, columns, best, title, looks, _devices(records)),
            _ranks(report, group, short, columns, title, looks),
        ):
            yield f"{name}-{group.file_name}", figure


def _searches(
    space: str, searched: Sequence[Curves], title: str, looks: style.Looks, published: Sequence[PublishedCurve]
) -> Named:
    """What needs no accuracies of cells."""
    if searched:
        entropies = [curve for curve in published if curve.quantity == "entropy"]
        yield "entropy", epochs.entropy(searched, _cell_types(space, searched[0]), title, looks, entropies)
        edges = _edges(space, searched[0])
        yield "theta", weights.weights(searched, edges, [_operations(space, one) for one in searched], title)


def _found(
    searched_on: str,
    looked_up: Sequence[Curves],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: style.Looks,
    published: Sequence[PublishedCurve],
) -> Named:
    """What sets the cell of each epoch beside its accuracy."""
    if not looked_up:
        return
    accuracies = [curve for curve in published if curve.quantity == "accuracy"]
    yield "accuracy", epochs.accuracy(looked_up, columns, title, looks, accuracies)
    scored = [method for method in looked_up if not np.isnan(method.supernet).any()]
    if scored:
        datasets = [dataset for dataset, _ in columns]
        place = datasets.index(searched_on) if searched_on in datasets else 0
        yield "supernet", supernets.supernet(scored, place, columns[place], title)


def _finals(
    scores: pd.DataFrame, columns: Sequence[tuple[str, str]], best: Floats, title: str, looks: style.Looks
) -> Named:
    if len(scores):
        yield "final", finals.final(scores, columns, title, looks, best)
        yield "profile", finals.profile(scores, columns, best, title, looks)


def _over_time(
    over_time: Sequence[Traces],
    columns: Sequence[tuple[str, str]],
    best: Floats,
    title: str,
    looks: style.Looks,
    devices: Sequence[str],
) -> Named:
    if over_time:
        yield "regret", search_time.regret(over_time, columns, best, title, looks, devices)
        yield "hits", search_time.hits(over_time, columns, best, title, looks, devices)
        yield "cost", search_time.cost(over_time, columns, title, looks, devices)


def _ranks(
    report: Report,
    group: Group,
    short: Mapping[str, str],
    columns: Sequence[tuple[str, str]],
    title: str,
    looks: style.Looks,
) -> Named:
    """Only with three methods and so many common seeds that their paired tests could tell them apart."""
    seeds = report.runs[report.runs["method"].isin(short)].groupby("method")["seed"].nunique()
    if len(short) < 3 or seeds.min() < ENOUGH_SEEDS:
        return
    from harness.report import comparison, ranks  # loads scipy.stats

    for dataset, split in columns:
        blocks = comparison.blocks(report, list(short), group, dataset, split).rename(columns=short)
        if len(blocks) >= ENOUGH_SEEDS:
            place = f"{title}; cells on {dataset}, {split}"
            yield f"ranks-{dataset}", ranks.diagram(ranks.rank(blocks), place, looks)


def _last_cells(report: Report, group: Group, short: Mapping[str, str]) -> pd.DataFrame:
    scores = report.finals[report.finals["selection"] == "last"]
    here = (scores[GROUP] == list(group)).all(axis=1)
    found = scores[here & scores["method"].isin(short)]
    return found.assign(method=found["method"].map(short))


def _devices(records: Sequence[Record]) -> list[str]:
    """Where the seconds of weight-sharing searches were measured."""
    return sorted({str(record["provenance"].get("device")) for record in records if record["kind"] == "one-shot"})


def _cell_types(space: str, searched: Curves) -> list[str]:
    if space in SPACES:
        return list(SPACES[space].cell_types)
    return [f"type {number}" for number in range(1, searched.entropy.shape[2] + 1)]


def _edges(space: str, searched: Curves) -> list[str]:
    count = searched.theta.shape[2]
    pairs = getattr(SPACES.get(space), "edges", ())  # (target, source)
    if len(pairs) != count:
        return [f"edge {number}" for number in range(1, count + 1)]
    types = SPACES[space].cell_types
    prefixes = [name[0] if len(types) > 1 else "" for name, part in types.items() for _ in range(count)[part]]
    return [f"{prefix} {source}→{target}".strip() for prefix, (target, source) in zip(prefixes, pairs, strict=True)]


def _operations(space: str, searched: Curves) -> list[str]:
    """Names of the candidates: all of the space, or all but the zero operation."""
    known = SPACES[space]().operations if space in SPACES else ()
    for names in (known, tuple(name for name in known if name != "none")):
        if len(names) == searched.operations:
            return list(names)
    return [f"operation {number}" for number in range(1, searched.operations + 1)]
