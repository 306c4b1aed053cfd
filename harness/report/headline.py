"""The leaderboard of the paper's page: its five headline numbers, ours, and how to get there."""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from statistics import fmean, stdev
from typing import Any, NamedTuple

import pandas as pd

from harness.benchmarks import DARTS
from harness.benchmarks.darts.genotypes import published_cell
from harness.experiment import config
from harness.experiment.store import Record
from harness.report.published import Published, PublishedValue
from harness.report.render.wording import NOTHING
from harness.report.verdict import judge

COLUMNS = [
    "task",
    "method",
    "dataset",
    "metric",
    "split",
    "published",
    "published_status",
    "ours",
    "n",
    "verdict",
    "status",
    "command",
]


PROCESSES = 8
"""Of the papers' trainings on ImageNet: one per GPU."""


class Headline(NamedTuple):
    task: str
    method: str
    space: str
    dataset: str
    metric: str
    split: str
    command: str
    cell: str = ""
    """The published cell whose training from scratch the number is of; none: of searches."""


_SEARCH = "python run_all.py --methods gaea-darts-erm --seeds 4 --profile paper --dataset {0} --table TABLE"
_CELL = "GAEA_PC_DARTS_imagenet_156"
_RETRAIN = f"torchrun --nproc-per-node 8 -m harness.evaluate.retrain --cell {_CELL} --dataset imagenet"
_NB201 = "NAS-Bench-201, searched on the dataset itself"
_DARTS = "DARTS space, searched on ImageNet"

HEADLINES = (
    Headline(_NB201, "gaea-darts-erm", "nasbench201", "cifar10", "test_accuracy", "test", _SEARCH.format("cifar10")),
    Headline(
        _NB201, "gaea-darts-erm", "nasbench201", "cifar100", "test_accuracy", "ori-test", _SEARCH.format("cifar100")
    ),
    Headline(
        _NB201,
        "gaea-darts-erm",
        "nasbench201",
        "imagenet16-120",
        "test_accuracy",
        "ori-test",
        _SEARCH.format("imagenet16-120"),
    ),
    Headline(_DARTS, "gaea-pc-darts", "darts", "imagenet", "top1_error", "", _RETRAIN, _CELL),
    Headline(_DARTS, "gaea-pc-darts", "darts", "imagenet", "params_millions", "", _RETRAIN, _CELL),
)


class Ours(NamedTuple):
    mean: float
    n: int
    verdict: str


def build(leaderboard: pd.DataFrame, published: Published, trainings: Mapping[str, Record]) -> pd.DataFrame:
    """One row per headline number, columns `COLUMNS`. `ours` is the leaderboard's mean under the paper's protocol,
    searched on the dataset itself, last epoch, same split; of a published cell that of its `trainings` by the usual
    recipe. Missing until somebody has run that."""
    rows = [_row(headline, leaderboard, published, trainings) for headline in HEADLINES]
    return pd.DataFrame(rows, columns=COLUMNS)


def _row(
    headline: Headline, leaderboard: pd.DataFrame, published: Published, trainings: Mapping[str, Record]
) -> list[Any]:
    place = (headline.dataset, headline.metric, headline.split, headline.dataset)
    value = published.choose(headline.method, headline.space, *place)
    ours = _trained(headline, value, trainings) if headline.cell else _searched(headline, leaderboard)
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


def _searched(headline: Headline, leaderboard: pd.DataFrame) -> Ours | None:
    wanted = {
        "method": headline.method,
        "space": headline.space,
        "profile": "paper",
        "searched_on": headline.dataset,
        "selection": "last",
        "dataset": headline.dataset,
        "metric": headline.metric,
        "split": headline.split,
    }
    found = leaderboard[(leaderboard[list(wanted)] == list(wanted.values())).all(axis=1)]
    return Ours(found.iloc[0]["mean"], found.iloc[0]["n"], found.iloc[0]["verdict"]) if len(found) else None


def _as_published(record: Record, dataset: str) -> bool:
    """Whether a retraining is by the papers' recipe on all of the official images."""
    trained, overrides = record["config"], record["config"]["overrides"]
    official = trained["dataset"]["origin"] in config.COMPARABLE_ORIGINS and not record["provenance"].get("dirty")
    return official and config.dataset_name(trained) == dataset and not any(overrides.values())


def _trained(headline: Headline, value: PublishedValue | None, trainings: Mapping[str, Record]) -> Ours | None:
    cell = DARTS().to_string(published_cell(headline.cell).arch)
    found = [
        record
        for record in trainings.values()
        if record["config"]["architecture"] == cell and _as_published(record, headline.dataset)
    ]
    if not found:
        return None
    # Trainings by different numbers of processes are different configurations: those of the paper's first.
    first = min((record["config"]["processes"] != PROCESSES, config.row_key(record)) for record in found)[1]
    records = [record for record in found if config.row_key(record) == first]
    if headline.metric == "params_millions":
        size = records[0]["parameters"] / 1e6
        same = value is not None and abs(size - value.mean) <= value.rounding
        return Ours(size, len(records), "reproduced" if same else "differs")
    errors = [record["test_error"] for record in records]
    spread = stdev(errors) if len(errors) > 1 else nan
    return Ours(fmean(errors), len(errors), judge(fmean(errors), spread, len(errors), value, True))
