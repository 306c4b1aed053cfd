"""Retrainings as runs: which cell is trained from scratch by which recipe, and everything that decides its result."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.benchmarks import DARTS
from harness.benchmarks.darts.genotypes import published_cell
from harness.data import load
from harness.data.folders import class_folders
from harness.evaluate.recipes import RECIPES, Recipe
from harness.experiment.config import RETRAINING, SCHEMA, Config, dataset_name, is_search, run_key
from harness.experiment.store import Arrays, Record
from harness.profiles import FOLDERS, NUMERICS

SPACE = DARTS()
SIDES = {"digits": 8, "cifar10": 32, "cifar100": 32}
"""Of images in memory, pixels."""
LARGEST_CELL_FILE = 10_000_000
"""Bytes; a record of a search has some thousands."""


@dataclass(frozen=True)
class Retraining:
    """One training of one cell. Its key is made of `config` (`harness.experiment.config`)."""

    config: Config
    cell_name: str
    """How the user or the search calls the cell; the same cell under another name is the same run."""

    black_box = False
    space = SPACE

    @cached_property
    def key(self) -> str:
        return run_key(self.config)

    @property
    def label(self) -> str:
        return f"{self.cell_name} on {dataset_name(self.config)}, seed {self.config['seed']}"

    @property
    def recipe(self) -> Recipe:
        return Recipe(**self.config["protocol"]["values"], **self.config["numerics"])

    @property
    def epochs(self) -> int:
        """Steps of progress."""
        return int(self.config["protocol"]["values"]["epochs"])


def plan(
    cells: Sequence[tuple[str, str]],
    dataset: str,
    seeds: Sequence[int],
    changes: Mapping[str, Any],
    data_folder: Path,
    processes: int = 1,
) -> list[Retraining]:
    """All trainings, seed by seed. `cells`: names and genotypes; `changes`: values in the place of the recipe's;
    `processes`: how many train one network together, each with batch statistics of its own.

    ValueError or OSError, in one line, for whatever cannot be run as asked.
    """
    config = _common(dataset, changes, data_folder, processes)
    return _distinct(
        Retraining({**config, "architecture": canonical(text), "seed": seed}, name)
        for seed in seeds
        for name, text in cells
    )


def retrainings(
    records: Iterable[Record], data_folder: Path, dataset: str = "digits", changes: Mapping[str, Any] | None = None
) -> list[Retraining]:
    """A training of the last epoch's cell of every finished search of the DARTS space, under the search's own seed.

    Searches that found the same cell under the same seed share a training: who reports joins records by the fields
    `architecture` and `seed`.
    """
    found = [record for record in records if record["status"] == "done" and is_search(record["config"], SPACE.name)]
    if not found:
        return []
    config = _common(dataset, changes or {}, data_folder, 1)
    return _distinct(
        Retraining(
            {**config, "architecture": canonical(record["cells"]["last"]), "seed": record["config"]["seed"]},
            f"cell of {record['config']['method']['name']}",
        )
        for record in found
    )


def _distinct(runs: Iterable[Retraining]) -> list[Retraining]:
    """Each once, under the first of its cell's names."""
    found: dict[str, Retraining] = {}
    for run in runs:
        found.setdefault(run.key, run)
    return list(found.values())


