"""The five headline numbers of the paper's page next to ours, with the commands that reproduce them."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from statistics import fmean, stdev
from typing import Any, NamedTuple

import pandas as pd

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.base import Headline
from harness.experiment import config
from harness.experiment.config import Label
from harness.experiment.store import Record
from harness.report.columns import HEADLINE, held
from harness.report.leaderboard import margin_of
from harness.report.published import Published, PublishedValue
from harness.report.render.wording import NOTHING
from harness.report.verdict import AGREES, DIFFERS, NOT_COMPARABLE, judge

COLUMNS = held(HEADLINE)


class Ours(NamedTuple):
    mean: float
    n: int
    verdict: str


def build(
    leaderboard: pd.DataFrame, labels: Mapping[str, Label], published: Published, trainings: Mapping[str, Record]
) -> pd.DataFrame:
    """One row per headline number, columns `COLUMNS`.

    `ours` is the leaderboard's mean under the paper's protocol, searched on the dataset itself, final cell, same split:
    of the row with the method's defaults, else of the first that may be compared with the published number; for a
    published cell, the mean over its retrainings by the papers' recipe. Missing if there are no such runs.
    """
    rows = [
        _row(space, headline, leaderboard, labels, published, trainings)
        for space, benchmark in BENCHMARKS.items()
        for headline in benchmark.headlines
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(
    space: str,
    headline: Headline,
    leaderboard: pd.DataFrame,
    labels: Mapping[str, Label],
    published: Published,
    trainings: Mapping[str, Record],
) -> list[Any]:
    value = published.choose(
        headline.method, space, headline.dataset, headline.metric, headline.split, searched_on=headline.dataset
    )
    ours = (
        _trained(space, headline, value, trainings)
        if headline.architecture
        else _searched(space, headline, leaderboard, labels)
    )
    return [
        headline.task,
        headline.method,
        headline.dataset,
        headline.metric,
        headline.split or "test",
        value.mean if value else None,
        value.evidence if value else "",
        ours.mean if ours else None,
        ours.n if ours else 0,
        ours.verdict if ours else NOTHING,
        "run here" if ours else "not run yet",
        headline.command,
    ]


def _searched(space: str, headline: Headline, leaderboard: pd.DataFrame, labels: Mapping[str, Label]) -> Ours | None:
    wanted = {
        "space": space,
        "profile": "paper",
        "searched_on": headline.dataset,
        "selection": "last",
        "dataset": headline.dataset,
        "metric": headline.metric,
        "split": headline.split,
    }
    rows = leaderboard[(leaderboard[list(wanted)] == list(wanted.values())).all(axis=1)]
    named = rows[rows["method"].map(lambda method: labels[method].name == headline.method).astype(bool)]
    plain, comparable = named["method"] == headline.method, named["verdict"] != NOT_COMPARABLE
    for found in (named[plain], named[comparable]):
        if len(found):
            return Ours(found.iloc[0]["mean"], found.iloc[0]["n"], found.iloc[0]["verdict"])
    return None


def _as_published(record: Record, dataset: str) -> bool:
    """Whether a retraining used the papers' recipe, without overrides, on all of the official images."""
    trained, overrides = record["config"], record["config"]["overrides"]
    official = trained["dataset"]["origin"] in config.COMPARABLE_ORIGINS and record["provenance"].get("dirty") is False
    published = not (overrides["settings"] or overrides["protocol"])  # numerics do not count
    return official and config.dataset_name(trained) == dataset and published


def _trained(
    space: str, headline: Headline, value: PublishedValue | None, trainings: Mapping[str, Record]
) -> Ours | None:
    candidates = [
        record
        for record in trainings.values()
        if (config.benchmark_name(record["config"]), record["config"]["architecture"]) == (space, headline.architecture)
        and _as_published(record, headline.dataset)
    ]
    if not candidates:
        return None
    # Different numbers of processes are different configurations; the paper's number of processes is preferred.
    preferred = min(
        (record["config"]["processes"] != headline.processes, config.row_key(record)) for record in candidates
    )[1]
    records = [record for record in candidates if config.row_key(record) == preferred]
    if headline.metric == "params_millions":
        size = records[0]["parameters"] / 1e6
        same = value is not None and abs(size - value.mean) <= value.rounding
        return Ours(size, len(records), AGREES if same else DIFFERS)
    errors = [record["test_error"] for record in records]
    spread = stdev(errors) if len(errors) > 1 else nan
    margin = margin_of(space, headline.dataset, headline.split or "test")
    judgement = judge(fmean(errors), spread, len(errors), value, True, margin=margin)
    return Ours(fmean(errors), len(errors), judgement.verdict)
