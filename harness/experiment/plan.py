"""What to search: the product of methods, datasets and seeds, each with everything that decides its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness import plugins
from harness.api import BlackBox, OneShot, TrainingFree
from harness.benchmarks.base import Benchmark, Oracle, SearchSpace
from harness.data import Dataset, load, search_split
from harness.data.folders import CLASS_FOLDERS, ClassFolders, class_folders, folder_shares
from harness.experiment import conformance, exchange, registry
from harness.experiment.config import SCHEMA, Config, run_key
from harness.experiment.jobs.search import SearchJob, search_job
from harness.experiment.overrides import Changes, default_settings, optimizer_settings, parse
from harness.plugins import Entry
from harness.protocol import NUMERICS, Budget, FolderProtocol, NetworkSize, Protocol, Simulation, split_numerics


def plan(
    entries: Mapping[str, Entry],
    benchmark_word: str,
    profile: str,
    datasets: Sequence[str],
    seeds: Sequence[int],
    overrides: Sequence[str],
    data_folder: Path,
    table: Path | None,
    may_compile: bool = True,
) -> list[SearchJob]:
    """All searches, seed by seed.

    Args:
        entries: the methods by name.
        benchmark_word: the name of a space, or `file.py:Class`.
        datasets: names or `file.py:function`, what weight-sharing methods search on.
        overrides: as `--set` takes them.
        table: what black boxes query, whatever the datasets; None: the benchmark's own.
        may_compile: full-size searches are compiled unless an override says otherwise; False: only those are of which
            an override says so.

    Raises:
        ValueError, OSError: in one line, for whatever cannot be run as asked.
    """
    benchmark_word = registry.absolute(benchmark_word)
    benchmark = registry.benchmark_of(benchmark_word)
    _check_datasets(benchmark, datasets)
    classes = {name: plugins.load(entry) for name, entry in entries.items()}
    defaults = {
        name: defaults_of(benchmark, name, entries[name], cls, profile, datasets[0]) for name, cls in classes.items()
    }
    changes = parse(
        overrides,
        {name: default.settings for name, default in defaults.items()},
        {name: asdict(default.budget.protocol) for name, default in defaults.items()},
    )
    choices = {
        name: _chosen(benchmark, name, entries[name], cls, defaults[name], changes[name], may_compile)
        for name, cls in classes.items()
    }
    oracle = None
    if any(issubclass(cls, BlackBox) for cls in classes.values()):  # controls that query nothing need but its dataset
        oracle = benchmark.oracle(table) or benchmark.oracle(None)
    inputs = _inputs(classes, choices, datasets, data_folder, oracle)

    def job(name: str, searched: Inputs, seed: int) -> SearchJob:
        cls, chosen = classes[name], choices[name]
        config = {**chosen.config, **searched.config, "seed": seed}
        family = cls.family or "external"
        return search_job(config, entries[name], benchmark_word, family, cls.paper, searched.images, chosen.optimizer)

    return [job(name, searched, seed) for seed in seeds for name in choices for searched in inputs[name]]


def _check_datasets(benchmark: Benchmark, datasets: Sequence[str]) -> None:
    unknown = [name for name in datasets if ":" not in name and name not in benchmark.datasets]
    if unknown:
        known = ", ".join(benchmark.datasets)
        raise ValueError(
            f"{benchmark.name} is not searched on {', '.join(unknown)}, only on {known} or your own images"
        )
    if reason := benchmark.unsuited(datasets):
        raise ValueError(reason)


# Methods and protocols -----------------------------------------------------------------------------------------------


class Defaults(NamedTuple):
    """Of a method, before overrides."""

    settings: dict[str, Any]
    budget: Budget


def defaults_of(benchmark: Benchmark, name: str, entry: Entry, cls: type[Any], profile: str, dataset: str) -> Defaults:
    published = {} if entry.external else benchmark.method_settings(profile, dataset, name)
    settings = {**default_settings(cls), **published}
    if issubclass(cls, TrainingFree):
        if "cells" not in settings:
            raise ValueError(f"method {name} must have a setting `cells`, how many architectures it scores")
        return _scoring_defaults(benchmark, "" if entry.external else name, settings, profile)
    if not issubclass(cls, BlackBox):
        return Defaults(settings, benchmark.default_protocol(profile, dataset, "" if entry.external else name))
    simulation = benchmark.default_simulation(profile)
    if simulation is None:
        raise ValueError(f"method {name} queries accuracies, which {benchmark.name} does not have")
    return Defaults(settings, simulation)


def _scoring_defaults(benchmark: Benchmark, name: str, settings: dict[str, Any], profile: str) -> Defaults:
    scoring = benchmark.default_scoring(profile, name)
    if scoring is None:
        raise ValueError(f"method {name} does not run on {benchmark.name}: {benchmark.no_scores}")
    return Defaults({**settings, **benchmark.scoring_settings(profile)}, scoring)


def _kind(cls: type[Any]) -> str:
    """Of a method, as configs have it."""
    kinds = {BlackBox: "black-box", TrainingFree: "training-free"}
    return next((kind for base, kind in kinds.items() if issubclass(cls, base)), "one-shot")


class Chosen(NamedTuple):
    """A method with its settings and protocol."""

    config: Config
    """The part that does not depend on what is searched on, and on the seed."""
    budget: Budget
    optimizer: Entry | None


def _chosen(
    benchmark: Benchmark,
    name: str,
    entry: Entry,
    cls: type[Any],
    default: Defaults,
    changes: Changes,
    may_compile: bool,
) -> Chosen:
    settings = {**default.settings, **changes.settings}
    chosen = default.budget.with_overrides(changes.protocol)
    fields, default_fields = asdict(chosen.protocol), asdict(default.budget.protocol)
    if isinstance(chosen.protocol, Protocol):
        default_fields["compiled"] = may_compile and benchmark.compiles and chosen.protocol.is_full_size
        fields["compiled"] = changes.protocol.get("compiled", default_fields["compiled"])
    values, numerics = split_numerics(fields)
    optimizer = _optimizer(changes)
    _check(benchmark, name, cls, settings, optimizer, fields)
    changed = differing(settings, default.settings)
    _check_effects(name, cls, benchmark.space(fields.get("zero_operation", True)), default.settings, changed, optimizer)
    config = {
        "schema": SCHEMA,
        "kind": _kind(cls),
        "benchmark": benchmark_config(benchmark),
        "profile": chosen.profile,
        "method": {"name": name, "version": cls.version, **_origin(plugins.source_digest(cls), entry.external)},
        "settings": settings,
        "optimizer": optimizer.config if optimizer else None,
        "protocol": {"id": chosen.name, "version": chosen.version, "values": values},
        "numerics": numerics,
        "overrides": {
            "settings": changed,
            "protocol": differing(values, default_fields),
            "numerics": differing({name: fields[name] for name in NUMERICS if name in fields}, default_fields),
        },
    }
    try:
        run_key(config)
    except (TypeError, ValueError) as error:
        odd = ", ".join(f"{setting}={value}" for setting, value in settings.items() if not _has_key(value))
        raise ValueError(f"method {name}: settings must be finite numbers or strings, got {odd or error}") from error
    return Chosen(config, chosen, changes.optimizer)


def _has_key(value: Any) -> bool:
    """Whether a value can be part of a run's key."""
    try:
        return bool(run_key({"value": value}))
    except (TypeError, ValueError):
        return False


