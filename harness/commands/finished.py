"""What the console says of a run: its name without what all runs of a call share, and its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from harness.benchmarks.base import Benchmark, Evaluator
from harness.experiment import config
from harness.experiment.config import RETRAINING, Label
from harness.experiment.progress import Shown
from harness.experiment.store import Record, Store

if TYPE_CHECKING:
    from harness.experiment.jobs.base import Job


def shown(jobs: Sequence[Job]) -> tuple[list[Shown], str]:
    """The jobs as the console names them, and the details that all of them share; a search that sees no data need not
    share them."""
    labels = [Label(job.name, _details(job)) for job in jobs]
    sharing = [label for job, label in zip(jobs, labels, strict=True) if not _blind(job)] or labels
    shared = [detail for detail in sharing[0].details if all(detail in label.details for label in sharing)]
    names = [
        f"{label.without(shared)} on {config.dataset_name(job.config)}" for job, label in zip(jobs, labels, strict=True)
    ]
    runs = [Shown(job.key, name, job.config["seed"], job.epochs) for job, name in zip(jobs, names, strict=True)]
    return runs, ", ".join(shared)


def _blind(job: Job) -> bool:
    return job.config["kind"] == "black-box" and job.config.get("table") is None


def _details(job: Job) -> tuple[str, ...]:
    label = config.recipe_label if job.config["kind"] == RETRAINING else config.label
    return label({"config": job.config, "provenance": {"dirty": False}}).details  # which code runs is not of a plan


def result(store: Store, record: Record) -> str:
    """The test error of a retraining; of a search the supernet's last accuracy, not that of its architecture."""
    if "test_error" in record:
        return f"test error {record['test_error']:.2f} %"
    if "scored" in record:
        return f"best of {record['scored']:,} scored cells"
    record = store.read(record["key"]) or record  # the stored one says whether there are arrays
    if "arrays_sha256" not in record:
        return f"{record['queries']:,} queries" if "queries" in record else "done"
    arrays = store.arrays(record["key"])
    held_out = float(arrays["valid_accuracy"][-1])
    if np.isnan(held_out):
        return f"supernet {arrays['train_accuracy'][-1]:.1f} % on its training images"
    return f"supernet {held_out:.1f} % on images held out"


def looked_up(benchmark: Benchmark, evaluator: Evaluator | None, store: Store) -> Callable[[Record], str]:
    """The accuracy of a search's architecture on the benchmark's first dataset and split, where a table has it; else as
    `result`. A user's own `evaluate`, which may take long, is not asked."""
    if evaluator is None or benchmark.sha256 is not None:
        return partial(result, store)

    def accuracy(record: Record) -> str:
        scores, _ = evaluator.scores([record["cells"]["last"]])
        order = [(dataset, split) for dataset in benchmark.dataset_order for split in benchmark.split_order]
        for dataset, split in order:
            rows = scores[(scores["dataset"] == dataset) & (scores["split"] == split)]
            if len(rows):
                return f"{rows['value'].iloc[0]:.2f} % on {dataset} ({split})"
        return result(store, record)

    return accuracy
