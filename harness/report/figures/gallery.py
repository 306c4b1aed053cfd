"""Which figures a report has, what they are called, and the arrays that they are drawn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.experiment.registry import looks
from harness.experiment.store import Record, Store
from harness.report import curves, regret, sweeps, traces
from harness.report.content import Report
from harness.report.curves import Curves, Floats
from harness.report.figures import cells, epochs, finals, search_time, style, supernets, weights
from harness.report.figures.description import Drawing, numbered
from harness.report.figures.summaries import own_images, tunings
from harness.report.figures.sweeps import sweep as figure_of_sweep
from harness.report.groups import GROUP, Group
from harness.report.published_curves import PublishedCurve
from harness.report.render.wording import NOTHING
from harness.report.traces import Traces

MOST = 40
"""Methods of a group in its figures. The tables have them all."""


@dataclass(frozen=True)
class _Described:
    """The choices of a space as figures label them."""

    groups: Mapping[str, slice]
    rows: Sequence[str]
    """Names of the choices."""
    options: Sequence[tuple[str, ...]]
    """Names of the options of each choice in the search."""

    def fits(self, searched: Curves) -> bool:
        """Whether the arrays of searches are of these choices, options and groups."""
        shape = len(self.options), max(map(len, self.options)), len(self.groups)
        return (*searched.theta.shape[2:], searched.entropy.shape[2]) == shape

    @property
    def uniform(self) -> tuple[float, ...]:
        """Mean entropy (nats) of uniform distributions, by group."""
        entropies = np.log([len(names) for names in self.options])
        return tuple(float(entropies[rows].mean()) for rows in self.groups.values())


@dataclass(frozen=True)
class _Gathered:
    """Data of the figures of one group. Methods have the short names that figures show."""

    group: Group
    title: str
    looks: style.Looks
    searched: Sequence[Curves]
    """All one-shot searches."""
    looked_up: Sequence[Curves]
    """Those whose accuracies are known throughout."""
    black_boxes: Sequence[Traces]
    training_free: Sequence[Traces]
    scores: Mapping[str, Floats]
    """Per method (n, columns) accuracies of the last cells in %, NaN where one is not known."""
    columns: Sequence[tuple[str, str]]
    """(dataset, split) of accuracies."""
    values: pd.DataFrame
    """Accuracies by cell and `columns`, %."""
    described: Mapping[str, _Described]
    """The choices of the space in the searches of each method."""
    best: Floats | None
    """(columns,) accuracies of the best architectures, from which regret is counted; None where they are not known."""
    published: Sequence[PublishedCurve]

    @property
    def evaluation(self) -> str:
        """How accuracies were obtained; empty for a custom space."""
        return self.group.benchmark.evaluation if self.group.benchmark else ""


def describe(report: Report, store: Store, published: Sequence[PublishedCurve] = ()) -> Iterator[Drawing]:
    """The figures of every group with runs that are done; reads the runs' arrays, and draws nothing."""
    done = report.placed[report.placed["failure"] == ""]
    for key, runs in done.groupby(GROUP):
        group = Group(*map(str, key))
        accuracies = report.accuracies[report.accuracies["space"] == group.space]
        present = set(runs["method"])
        methods = [method for method in report.methods if method in present][:MOST]
        title = group.labelled_title
        if len(present) > MOST:
            title += f"; the first {MOST} of {len(present)} methods"
            runs = runs[runs["method"].isin(methods)]
        short, shared = report.short_names(methods)
        title += f"; {shared}" if shared else ""
        gathered = _gather(report, store, group, runs, short, title, accuracies, published)
        for drawing in (
            *_searches(gathered),
            *_per_epoch(gathered),
            *_finals(gathered),
            *_sweeps(report, gathered, runs, short),
            *_over_cost(gathered),
            *_ranks(report, gathered, runs, short),
            *_cells(report, gathered, runs, short),
        ):
            yield replace(drawing, name=f"{drawing.name}-{group.file_name}")
    yield from own_images(report)
    yield from tunings(report)