class _Optimizer(NamedTuple):
    """In the place of a method's own."""

    cls: type[Any]
    settings: dict[str, Any]
    config: Config


def _optimizer(changes: Changes) -> _Optimizer | None:
    if changes.optimizer is None:
        return None
    cls = plugins.load(changes.optimizer)
    settings = optimizer_settings(cls, changes.optimizer_settings)
    config: Config = {"name": cls.__name__, "sha256": plugins.source_digest(cls)}
    return _Optimizer(cls, settings, {**config, "settings": settings} if settings else config)


def differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != defaults[name]}


def benchmark_config(benchmark: Benchmark) -> dict[str, Any]:
    config = {"name": benchmark.name, "version": benchmark.version}
    if benchmark.sha256 is None:
        return {**config, "origin": "built-in"}
    return {**config, "origin": "external", "class": benchmark.class_name, "sha256": benchmark.sha256}


def _origin(sha256: str | None, external: bool) -> dict[str, Any]:
    """The digest of an external class's source; the source of a built-in one is known by its version."""
    return {"origin": "external", "sha256": sha256} if external else {"origin": "built-in"}


def _check(
    benchmark: Benchmark,
    name: str,
    cls: type[Any],
    settings: dict[str, Any],
    optimizer: _Optimizer | None,
    protocol: Mapping[str, Any],
) -> None:
    """ValueError, in one line, if a method does not meet the contract with these settings."""
    space = benchmark.space(protocol.get("zero_operation", True))
    exchanged = (optimizer.cls, optimizer.settings) if optimizer else None
    if protocol.get("compiled") and not benchmark.compiles:
        raise ValueError(f"the supernet of {benchmark.name} has no compiled form")
    problems = conformance.problems(cls, space, settings, exchanged)
    if problems:
        raise ValueError(" ".join(f"method {name}: {problems[0]}".split()))
    partial = cls.supernet.get("partial_channels", 1) if issubclass(cls, OneShot) else 1
    if partial > 1 and protocol["channels"] % partial:
        raise ValueError(
            f"method {name} mixes on 1/{partial} of the channels: "
            f"channels={protocol['channels']} must be a multiple of {partial}"
        )


