"""What a run is. Its key, its row in a table and whether it may be compared with a published number all follow from its
own record, never from the other runs of a results folder. Needs no torch.

A config is JSON:

    schema      2
    kind        "one-shot", "black-box", "training-free" or "retraining"
    benchmark   {name, version, origin[, class, sha256]}: the search space and its supernet
    profile     "quick", "controlled" or "paper"; of a search
    method      {name, version, origin[, sha256]}; of a search
    settings    {name: value} of the method
    optimizer   null, or {name, sha256[, settings]}: in the place of the method's own
    protocol    {id, version, values}: how it is searched or retrained (then it is a recipe)
    numerics    {precision}: how numbers are computed, which does not define the experiment
    dataset     {name, origin, sha256, part, split}: what is searched or retrained on
    table       {name, sha256, epochs, trials, substitute, verified}: what a black box queries; null if nothing
    architecture, processes     of a retraining
    seed
    overrides   {settings, protocol, numerics: {name: value}}: what the user set to another value than the default

`origin` is "built-in" or "external" of a benchmark, a method or a protocol, `harness.data.origin.Origin` of a dataset.
`sha256` is the digest of an external source file, of the images, or of a table. A table's `name` is null if we do not
know it; `epochs` of training were behind the accuracies queried, a `substitute` if the benchmark's simulation takes
another number; they were means of so many `trials` (0: unknown), 1 where a query returns one trial; `verified`: its
validation accuracies are the benchmark's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 2
RETRAINING = "retraining"
IN_SIZE = ("cells", "channels", "epochs")
"""Fields of a recipe that the label of a retraining begins with."""
SHOWN_DIGITS = 8
"""Of a SHA-256, in labels."""
BUILT_IN = "built-in"
COMPARABLE_ORIGINS = ("official", "reordered")
"""Of images, the whole of a published dataset."""

Config = dict[str, Any]


def run_key(config: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of everything that decides a run's result."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Label:
    """How a row is called."""

    name: str
    details: tuple[str, ...] = ()
    """What sets it apart from the method as it comes, e.g. ("epochs=3", "lr=0.1")."""

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(self.details)}]" if self.details else self.name

    def without(self, details: Iterable[str]) -> Label:
        """Without details that are said elsewhere."""
        left_out = set(details)
        return Label(self.name, tuple(detail for detail in self.details if detail not in left_out))


def label(record: Mapping[str, Any]) -> Label:
    """The row of a search: its method, what the user changed, and images, table or code that are not the usual ones."""
    config = record["config"]
    return Label(_named(config["method"]), (*_changed(config), *_inputs(config), *_code(record)))


def published_as(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What published rows of a search may be called: its method with the settings that the user changed, and the method
    alone."""
    name, settings = str(config["method"]["name"]), config["overrides"]["settings"]
    changed = Label(name, tuple(f"{setting}={shown(value)}" for setting, value in sorted(settings.items())))
    return tuple(dict.fromkeys((str(changed), name)))


def recipe_label(record: Mapping[str, Any]) -> Label:
    """The same of a retraining: `6 cells, C=8, 10 epochs`, and what sets it apart from its dataset's usual recipe."""
    config = record["config"]
    values = config["protocol"]["values"]
    size = f"{values['cells']} cells, C={values['channels']}, {values['epochs']} epochs"
    changed = [f"{name}={shown(value)}" for name, value in overridden(config).items() if name not in IN_SIZE]
    processes = [f"{config['processes']} processes"] if config["processes"] > 1 else []
    return Label(size, (*changed, *processes, *_inputs(config), *_code(record)))


def is_search_of(config: Mapping[str, Any], benchmark: Mapping[str, Any]) -> bool:
    """Whether it is a search of a benchmark, given as configs have it; the version of its supernet does not matter."""
    names = ("name", "origin", "sha256")
    same = all(config["benchmark"].get(name) == benchmark.get(name) for name in names)
    return same and config["kind"] != RETRAINING


def row_key(record: Mapping[str, Any]) -> str:
    """What runs of one row have in common: everything but the seed, and whether the code was that of its commit."""
    return run_key({**_without_seed(record["config"]), "modified": record["provenance"].get("dirty")})


def row_of(config: Mapping[str, Any]) -> str:
    """What planned runs of one row have in common: they differ only in their seed."""
    return run_key(_without_seed(config))


def _without_seed(config: Mapping[str, Any]) -> Config:
    return {name: value for name, value in config.items() if name not in ("seed", "architecture")}


def benchmark_name(config: Mapping[str, Any]) -> str:
    """Of the search space; an external one is never called like a built-in one."""
    return _external(config["benchmark"])


def dataset_name(config: Mapping[str, Any]) -> str:
    """Of the images searched or retrained on; external ones are never called like official ones."""
    return _external(config["dataset"])