def _gather(
    report: Report,
    store: Store,
    group: Group,
    runs: pd.DataFrame,
    short: Mapping[str, str],
    title: str,
    accuracies: pd.DataFrame,
    published: Sequence[PublishedCurve],
) -> _Gathered:
    """`runs` and `accuracies` are the group's, `short` the names by which its figures call their methods, in order."""
    columns, values = curves.columns(accuracies), curves.by_cell(accuracies)
    records = [report.records[index] for index in runs.index]
    bare = dict(zip(runs["method"], runs["name"], strict=True))
    named = runs.assign(method=runs["method"].map(short))
    searched = curves.read(store, named, accuracies, list(short.values()))
    described = _described_searches(group, named, records, searched)
    unfit = [one.method for one in searched if not described[one.method].fits(one)]
    store.warnings += [curves.UNFIT.format(key) for key in named.loc[named["method"].isin(unfit), "key"]]
    searched = [one for one in searched if one.method not in unfit]
    looked_up = curves.covered(searched) if columns else []
    black_boxes = traces.black_box(named, records, values, list(short.values())) if columns else []
    scored = traces.training_free(store, named, records, values, list(short.values())) if columns else []
    return _Gathered(
        group=group,
        title=title,
        looks=style.Looks(
            {short[method]: report.families[method] for method in short},
            {short[method]: bare[method] for method in short},
            looks(),
        ),
        searched=searched,
        described=described,
        looked_up=looked_up,
        black_boxes=black_boxes,
        training_free=scored,
        scores=_last_cells(report, group, short, columns),
        columns=columns,
        values=values,
        best=_best(group, columns, values) if set(report.regrets["space"]) & {group.space} else None,
        published=[curve for curve in published if curve.space == group.space],
    )


def _best(group: Group, columns: Sequence[tuple[str, str]], values: pd.DataFrame) -> Floats:
    """(columns,) accuracies (%) from which regret is counted."""
    highest = values.max().to_numpy(dtype=float)
    fixed = [regret.optimum(group.space, *column) for column in columns]
    return np.array([best if known is None else known for best, known in zip(highest, fixed, strict=True)])


def _searches(of: _Gathered) -> Iterator[Drawing]:
    """Figures that need no accuracies of cells."""
    if not of.searched:
        return
    groups = list(of.described[of.searched[0].method].groups)
    edges = bool(of.group.benchmark and of.group.benchmark.full_space.edge_target)
    entropy = {
        "series": [_series(of, one, one.entropy) for one in of.searched],
        "cell_types": groups,
        "titles": () if edges else groups,
        "choices": "edges" if edges else "choices",
        "title": of.title,
        "looks": of.looks,
        "published": [curve for curve in of.published if curve.quantity == "entropy"],
    }
    yield Drawing("entropy", epochs.entropy, entropy)
    maps = [
        weights.Map(one.method, len(one.theta), one.theta.mean(axis=0, dtype=float), of.described[one.method].options)
        for one in of.searched
    ]
    described = of.described[of.searched[0].method]
    values = {"maps": maps, "rows": described.rows, "title": of.title, "groups": described.groups}
    yield Drawing("theta", weights.weights, values)


def _per_epoch(of: _Gathered) -> Iterator[Drawing]:
    """Figures of the cells derived after each epoch and their accuracies."""
    if not of.looked_up:
        return
    accuracy = {
        "series": [_series(of, one, one.accuracy) for one in of.looked_up],
        "evaluation": of.evaluation,
        "columns": of.columns,
        "title": of.title,
        "looks": of.looks,
        "published": [curve for curve in of.published if curve.quantity == "accuracy"],
    }
    yield Drawing("accuracy", epochs.accuracy, accuracy)
    regrets = [curve for curve in of.published if curve.quantity == "regret"]
    if of.best is not None and regrets:
        series = [_series(of, one, np.maximum(of.best - one.accuracy, 0)) for one in of.looked_up]
        yield Drawing("regret-by-epoch", epochs.regret, {**accuracy, "series": series, "published": regrets})
    scored = [method for method in of.looked_up if not np.isnan(method.supernet).any()]
    if scored:
        datasets = [dataset for dataset, _ in of.columns]
        index = datasets.index(of.group.searched_on) if of.group.searched_on in datasets else 0
        methods = [supernets.agreement(method, index) for method in scored]
        absent = [method.method for method in of.looked_up if np.isnan(method.supernet).any()]
        values = {"methods": methods, "column": of.columns[index], "title": of.title, "absent": absent}
        yield Drawing("supernet", supernets.supernet, values)


