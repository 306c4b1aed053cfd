"""The leaderboard of the paper's page: its five headline numbers, ours, and how to get there."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from harness.report.published import Published
from harness.report.wording import NOTHING

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


class Headline(NamedTuple):
    task: str
    method: str
    space: str
    dataset: str
    metric: str
    split: str
    command: str


_SEARCH = "python run_all.py --methods gaea-darts-erm --seeds 4 --profile paper --dataset {0} --table TABLE"
_RETRAIN = (
    "torchrun --nproc-per-node 8 -m harness.training.retrain --cell GAEA_PC_DARTS_imagenet_156 --dataset imagenet"
)
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
    Headline(_DARTS, "gaea-pc-darts", "darts", "imagenet", "top1_error", "", _RETRAIN),
    Headline(_DARTS, "gaea-pc-darts", "darts", "imagenet", "params_millions", "", _RETRAIN),
)


def build(leaderboard: pd.DataFrame, published: Published) -> pd.DataFrame:
    """One row per headline number, columns `COLUMNS`. `ours` is the leaderboard's mean under the paper's protocol,
    searched on the dataset itself, last epoch, same split; missing until somebody has run that."""
    return pd.DataFrame([_row(headline, leaderboard, published) for headline in HEADLINES], columns=COLUMNS)


def _row(headline: Headline, leaderboard: pd.DataFrame, published: Published) -> list[Any]:
    place = (headline.dataset, headline.metric, headline.split, headline.dataset)
    value = published.choose(headline.method, headline.space, *place)
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
    ours = found.iloc[0] if len(found) else None
    return [
        headline.task,
        headline.method,
        headline.dataset,
        headline.metric,
        headline.split or "test",
        value.mean if value else None,
        value.evidence if value else "",
        ours["mean"] if ours is not None else None,
        ours["n"] if ours is not None else 0,
        ours["verdict"] if ours is not None else NOTHING,
        "run here" if ours is not None else "not run yet",
        headline.command,
    ]