def _check_effects(
    name: str,
    cls: type[Any],
    space: SearchSpace,
    defaults: Mapping[str, Any],
    changed: Mapping[str, Any],
    optimizer: _Optimizer | None,
) -> None:
    """ValueError if a setting is changed that nothing reads."""
    make: Callable[..., Any] = cls
    idle = exchange.without_effect(partial(make, space), defaults, changed, optimizer is not None)
    if idle:
        instead = f": {optimizer.cls.__name__} takes the place of the optimizer that reads it" if optimizer else ""
        hint = f"; settings of {optimizer.cls.__name__} are {name}.optimizer.NAME=VALUE" if optimizer else ""
        raise ValueError(f"--set {name}.{idle[0]}={changed[idle[0]]} has no effect{instead}{hint}")


# What is searched on -------------------------------------------------------------------------------------------------


class Inputs(NamedTuple):
    """What a method searches on."""

    images: str
    """The dataset as the user called it; of a search by queries, what was queried."""
    config: Config


def _inputs(
    classes: Mapping[str, type[Any]],
    choices: Mapping[str, Chosen],
    datasets: Sequence[str],
    folder: Path,
    oracle: Oracle | None,
) -> dict[str, list[Inputs]]:
    """By method. Every dataset is read once, since not all of them stay in memory."""
    black_boxes = {name for name, cls in classes.items() if issubclass(cls, BlackBox)}
    inputs: dict[str, list[Inputs]] = {name: [] for name in classes}
    if oracle:
        for name in black_boxes:
            table = dict(oracle.config) if classes[name].queries else None
            inputs[name] = [Inputs(oracle.dataset["name"], {"dataset": dict(oracle.dataset), "table": table})]
    others = [name for name in classes if not inputs[name]]
    for dataset in datasets if others else ():
        images = images_of(dataset, folder)
        identity = dataset_config(dataset, images)
        for name in others:
            if name in black_boxes:  # a control that queries nothing: what it is compared with searches on the images
                config: Config = {"dataset": _unseen(identity), "table": None}
            elif issubclass(classes[name], TrainingFree):
                if isinstance(images, ClassFolders):
                    raise ValueError(f"method {name} scores on images in memory, not on the class folders of {dataset}")
                config = {"dataset": identity}
            else:
                split = _split(images, classes[name].bilevel, choices[name].budget.protocol)
                config = {"dataset": {**identity, "split": split}}
            inputs[name].append(Inputs(dataset, config))
    return inputs


def _unseen(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The dataset of a control, which sees no images: only its name counts."""
    if dataset["origin"] == "external":
        return {name: dataset[name] for name in ("name", "origin", "sha256")}
    return {"name": dataset["name"], "origin": "official"}


def images_of(dataset: str, folder: Path) -> Dataset | ClassFolders:
    """ValueError or OSError, in one line, if they cannot be read."""
    return class_folders(folder / dataset) if dataset in CLASS_FOLDERS else load(dataset, folder)


def dataset_config(dataset: str, images: Dataset | ClassFolders) -> dict[str, Any]:
    """The identity of a dataset: what a config says of it but for the split."""
    name = images.name if isinstance(images, Dataset) else dataset
    return {"name": name, "origin": images.origin, "sha256": images.sha256, "part": images.part}


def _split(
    images: Dataset | ClassFolders, bilevel: bool, protocol: Protocol | Simulation | NetworkSize
) -> dict[str, Any]:
    """What the steps of a search see of a dataset."""
    if isinstance(images, ClassFolders):
        return _shares(images, bilevel, cast(FolderProtocol, protocol))
    split = search_split(images, bilevel)
    return {
        "name": split.name,
        "sha256": split.sha256,
        "may_have_seen_test": split.may_have_seen_test,
        "substitute": split.substitute,
    }


def _shares(images: ClassFolders, bilevel: bool, protocol: FolderProtocol) -> dict[str, Any]:
    """Which images of class folders a search sees, as a split of images in memory."""
    shares = folder_shares(images, bilevel, protocol.weights_share, protocol.architecture_share, protocol.image_size)
    percent = f"{100 * protocol.weights_share:g} % and {100 * protocol.architecture_share:g} % of every class, seed 0"
    name = percent if bilevel else f"{percent}, all for both steps"
    return {"name": name, "sha256": shares.sha256, "may_have_seen_test": False, "substitute": False}