def _finals(of: _Gathered) -> Iterator[Drawing]:
    if of.scores:
        names = ("scores", "columns", "title", "looks", "best")
        values = {name: getattr(of, name) for name in names}
        yield Drawing("final", finals.final, {**values, "evaluation": of.evaluation})
        if of.best is not None:
            yield Drawing("profile", finals.profile, values)


def _sweeps(report: Report, of: _Gathered, runs: pd.DataFrame, short: Mapping[str, str]) -> Iterator[Drawing]:
    """Accuracy against every setting that was given several values."""
    configs = {
        str(method): report.records[int(index)]["config"]
        for index, method in zip(runs.index, runs["method"], strict=True)
    }
    names: Counter[str] = Counter()
    for found in sweeps.find({method: configs[method] for method in short if method in configs}):
        scores = {value: of.scores[short[row]] for value, row in found.rows if short[row] in of.scores}
        if len(scores) > 1:
            values = {
                "scores": scores,
                "columns": of.columns,
                "setting": f"{found.method}: {found.setting}",
                "look": of.looks[short[found.rows[0][1]]],
                "title": of.title,
                "evaluation": of.evaluation,
            }
            # Several have one name where other settings differ.
            yield Drawing(numbered(f"sweep-{found.method}-{found.setting}", names), figure_of_sweep, values)


def _over_cost(of: _Gathered) -> Iterator[Drawing]:
    """Regret and hits over simulated seconds and over images, with the methods that cost nothing in both; and final
    accuracy against images, which black boxes have none of: they spend all they may."""
    free = [method for method in of.black_boxes if not method.end.any()]
    paid = [method for method in of.black_boxes if method not in free]
    counted = [*traces.weight_sharing(of.looked_up), *of.training_free]
    uncounted = [method.method for method in of.looked_up if not method.counted]
    if of.best is not None:
        yield from _over_axis(of, "", search_time.SECONDS, paid, free)
        yield from _over_axis(of, "-by-passes", search_time.IMAGES, counted, free, uncounted)
    if len(counted) > 1:
        common = {name: getattr(of, name) for name in ("columns", "title", "looks", "evaluation")}
        yield Drawing("passes", search_time.passes, {"methods": counted, **common, "uncounted": uncounted})


def _over_axis(
    of: _Gathered,
    suffix: str,
    axis: search_time.Axis,
    searches: Sequence[Traces],
    free: Sequence[Traces],
    uncounted: Sequence[str] = (),
) -> Iterator[Drawing]:
    if not searches or of.best is None:
        return
    methods = search_time.progress([*free, *searches], of.best)
    common = {"methods": methods, "columns": of.columns, "title": of.title, "looks": of.looks, "axis": axis}
    yield Drawing(f"regret{suffix}", search_time.regret, {**common, "uncounted": uncounted})
    if search_time.hitting(methods):
        yield Drawing(f"hits{suffix}", search_time.hits, {**common, "uncounted": uncounted})


def _ranks(report: Report, of: _Gathered, runs: pd.DataFrame, short: Mapping[str, str]) -> Iterator[Drawing]:
    """Ranks over the seeds that the methods share, if there are three methods and enough seeds for their paired tests.

    Methods with less than half of the seeds of others are omitted, as only the shared seeds count.
    """
    seeds = runs.groupby("method")["seed"].nunique()
    ranked = {method: name for method, name in short.items() if 2 * seeds[method] >= seeds.max()}
    if len(ranked) < 3:
        return
    omitted = [name for method, name in short.items() if method not in ranked]
    from harness.report import comparison  # loads scipy.stats
    from harness.report.figures import ranks as figure
    from harness.report.ranks import rank
    from harness.report.statistics import minimum_seeds

    for dataset, split in of.columns:
        blocks = comparison.blocks(report, list(ranked), of.group, dataset, split).rename(columns=ranked)
        pairs = len(ranked) * (len(ranked) - 1) // 2
        if len(blocks) >= minimum_seeds(pairs, paired=True):  # else the tests could reject nothing
            title = f"{of.title}; cells on {dataset}, {split}"
            values = {"ranking": rank(blocks), "title": title, "looks": of.looks, "omitted": omitted}
            yield Drawing(f"ranks-{dataset}", figure.diagram, values)