def _common(dataset: str, changes: Mapping[str, Any], data_folder: Path, processes: int) -> Config:
    """What all trainings on a dataset have in common."""
    if dataset not in RECIPES:
        raise ValueError(f"no recipe for dataset {dataset!r}; known: {', '.join(RECIPES)}")
    usual = RECIPES[dataset]
    recipe = replace(usual, **changes)
    _check(dataset, recipe)
    data = class_folders(data_folder / dataset) if dataset in FOLDERS else load(dataset, data_folder)
    values, defaults = asdict(recipe), asdict(usual)
    overrides = {name: value for name, value in values.items() if value != defaults[name]}
    return {
        "schema": SCHEMA,
        "kind": RETRAINING,
        "benchmark": {"name": SPACE.name, "version": 1, "origin": "built-in"},
        "protocol": {
            "id": f"{SPACE.name}/retraining/{dataset}",
            "version": 1,
            "values": {name: value for name, value in values.items() if name not in NUMERICS},
        },
        "numerics": {name: values[name] for name in NUMERICS},
        "dataset": {"name": dataset, "origin": data.origin, "sha256": data.sha256, "part": data.part},
        "processes": processes,
        "overrides": {
            "settings": {},
            "protocol": {name: value for name, value in overrides.items() if name not in NUMERICS},
            "numerics": {name: value for name, value in overrides.items() if name in NUMERICS},
        },
    }


def _check(dataset: str, recipe: Recipe) -> None:
    """ValueError if the recipe does not suit the dataset's images."""
    if dataset in FOLDERS:
        if recipe.image_size == 0 or recipe.image_size % 32:
            raise ValueError(f"image_size={recipe.image_size} is not a multiple of 32, by which the network divides it")
        if recipe.auxiliary_weight and recipe.image_size != 224:
            raise ValueError("images of another size than 224 need auxiliary_weight=0")
        if recipe.cutout:
            raise ValueError(f"there is no cutout for {dataset}")
        return
    if recipe.auxiliary_weight and SIDES[dataset] != 32:
        raise ValueError(f"the images of {dataset} are too small for the auxiliary classifier: auxiliary_weight=0")
    for name in ("colour_jitter", "image_size"):
        if getattr(recipe, name):
            raise ValueError(f"{name} is for images in class folders, not for {dataset}")


# Cells ---------------------------------------------------------------------------------------------------------------


def canonical(text: str) -> str:
    """A genotype as the space writes it. ValueError if it is none."""
    return SPACE.to_string(SPACE.from_string(text))


def named_cell(text: str) -> tuple[str, str]:
    """Name and genotype of what the user calls a cell: a genotype, a file with one or with the record of a search, or
    the name of a published cell. ValueError or OSError, in one line, if it is none of them."""
    if text.lstrip().startswith("Genotype("):
        cell = canonical(text)
        return f"cell {run_key({'cell': cell})[:8]}", cell
    path = Path(text)
    if len(text) < 1000 and path.is_file():
        return _in_file(path)
    if "/" in text or path.suffix in (".json", ".txt"):
        raise FileNotFoundError(f"no file {text}")
    published = published_cell(text[:200])
    return published.name, SPACE.to_string(published.arch)


def _in_file(path: Path) -> tuple[str, str]:
    """The name is that of the file; of a search's record, whose file is called by its key, method and seed."""
    if path.stat().st_size > LARGEST_CELL_FILE:
        raise ValueError(f"{path} is too large to hold a cell")
    try:
        content = path.read_text().strip()
        if content.startswith("{"):
            record = json.loads(content)
            name = f"cell of {record['config']['method']['name']}, seed {record['config']['seed']}"
            return name[:80], canonical(record["cells"]["last"])
        return path.stem[:40], canonical(re.sub(r"^\w+\s*=\s*", "", content))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds neither a DARTS genotype nor the record of a search with one") from error


# Results -------------------------------------------------------------------------------------------------------------


def outcome(arrays: Arrays) -> dict[str, Any]:
    """What a finished training's record says of its accuracies, from the arrays per epoch.

    The best epoch is chosen on the test set itself: it is no result, and marked so.
    """
    accuracy = arrays["test_accuracy"]
    best = int(np.argmax(accuracy))
    return {
        "metric": "test_error",
        "split": "test",
        "test_error": _error(accuracy[-1]),
        "test_top5_error": _error(arrays["test_top5_accuracy"][-1]),
        "best_epoch": {"epoch": best + 1, "test_error": _error(accuracy[best]), "test_peeking": True},
    }


def _error(accuracy: float) -> float:
    return round(100 - float(accuracy), 6)
