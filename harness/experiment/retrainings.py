"""What to retrain: architectures by name, from files or from searches, and everything that decides the result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.benchmarks import BENCHMARKS
from harness.benchmarks.base import Benchmark
from harness.data import load
from harness.data.folders import CLASS_FOLDERS, class_folders
from harness.evaluate.recipe import Recipe
from harness.experiment import registry
from harness.experiment.config import RETRAINING, SCHEMA, Config, benchmark_name, is_search_of, run_key
from harness.experiment.jobs.retraining import RetrainingJob
from harness.experiment.merge import ForeignStore
from harness.experiment.plan import benchmark_config, dataset_config, differing
from harness.experiment.store import Record
from harness.protocol import split_numerics

NO_CELL = "{} holds neither an architecture of {} nor the record of a search with one"
LARGEST_CELL_FILE = 10_000_000
"""Bytes; a record of a search has some thousands."""


def plan(
    benchmark_word: str,
    cells: Sequence[tuple[str, str]],
    dataset: str,
    seeds: Sequence[int],
    overrides: Mapping[str, Any],
    data_folder: Path,
    processes: int = 1,
    full: bool = False,
) -> list[RetrainingJob]:
    """All trainings, seed by seed.

    Args:
        benchmark_word: the name of a space, or `file.py:Class`.
        cells: names and architectures.
        dataset: a name, or `file.py:function` for images of the user's own.
        overrides: values in the place of the recipe's.
        processes: how many train one network together, each with batch statistics of its own.
        full: whether images of the user's own are trained on with the full recipe, not with the short one.

    Raises:
        ValueError, OSError: in one line, for whatever cannot be run as asked.
    """
    benchmark_word = registry.absolute(benchmark_word)
    benchmark = registry.benchmark_of(benchmark_word)
    config = _common(benchmark, dataset, overrides, data_folder, processes, full)
    return _distinct(
        RetrainingJob(
            {**config, "architecture": canonical(benchmark, text), "seed": seed}, name, benchmark_word, dataset
        )
        for seed in seeds
        for name, text in cells
    )


def of_searches(
    benchmark_word: str, records: Iterable[Record], dataset: str, data_folder: Path, full: bool = False
) -> list[RetrainingJob]:
    """A training of the final architecture of every finished search, under the search's own seed.

    Searches that ended with the same architecture under the same seed share a training: a report joins records by the
    fields `architecture` and `seed`.
    """
    benchmark_word = registry.absolute(benchmark_word)
    benchmark = registry.benchmark_of(benchmark_word)
    mine = benchmark_config(benchmark)
    done = [record for record in records if record["status"] == "done" and is_search_of(record["config"], mine)]
    if not done:
        return []
    config = _common(benchmark, dataset, {}, data_folder, 1, full)
    return _distinct(
        RetrainingJob(
            {
                **config,
                "architecture": canonical(benchmark, record["cells"]["last"]),
                "seed": record["config"]["seed"],
            },
            f"cell of {record['config']['method']['name']}",
            benchmark_word,
            dataset,
        )
        for record in done
    )


def _distinct(jobs: Iterable[RetrainingJob]) -> list[RetrainingJob]:
    """Each once, under the first of its cell's names."""
    distinct: dict[str, RetrainingJob] = {}
    for job in jobs:
        distinct.setdefault(job.key, job)
    return list(distinct.values())


def _common(
    benchmark: Benchmark, dataset: str, overrides: Mapping[str, Any], data_folder: Path, processes: int, full: bool
) -> Config:
    """What all trainings on a dataset have in common."""
    default = recipe_for(benchmark, dataset, full)
    recipe = replace(default, **overrides)
    if reason := benchmark.unsuited_recipe(dataset, recipe):
        raise ValueError(reason)
    data = class_folders(data_folder / dataset) if dataset in CLASS_FOLDERS else load(dataset, data_folder)
    called = f"own images, {'full' if full else 'short'}" if ":" in dataset else dataset
    values, numerics = split_numerics(asdict(recipe))
    default_values, default_numerics = split_numerics(asdict(default))
    return {
        "schema": SCHEMA,
        "kind": RETRAINING,
        "benchmark": benchmark_config(benchmark),
        "protocol": {
            "id": f"{benchmark.name}/retraining/{called}",
            "version": benchmark.retraining_version,
            "values": values,
        },
        "numerics": numerics,
        "dataset": dataset_config(dataset, data),
        "processes": processes,
        "overrides": {
            "settings": {},
            "protocol": differing(values, default_values),
            "numerics": differing(numerics, default_numerics),
        },
    }