def deviations(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Why a search cannot be the published experiment of its method, whatever that is; empty if nothing speaks against
    it. Numerics do not define an experiment."""
    config = record["config"]
    dataset, overrides = config["dataset"], config["overrides"]
    changed = [*overrides["protocol"], *overrides["settings"], *(["optimizer"] if config["optimizer"] else [])]
    images = {"external": "external dataset", "subset": "subset of the images"}.get(
        dataset["origin"], "unverified images"
    )
    table = config.get("table")
    found = [
        ("external benchmark", config["benchmark"]["origin"] != BUILT_IN),
        ("external method", config["method"]["origin"] != BUILT_IN),
        (images, dataset["origin"] not in COMPARABLE_ORIGINS),
        (f"overrides: {', '.join(changed)}", bool(changed)),
        (f"{config['profile']} profile", config["profile"] != "paper"),
        ("may have seen test images", bool((dataset.get("split") or {}).get("may_have_seen_test"))),
        ("queries after another number of epochs", _substitute(config) is not None),
        ("queries of means over trials", _trials(config) != 1),
        ("unverified table", bool(table) and table["verified"] is not True),
    ]
    return (*(reason for reason, holds in found if holds), *_code(record))


def is_subset(config: Mapping[str, Any]) -> bool:
    """Whether it is a proxy because it saw a part of its dataset only."""
    return bool(config["dataset"]["origin"] == "subset")


def _named(source: Mapping[str, Any]) -> str:
    """A method: an external one is never called like a built-in one."""
    if source["origin"] == "external":
        return f"{source['name']}@{source['sha256'][:SHOWN_DIGITS]}"
    return f"{source['name']} v{source['version']}" if source["version"] > 1 else str(source["name"])


def _external(source: Mapping[str, Any]) -> str:
    if source["origin"] == "external":
        return f"external:{source['name']}@{source['sha256'][:SHOWN_DIGITS]}"
    return str(source["name"])


def overridden(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the user set to another value than the default, by name. A field of the protocol that is also a setting of
    the method carries its scope."""
    overrides, settings = config["overrides"], config.get("settings") or {}
    of_protocol = {**overrides["protocol"], **overrides["numerics"]}
    scoped = {f"protocol.{name}" if name in settings else name: value for name, value in of_protocol.items()}
    return dict(sorted({**overrides["settings"], **scoped}.items()))


def _changed(config: Mapping[str, Any]) -> list[str]:
    changed = [f"{name}={shown(value)}" for name, value in overridden(config).items()]
    if config.get("optimizer"):
        optimizer = config["optimizer"]
        changed.append(f"optimizer={optimizer['name']}@{optimizer['sha256'][:SHOWN_DIGITS]}")
        changed += [f"optimizer.{name}={shown(value)}" for name, value in optimizer.get("settings", {}).items()]
    return changed


def _inputs(config: Mapping[str, Any]) -> list[str]:
    """Images, split, table and versions where they are not those that everyone has."""
    dataset, table = config["dataset"], config.get("table")
    digest = (dataset.get("sha256") or "")[:SHOWN_DIGITS]
    split = dataset.get("split") or {}
    parts = {
        "subset": f"images={dataset.get('part')}@{digest}",
        "reordered": f"images=reordered@{digest}",
        "unverified": f"images=unverified@{digest}",
    }
    found = [parts[dataset["origin"]]] if digest and dataset["origin"] in parts else []
    if dataset["origin"] == "official" and split.get("substitute"):
        found.append("own halves")
    if (epochs := _substitute(config)) is not None:
        found.append(f"queries after {epochs} epochs")
    if (trials := _trials(config)) != 1:
        found.append(f"mean of {trials or 'unknown'} trials")
    if table and table["name"] is None:
        found.append(f"table={table['sha256'][:SHOWN_DIGITS]}")
    versions = {"protocol": config["protocol"]["version"], "supernet": config["benchmark"]["version"]}
    if config.get("kind") == "black-box" and not table:  # it queries nothing, whatever the protocol of queries is
        del versions["protocol"]
    return found + [f"{name} v{version}" for name, version in versions.items() if version > 1]


def _code(record: Mapping[str, Any]) -> list[str]:
    """Nothing where the code is known to be that of a commit or a release."""
    dirty = record["provenance"].get("dirty")
    return ["unidentified code"] if dirty is None else ["modified code"] * dirty


def _substitute(config: Mapping[str, Any]) -> int | None:
    """Epochs after which a queried accuracy was taken, if the benchmark's own simulation takes another one."""
    table = config.get("table")
    return int(table["epochs"]) if table and table["substitute"] else None


def _trials(config: Mapping[str, Any]) -> int:
    """Trainings of which a queried accuracy was the mean, because the table has nothing else; 0: unknown."""
    return int((config.get("table") or {}).get("trials", 1))


def shown(value: Any) -> str:
    """A value as it is written on the command line; in quotes if it could be taken for more than one."""
    return value if isinstance(value, str) and not set(value) & set(',[]="') else json.dumps(value)
