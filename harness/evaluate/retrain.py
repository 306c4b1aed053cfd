"""Trains found cells from scratch: python -m harness.evaluate.retrain --cell GAEA_PC_DARTS_cifar10_3103.

Several cells and seeds go through the scheduler: in parallel, resumable, one record each. Under `torchrun` all
processes train one network together, one network after another:

torchrun --nproc-per-node 8 -m harness.evaluate.retrain --cell CELL --dataset imagenet
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, get_type_hints

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from harness.arguments import count, devices, positive, seconds, seeds
from harness.evaluate.recipes import PROXIES, RECIPES, SCHEDULES, Recipe
from harness.experiment.config import dataset_name
from harness.experiment.store import Record, Store
from harness.profiles import PRECISIONS

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.evaluate.distributed import Group
    from harness.evaluate.retraining import Retraining
    from harness.experiment.runner import Machine

PROGRAM = "retrain"
PEEKING = "best epoch (%, chosen on test)"
CHOICES = {"precision": PRECISIONS, "schedule": SCHEDULES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 all well, 1 a run failed, 2 bad input, 130 interrupted."""
    options = parser().parse_args(arguments)
    try:
        from harness.evaluate import distributed

        with distributed.joined() as group:
            return _retrain(options, group)
    except (ValueError, OSError, LookupError) as error:
        line, status = f"{PROGRAM}: {' '.join(str(error).split())}", 2
    except KeyboardInterrupt:
        line, status = "Interrupted. The same command continues from the last checkpoints.", 130
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    return status


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog=f"python -m harness.evaluate.{PROGRAM}",
        description="Train found cells of the DARTS space from scratch and report their test errors.",
        epilog="Run again with the same --results and only what is missing is done.",
    )
    what = result.add_argument_group("what to train")
    what.add_argument(
        "--cell",
        action="append",
        required=True,
        metavar="CELL",
        help="a published cell's name, a genotype, or a file with one or with a search's record; repeatable",
    )
    what.add_argument("--dataset", choices=RECIPES, default="digits", help="default: digits, a proxy")
    what.add_argument("--seeds", type=seeds, default="1", metavar="S", help="4 means 0..3; 0,3,7 and 2-5 work too")
    recipe = result.add_argument_group("recipe", "the defaults are those of the dataset, as published")
    for field in fields(Recipe):
        recipe.add_argument(f"--{field.name.replace('_', '-')}", **_recipe_option(field.name))
    how = result.add_argument_group("how to train")
    how.add_argument("--device", type=devices, metavar="A[,B]", help="default: all GPUs, else cpu")
    how.add_argument("--jobs", type=positive, default=1, metavar="N", help="trainings at a time on CPUs (default: 1)")
    how.add_argument("--threads", type=positive, default=1, metavar="N", help="threads per training (default: 1)")
    how.add_argument(
        "--workers", type=count, default=0, metavar="N", help="processes that decode image files (default: 0)"
    )
    how.add_argument("--time-limit", type=seconds, metavar="S", help="seconds that one training may take in this call")
    where = result.add_argument_group("files")
    where.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    where.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("NAS_DATA", "data")),
        metavar="DIR",
        help="folder of the image datasets (default: $NAS_DATA, else data); ImageNet as imagenet/train/CLASS/IMAGE and "
        "imagenet/val/CLASS/IMAGE",
    )
    return result


def _recipe_option(name: str) -> dict[str, Any]:
    kind = get_type_hints(Recipe)[name]
    usual: dict[Any, list[str]] = {}
    for dataset, recipe in RECIPES.items():
        usual.setdefault(getattr(recipe, name), []).append(dataset)
    text = "; ".join(f"{', '.join(datasets)}: {value}" for value, datasets in usual.items())
    option: dict[str, Any] = {"default": None, "help": str(next(iter(usual))) if len(usual) == 1 else text}
    if kind is bool:
        return {**option, "action": argparse.BooleanOptionalAction}
    if name in CHOICES:
        return {**option, "choices": CHOICES[name]}
    return {**option, "type": kind, "metavar": "N" if kind is int else "X"}


def _retrain(options: argparse.Namespace, group: Group) -> int:
    from harness.evaluate.retraining import named_cell, plan
    from harness.experiment import runner

    changes = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    changes = {name: value for name, value in changes.items() if value is not None}
    cells = [named_cell(text) for text in options.cell]
    runs = plan(cells, options.dataset, options.seeds, changes, options.data.absolute(), group.size)
    machines = _machines(options)
    if not group.leads:
        try:
            runner.follow(runs, machines[0])
        except FloatingPointError:
            return 1  # as the leader, which has written the record
        return 0
    console = Console(soft_wrap=False)
    failed = _run(runs, machines, options, console)
    if group.size > 1 and not failed:
        runner.release()
    return int(failed)