def recipe_for(benchmark: Benchmark, dataset: str, full: bool = False) -> Recipe:
    """How architectures are retrained on a dataset; `full` concerns a user's own images. ValueError if they are not."""
    own = benchmark.own_recipe(full) if ":" in dataset else None
    if own is not None:
        return own
    recipes = benchmark.recipes()
    if dataset not in recipes:
        known = f"known: {', '.join(recipes)}" if recipes else "it has no recipes"
        raise ValueError(f"{benchmark.name} has no recipe for dataset {dataset!r}; {known}")
    return recipes[dataset]


# Architectures -------------------------------------------------------------------------------------------------------


def canonical(benchmark: Benchmark, text: str) -> str:
    """An architecture as the space writes it. ValueError if it is none."""
    return benchmark.full_space.to_string(benchmark.full_space.from_string(text))


def named_cell(benchmark: Benchmark, text: str) -> tuple[str, str]:
    """Name and string of what the user calls an architecture: its string, a file with one or with the record of a
    search, also where it would be if it were not packed, or the name of a published one. ValueError or OSError, in one
    line, if it is none of them."""
    try:
        cell = canonical(benchmark, text)
        return f"cell {run_key({'cell': cell})[:8]}", cell
    except ValueError as no_architecture:
        path = Path(text)
        if len(path.name) < 256 and path.is_file():
            return _in_file(benchmark, path)
        if record := _packed(path):
            return _of_record(benchmark, path, record)
        if "/" in text or path.suffix in (".json", ".txt"):
            raise FileNotFoundError(f"no file {text[:1000]}") from None
        published = benchmark.named(text[:200]) if re.fullmatch(r"\w+", text) else None
        if published is None:
            raise ValueError(str(no_architecture)) from None
        return published


def _in_file(benchmark: Benchmark, path: Path) -> tuple[str, str]:
    """The name is that of the file."""
    if path.stat().st_size > LARGEST_CELL_FILE:
        raise ValueError(f"{path} is too large to hold a cell")
    try:
        content = path.read_text().strip()
        if not content.startswith("{"):
            return path.stem[:40], canonical(benchmark, re.sub(r"^\w+\s*=\s*", "", content))
        record = json.loads(content)
    except ValueError as error:
        raise ValueError(NO_CELL.format(path, benchmark.name)) from error
    return _of_record(benchmark, path, record)


def _packed(path: Path) -> Record | None:
    """The record that `runs/KEY.json` of a results folder had before it was packed; None if there is none."""
    if path.parent.name != "runs" or path.suffix != ".json":
        return None
    return ForeignStore(path.parent.parent).read(path.stem)


def _of_record(benchmark: Benchmark, path: Path, record: Any) -> tuple[str, str]:
    """The name is method and seed, as the file of a record is called by its key."""
    try:
        name = f"cell of {record['config']['method']['name']}, seed {record['config']['seed']}"
        space, cell = benchmark_name(record["config"]), record["cells"]["last"]
    except (KeyError, TypeError) as error:
        raise ValueError(NO_CELL.format(path, benchmark.name)) from error
    try:
        return name[:80], canonical(benchmark, cell)
    except ValueError as error:
        reason = f"it is the record of a search on {space}: --space {space}"
        other = space in BENCHMARKS and space != benchmark.name
        raise ValueError(f"{path}: {reason}" if other else NO_CELL.format(path, benchmark.name)) from error
