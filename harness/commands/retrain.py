"""python -m harness retrain --cell GAEA_PC_DARTS_cifar10_3103: train architectures from scratch.

Several cells and seeds go through the scheduler: in parallel, resumable, one record each. Under `torchrun` all
processes train one network together, one network after another:

torchrun --nproc-per-node 8 -m harness retrain --cell CELL --dataset imagenet
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import fields
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, get_type_hints

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS, Benchmark
from harness.commands import execution, values
from harness.commands.console import Output
from harness.commands.run import add_recipe
from harness.evaluate.recipe import SCHEDULES, Recipe
from harness.experiment.config import dataset_name
from harness.experiment.registry import benchmark_of
from harness.experiment.store import Record, Store
from harness.protocol import PRECISIONS
from harness.text import verbatim

if TYPE_CHECKING:  # these need torch, which --help does without
    from harness.evaluate.distributed import Group
    from harness.experiment.jobs.base import Machine

PEEKING = "best epoch (%, chosen on test)"
CHOICES = {"precision": PRECISIONS, "schedule": SCHEDULES}


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    from harness.evaluate import distributed

    with distributed.process_group() as group:
        return _retrain(options, group)


def parser(program: str = "python -m harness retrain") -> argparse.ArgumentParser:
    retrained = {name: benchmark for name, benchmark in BENCHMARKS.items() if benchmark.recipes()}
    recipes = {name: recipe for benchmark in retrained.values() for name, recipe in benchmark.recipes().items()}
    result = Parser(
        prog=program,
        description="Train architectures from scratch and report their test errors.",
        epilog="Repeating a command with the same --results runs only what is missing.",
    )
    what = result.add_argument_group("what to train")
    what.add_argument(
        "--cell",
        action="append",
        required=True,
        metavar="CELL",
        help="a published cell's name, a genotype, or a file with one or with a search's record (runs/KEY.json of a "
        "results folder, also where it is packed); repeatable",
    )
    what.add_argument(
        "--space",
        type=values.space,
        default=next(iter(retrained)),
        metavar="NAME",
        help=f"{', '.join(retrained)}, or your own as file.py:Class (default: %(default)s)",
    )
    what.add_argument(
        "--dataset",
        default=next(iter(recipes)),
        metavar="NAME",
        help=f"{', '.join(recipes)}, or your own images as file.py:function (default: %(default)s, a proxy)",
    )
    add_recipe(what)
    what.add_argument(
        "--seeds", type=values.seeds, default="1", metavar="S", help="4 means 0..3; 0,3,7 and 2-5 work too (default: 1)"
    )
    recipe = result.add_argument_group("recipe", "by default the published one of the dataset; of a proxy, our own")
    for field in fields(Recipe):
        recipe.add_argument(f"--{field.name.replace('_', '-')}", **_recipe_option(field.name, recipes))
    execution.add_options(result, jobs=1)
    where = result.add_argument_group("files")
    execution.add_results(where)
    execution.add_data(where, "; class folders as DATASET/train/CLASS/IMAGE and DATASET/val/CLASS/IMAGE")
    return result


def _recipe_option(name: str, recipes: Mapping[str, Recipe]) -> dict[str, Any]:
    kind = get_type_hints(Recipe)[name]
    usual: dict[Any, list[str]] = {}
    for dataset, recipe in recipes.items():
        usual.setdefault(getattr(recipe, name), []).append(dataset)
    text = "; ".join(f"{', '.join(datasets)}: {value}" for value, datasets in usual.items())
    option: dict[str, Any] = {"default": None, "help": str(next(iter(usual))) if len(usual) == 1 else text}
    if kind is bool:
        return {**option, "action": argparse.BooleanOptionalAction}
    if name in CHOICES:
        return {**option, "choices": CHOICES[name]}
    return {**option, "type": kind, "metavar": "N" if kind is int else "X"}


def _retrain(options: argparse.Namespace, group: Group) -> int:
    from harness.evaluate import distributed
    from harness.experiment import retrainings
    from harness.experiment.jobs.retraining import follow, release
    from harness.processes import exit_with_parent

    benchmark = benchmark_of(options.space)
    overrides = {field.name: getattr(options, field.name) for field in fields(Recipe)}
    overrides = {name: value for name, value in overrides.items() if value is not None}
    cells = [retrainings.named_cell(benchmark, text) for text in options.cell]
    data = options.data
    jobs = retrainings.plan(
        options.space, cells, options.dataset, options.seeds, overrides, data, group.size, options.recipe == "full"
    )
    machines = _machines(options)
    if distributed.launched_by_torchrun():
        exit_with_parent(os.getppid())
    if not group.is_main:
        _end_by_signals()
        try:
            follow(jobs, machines[0])
        except FloatingPointError:
            return 1  # as the leader, which has written the record
        return 0
    console, store = Output(soft_wrap=False), Store(options.results)
    store.prepare()
    number = execution.at_a_time(options.jobs, machines)
    # After a failure the other processes may stand anywhere in this run.
    failed = execution.execute(jobs, machines, number, store, console, stops_at_failure=group.size > 1)
    if group.size > 1 and not failed:
        release()
    console.print(ranking([record for job in jobs if (record := store.read(job.key))], benchmark))
    return int(failed > 0)


def _end_by_signals() -> None:
    """Let a signal end this process at once: it holds no claim and writes no file, and where it waits for the others
    Python would not heed the signal."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _machines(options: argparse.Namespace) -> list[Machine]:
    """One for every device; under `torchrun` the one of this process."""
    from harness.evaluate import distributed
    from harness.experiment.devices import usable

    names = [_own_device(options)] if distributed.launched_by_torchrun() else usable(options.device)
    return [execution.machine_on(name, options) for name in names]


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


def ranking(records: Sequence[Record], benchmark: Benchmark) -> Table:
    """Cells by their mean test error over the finished trainings, the best first."""
    widths = {"n": 2, "test error (%)": 6, "std": 5, PEEKING: 8, "parameters": 10, "seconds": 8}
    numbers = [Column(title, justify="right", min_width=width) for title, width in widths.items()]
    table = Table(Column("cell", overflow="fold"), *numbers, box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    names = {dataset_name(record["config"]) for record in records}
    datasets = sorted(name + ", a proxy" * (name in benchmark.proxies) for name in names)
    table.title = verbatim(f"Test error of the last epoch on {'; '.join(datasets)}")
    by_cell: dict[str, list[Record]] = {}
    for record in records:
        if record["status"] == "done":
            by_cell.setdefault(record["config"]["architecture"], []).append(record)
    for found in sorted(by_cell.values(), key=lambda found: fmean(record["test_error"] for record in found)):
        errors = [record["test_error"] for record in found]
        seconds = [record["provenance"]["seconds"] for record in found if record["provenance"].get("seconds")]
        table.add_row(
            verbatim(found[0]["cell_name"]),
            str(len(errors)),
            f"{fmean(errors):.2f}",
            f"{stdev(errors):.2f}" if len(errors) > 1 else "",
            f"{fmean(record['best_epoch']['test_error'] for record in found):.2f}",
            f"{found[0]['parameters']:,}" if found[0].get("parameters") else "",
            f"{fmean(seconds):.1f}" if seconds else "",
        )
    return table