def _run(runs: list[Retraining], machines: list[Machine], options: argparse.Namespace, console: Console) -> bool:
    """Do what is missing and print the results; whether a run failed."""
    from harness.evaluate import distributed
    from harness.experiment.progress import Display
    from harness.experiment.scheduler import Scheduler

    store = Store(options.results)
    store.prepare()
    before = {run.key: store.read(run.key) for run in runs}
    # One that failed before comes last, so that it does not keep the others from being done.
    missing = [run for run in runs if before[run.key] is None]
    missing += [run for run in runs if (record := before[run.key]) and record["status"] != "done"]
    console.print(f"{len(runs)} runs asked, {len(runs) - len(missing)} done, {len(missing)} to do")
    for line in store.warnings:
        console.print(line, markup=False, style="yellow")
    labels = {run.key: run.label for run in runs}
    failed = False
    if missing:
        jobs = options.jobs if [machine.device for machine in machines] == ["cpu"] else len(machines)
        with Display(console, store, [(run.key, run.label, run.epochs) for run in missing]) as display:
            for record in Scheduler(missing, machines, jobs).records():
                display.done(record, labels[record["key"]])
                failed |= record["status"] == "failed"
                if failed and distributed.current().size > 1:
                    break  # the other processes may stand anywhere in this run
    console.print(ranking([record for run in runs if (record := store.read(run.key))]))
    return failed


def _machines(options: argparse.Namespace) -> list[Machine]:
    """One for every device; under `torchrun` the one of this process."""
    from harness.evaluate import distributed
    from harness.experiment.devices import usable
    from harness.experiment.provenance import version_control
    from harness.experiment.runner import Machine

    names = [_own_device(options)] if distributed.launched() else usable(options.device)
    commit, dirty = version_control()
    return [
        Machine(
            results=options.results.absolute(),
            data=options.data.absolute(),
            table=None,
            device=name,
            threads=options.threads,
            commit=commit,
            dirty=dirty,
            parent=os.getpid(),
            time_limit=options.time_limit,
            workers=options.workers,
        )
        for name in names
    ]


def _own_device(options: argparse.Namespace) -> str:
    """Of this process, one of those that `torchrun` started. ValueError if the options ask for more than that."""
    import torch

    from harness.experiment.devices import usable

    if options.jobs > 1 or len(options.device or []) > 1:
        raise ValueError("torchrun trains one network at a time: leave --jobs out, and --device but for its kind")
    if options.time_limit:  # a training under a time limit gets a process of its own
        raise ValueError("torchrun's processes cannot be ended one by one: leave --time-limit out")
    kind = (options.device or ["cuda" if torch.cuda.is_available() else "cpu"])[0]
    if not kind.startswith("cuda"):
        return usable([kind])[0]
    (name,) = usable([f"cuda:{os.environ['LOCAL_RANK']}"])  # torchrun starts one process per GPU
    torch.cuda.set_device(name)
    return name


def ranking(records: Sequence[Record]) -> Table:
    """Cells by their mean test error over the finished trainings, the best first."""
    widths = {"n": 2, "test error (%)": 6, "std": 5, PEEKING: 8, "parameters": 10, "seconds": 8}
    numbers = [Column(title, justify="right", min_width=width) for title, width in widths.items()]
    table = Table(Column("cell", overflow="fold"), *numbers, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    names = {dataset_name(record["config"]) for record in records}
    datasets = sorted(name + ", a proxy" * (name in PROXIES) for name in names)
    table.title = f"Test error of the last epoch on {'; '.join(datasets)}"
    by_cell: dict[str, list[Record]] = {}
    for record in records:
        if record["status"] == "done":
            by_cell.setdefault(record["config"]["architecture"], []).append(record)
    for found in sorted(by_cell.values(), key=lambda found: fmean(record["test_error"] for record in found)):
        errors = [record["test_error"] for record in found]
        table.add_row(
            Text(found[0]["cell_name"]),
            str(len(errors)),
            f"{fmean(errors):.2f}",
            f"{stdev(errors):.2f}" if len(errors) > 1 else "",
            f"{fmean(record['best_epoch']['test_error'] for record in found):.2f}",
            f"{found[0]['parameters']:,}",
            f"{fmean(record['provenance']['seconds'] for record in found):.1f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