def _cells(report: Report, of: _Gathered, runs: pd.DataFrame, short: Mapping[str, str]) -> Iterator[Drawing]:
    """The final cells of the searches, a figure per method."""
    names: Counter[str] = Counter()
    for method, name in short.items():
        of_method = runs[runs["method"] == method]
        seeds: dict[str, list[int]] = {}
        for cell, seed in zip(of_method["last"], of_method["seed"], strict=True):
            seeds.setdefault(cell, []).append(seed)
        counts = Counter({cell: len(of_cell) for cell, of_cell in seeds.items()})
        shown = [cell for cell, _ in cells.most_frequent(counts, max(cells.MOST.values()))]
        pictures = {cell: report.graphs[of.group.space, cell] for cell in shown}
        if not all(pictures.values()):
            continue
        measured, note = _measured(report, of, method, shown)
        values = {"seeds": seeds, "pictures": pictures, "title": f"{name}; {of.title}"}
        values |= {"measured": measured, "note": note}
        yield Drawing(numbered(f"cells-{name}", names), cells.figure, values, on_page=False)


def _measured(report: Report, of: _Gathered, method: str, cells_of: Collection[str]) -> tuple[dict[str, str], str]:
    """The numbers of a method's final cells in words, and what they are: accuracies, else errors after retraining."""
    table, what = of.values, "accuracy on"
    if table.empty:
        trained = report.retrained_finals
        of_method = trained[(trained[GROUP] == list(of.group)).all(axis=1) & (trained["method"] == method)]
        if of_method.empty:
            return {}, "no accuracies are stored"
        table = of_method.pivot_table(index="cell", columns=["dataset", "table"], values="value", sort=False)
        what = "mean test error after retraining on"
    rows = table.reindex(list(cells_of)).to_numpy(dtype=float)
    texts = [" / ".join(NOTHING if np.isnan(value) else f"{value:.2f}" for value in row) for row in rows]
    measured = {cell: f"{text} %" for cell, text in zip(cells_of, texts, strict=True)}
    return measured, f"{what} {' / '.join(', '.join(column) for column in table.columns)}"


def _last_cells(
    report: Report, group: Group, short: Mapping[str, str], columns: Sequence[tuple[str, str]]
) -> dict[str, Floats]:
    scores = report.finals[report.finals["selection"] == "last"]
    of_group = (scores[GROUP] == list(group)).all(axis=1)
    wide = scores[of_group & scores["method"].isin(short)].pivot(
        index=["method", "key"], columns=["dataset", "split"], values="value"
    )
    if wide.empty:
        return {}
    wide = wide.reindex(columns=pd.MultiIndex.from_tuples(columns)).dropna(how="all")
    present = set(wide.index.get_level_values(0))
    return {short[method]: wide.loc[method].to_numpy(dtype=float) for method in short if method in present}


def _series(of: _Gathered, one: Curves, values: Floats) -> epochs.Series:
    return epochs.Series(one.method, one.name, one.operations, of.described[one.method].uniform, values)


def _described_searches(
    group: Group, runs: pd.DataFrame, records: Sequence[Record], searched: Sequence[Curves]
) -> dict[str, _Described]:
    """By method; `runs` and `records` are parallel."""
    first: dict[str, Record] = {}
    for method, record in zip(runs["method"], records, strict=True):
        if record["status"] == "done":
            first.setdefault(method, record)
    return {curves.method: _described(group, first[curves.method], curves) for curves in searched}


def _described(group: Group, record: Record, searched: Curves) -> _Described:
    """The choices of a benchmark, or of a custom space from its record; numbered if the record lacks them."""
    if group.benchmark:
        full = group.benchmark.full_space
        space = full if full.shape[1] == searched.operations else group.benchmark.space(zero_operation=False)
        return _Described(space.groups, space.row_names, space.options)
    described = record.get("space")
    if described is None:
        *_, choices, options = searched.theta.shape
        rows = [f"choice {number}" for number in range(1, choices + 1)]
        names = tuple(f"option {number}" for number in range(1, options + 1))
        parts = searched.entropy.shape[2]
        groups = {f"part {number}": slice(0, choices) for number in range(1, parts + 1)}
        return _Described(groups, rows, [names] * choices)
    groups = {name: slice(*ends) for name, ends in described["groups"].items()}
    return _Described(groups, described["rows"], [tuple(names) for names in described["options"]])
