"""What to run: the product of methods, datasets and seeds, each run with everything that decides its result."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness.api import BlackBox
from harness.benchmarks import DARTS, SPACES, NASBench201, SearchSpace
from harness.benchmarks.nasbench201.simulation import DATASET, QUERY_EPOCHS, signal_epochs
from harness.benchmarks.nasbench201.table import Table
from harness.benchmarks.nasbench201.table.known import NAMES, is_verified
from harness.data import Dataset, load, search_split
from harness.data.folders import ClassFolders, class_folders, folder_shares
from harness.experiment import conformance, registry
from harness.experiment.config import SCHEMA, Config, dataset_name, run_key
from harness.experiment.registry import Entry
from harness.profiles import (
    CONTROLLED,
    FOLDERS,
    IMAGENET_FIELDS,
    NUMERICS,
    PAPER_SETTINGS,
    SIMULATION,
    Budget,
    FolderProtocol,
    Protocol,
    Simulation,
    as_protocol,
    budget,
    simulation,
)

OPTIMIZER = "optimizer"
"""`--set METHOD.optimizer=file.py:Class` exchanges the optimizers that a method holds as attributes."""
PROTOCOL = "protocol"
"""The scope of a protocol's fields in `--set`."""
SUPERNET_VERSIONS: dict[str, int] = {}
"""By search space; 1 where none is given. A change of a supernet's numbers raises it."""


@dataclass(frozen=True)
class Run:
    """One search. Its key is made of `config` (`harness.experiment.config`)."""

    config: Config
    entry: Entry
    optimizer: Entry | None = None
    """A `torch.optim` optimizer in the place of the method's own."""
    images: str | None = None
    """The dataset as the user called it: its name, or `file.py:function`; None for the table."""
    space_word: str | None = None
    """The space as the user called it: its name, or `file.py:Class`."""

    @cached_property
    def key(self) -> str:
        return run_key(self.config)

    @property
    def label(self) -> str:
        return f"{self.config['method']['name']} on {dataset_name(self.config)}, seed {self.config['seed']}"

    @property
    def black_box(self) -> bool:
        """Whether it searches on the table instead of training a supernet."""
        return bool(self.config["kind"] == "black-box")

    @property
    def protocol(self) -> Protocol:
        """Of a weight-sharing run."""
        return as_protocol({**self.config["protocol"]["values"], **self.config["numerics"]})

    @property
    def simulation(self) -> Simulation:
        """Of a black-box run."""
        return Simulation(**self.config["protocol"]["values"])

    @property
    def epochs(self) -> int:
        """Steps of progress: epochs of the search; 1 for a search on the table."""
        return 1 if self.black_box else self.protocol.epochs

    @cached_property
    def space(self) -> SearchSpace:
        """With or without the zero operation."""
        word = self.space_word or self.config["benchmark"]["name"]
        return _space(space_class(word), self.config["protocol"]["values"])


def plan(
    entries: Mapping[str, Entry],
    space: str,
    profile: str,
    datasets: Sequence[str],
    seeds: Sequence[int],
    overrides: Sequence[str],
    data_folder: Path,
    table: Table,
) -> list[Run]:
    """All runs, seed by seed.

    Args:
        entries: the methods by name.
        space: a name or `file.py:Class`.
        datasets: names or `file.py:function`, what weight-sharing methods search on.
        overrides: as `--set` takes them.
        table: what black-box methods query, whatever the datasets.

    Raises:
        ValueError, OSError: in one line, for whatever cannot be run as asked.
    """
    classes = {name: registry.load(entry) for name, entry in entries.items()}
    word, searched_space = space, space_class(space)
    space = searched_space.name
    if set(datasets) & set(FOLDERS) and (len(datasets) > 1 or space != DARTS.name):
        raise ValueError("imagenet is searched on its own and on the DARTS space: --space darts --dataset imagenet")
    changes = parse_overrides(overrides, classes, datasets[0])
    choices = {
        name: _chosen(name, entries[name], cls, searched_space, profile, datasets[0], changes[name])
        for name, cls in classes.items()
    }
    inputs = _inputs(classes, choices, datasets, data_folder, _queried(space, table))
    return [
        Run({**chosen.config, **found.config, "seed": seed}, entries[name], chosen.optimizer, found.images, word)
        for seed in seeds
        for name, chosen in choices.items()
        for found in inputs[name]
    ]


# Methods and protocols -----------------------------------------------------------------------------------------------


@dataclass
class Changes:
    """What the user sets for one method."""

    settings: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    optimizer: Entry | None = None


class Chosen(NamedTuple):
    """A method with its settings and protocol."""

    config: Config
    """The part that does not depend on what is searched on, and on the seed."""
    budget: Budget
    optimizer: Entry | None


def _chosen(
    name: str,
    entry: Entry,
    cls: type[Any],
    space: type[SearchSpace],
    profile: str,
    dataset: str,
    changes: Changes,
) -> Chosen:
    published = PAPER_SETTINGS.get((dataset, name), {}) if profile == "paper" and not entry.outside else {}
    default_settings = {**_defaults(cls), **published}
    settings = {**default_settings, **changes.settings}
    default, chosen = (_budget(name, cls, space.name, profile, dataset, one) for one in ({}, changes.protocol))
    values, numerics = _split_numerics(asdict(chosen.protocol))
    default_values, default_numerics = _split_numerics(asdict(default.protocol))
    exchanged = registry.load(changes.optimizer) if changes.optimizer else None
    _check(name, cls, _space(space, values), settings, exchanged, values)
    config = {
        "schema": SCHEMA,
        "kind": "black-box" if issubclass(cls, BlackBox) else "one-shot",
        "benchmark": _benchmark(space),
        "profile": chosen.profile,
        "method": {"name": name, "version": entry.version, **_origin(cls, entry.outside)},
        "settings": settings,
        "optimizer": {"name": exchanged.__name__, "sha256": registry.source_digest(exchanged)} if exchanged else None,
        "protocol": {"id": chosen.name, "version": chosen.version, "values": values},
        "numerics": numerics,
        "overrides": {
            "settings": _differing(settings, default_settings),
            "protocol": _differing(values, default_values),
            "numerics": _differing(numerics, default_numerics),
        },
    }
    try:
        run_key(config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"method {name}: settings must be finite numbers or strings: {error}") from error
    return Chosen(config, chosen, changes.optimizer)


def _budget(name: str, cls: type[Any], space: str, profile: str, dataset: str, overrides: Mapping[str, Any]) -> Budget:
    if issubclass(cls, BlackBox):
        return simulation("paper" if space == NASBench201.name else profile, overrides)
    return budget(profile, space, dataset, name, overrides)


def _split_numerics(protocol: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that define the experiment, and those that only say how numbers are computed."""
    numerics = {name: value for name, value in protocol.items() if name in NUMERICS}
    return {name: value for name, value in protocol.items() if name not in NUMERICS}, numerics


def _differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != defaults[name]}


def _benchmark(space: type[SearchSpace]) -> dict[str, Any]:
    version = SUPERNET_VERSIONS.get(space.name, 1)
    return {"name": space.name, "version": version, **_origin(space, space.name not in SPACES)}


def _origin(cls: type[Any], external: bool) -> dict[str, Any]:
    """The digest of an external class's source; the source of a built-in one is known by its version."""
    return {"origin": "external", "sha256": registry.source_digest(cls)} if external else {"origin": "built-in"}


def _check(
    name: str,
    cls: type[Any],
    space: SearchSpace,
    settings: dict[str, Any],
    optimizer: type[Any] | None,
    protocol: Mapping[str, Any],
) -> None:
    """ValueError, in one line, if a method does not meet the contract with these settings."""
    found = conformance.problems(cls, space, settings, optimizer)
    if found:
        raise ValueError(" ".join(f"method {name}: {found[0]}".split()))
    partial = 1 if issubclass(cls, BlackBox) else cls.supernet.get("partial_channels", 1)
    if not issubclass(cls, BlackBox) and protocol["channels"] % partial:
        raise ValueError(
            f"method {name} mixes on 1/{partial} of the channels: "
            f"channels={protocol['channels']} must be a multiple of {partial}"
        )


# What is searched on -------------------------------------------------------------------------------------------------


class Inputs(NamedTuple):
    """What a method searches on."""

    images: str | None
    """The dataset as the user called it; None for the table."""
    config: Config


def _inputs(
    classes: Mapping[str, type[Any]],
    choices: Mapping[str, Chosen],
    datasets: Sequence[str],
    folder: Path,
    queried: dict[str, Any] | None,
) -> dict[str, list[Inputs]]:
    """By method. Every dataset is read once, since not all of them stay in memory."""
    black_boxes = {name for name, cls in classes.items() if issubclass(cls, BlackBox)}
    on_table = Inputs(None, {"dataset": {"name": DATASET, "origin": "official"}, "table": queried})
    found = {name: [on_table] if name in black_boxes and queried else [] for name in classes}
    others = [name for name in classes if not found[name]]
    for dataset in datasets if others else ():
        images = _data(dataset, folder)
        identity = dataset_config(dataset, images)
        for name in others:
            if name in black_boxes:  # a control that queries nothing: what it is compared with searches on the images
                config: Config = {"dataset": _unseen(identity), "table": None}
            else:
                split = _split(images, classes[name].bilevel, choices[name].budget.protocol)
                config = {"dataset": {**identity, "split": split}}
            found[name].append(Inputs(dataset, config))
    return found


def _unseen(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """The dataset of a control, which sees no images: only its name counts."""
    if dataset["origin"] == "external":
        return {name: dataset[name] for name in ("name", "origin", "sha256")}
    return {"name": dataset["name"], "origin": "official"}


def _queried(space: str, table: Table) -> dict[str, Any] | None:
    """What black boxes query, and whether it is what the benchmark's simulation takes."""
    if space != NASBench201.name:
        return None
    epochs = signal_epochs(table)
    return {
        "name": NAMES.get(table.sha256),
        "sha256": table.sha256,
        "epochs": epochs,
        "substitute": epochs != QUERY_EPOCHS,
        "verified": is_verified(table),
    }


def _data(dataset: str, folder: Path) -> Dataset | ClassFolders:
    return class_folders(folder / dataset) if dataset in FOLDERS else load(dataset, folder)


def dataset_config(dataset: str, images: Dataset | ClassFolders) -> dict[str, Any]:
    """The identity of a dataset: what a config says of it but for the split."""
    name = images.name if isinstance(images, Dataset) else dataset
    return {"name": name, "origin": images.origin, "sha256": images.sha256, "part": images.part}


def _split(images: Dataset | ClassFolders, bilevel: bool, protocol: Protocol | Simulation) -> dict[str, Any]:
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


# Search spaces -------------------------------------------------------------------------------------------------------


def space_class(word: str) -> type[SearchSpace]:
    """A space by its name, or a user's own as `file.py:Class`. ValueError, in one line, if there is none."""
    if word in SPACES:
        return SPACES[word]
    if ":" not in word:
        raise ValueError(f"unknown space {word!r}; known: {', '.join(SPACES)}, or your own as file.py:Class")
    found = registry.load(registry.outside(word))
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if not issubclass(found, SearchSpace) or missing or not hasattr(found, "supernet"):
        needs = ", ".join([*missing, *([] if hasattr(found, "supernet") else ["supernet"])])
        raise ValueError(
            f"{found.__name__} must derive from harness.benchmarks.SearchSpace and define {needs or 'name'}"
        )
    if getattr(found, "name", "") in ("", *SPACES):
        raise ValueError(f"{found.__name__} needs a name of its own")
    return found


def _space(space: type[SearchSpace], protocol: Mapping[str, Any]) -> SearchSpace:
    """A black box always has the whole space."""
    full = space()
    zero = protocol.get("zero_operation", True) or "none" not in full.operations
    return full if zero else full.without("none")


def _defaults(cls: type[Any]) -> dict[str, Any]:
    """The constructor's settings, all but `space`. An outside class without defaults is left to `conformance`."""
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _protocol_fields(cls: type[Any], dataset: str) -> dict[str, Any]:
    """The names in a method's protocol, with values of their types."""
    if issubclass(cls, BlackBox):
        return asdict(SIMULATION)
    return {**asdict(CONTROLLED), **(IMAGENET_FIELDS if dataset in FOLDERS else {})}


# Overrides -----------------------------------------------------------------------------------------------------------


def parse_overrides(texts: Sequence[str], classes: Mapping[str, type[Any]], dataset: str) -> dict[str, Changes]:
    """What `--set` asks for, by method; values have the type of the default that they replace.

    protocol.NAME=VALUE            a field of every method's protocol that has it
    METHOD.NAME=VALUE              a setting of one method
    METHOD.protocol.NAME=VALUE     a field of one method's protocol
    METHOD.optimizer=FILE.py:CLASS an optimizer in the place of the method's own

    ValueError, in one line, for anything else.
    """
    changes = {name: Changes() for name in classes}
    for text in texts:
        left, equals, value = text.partition("=")
        scope, dot, name = left.strip().partition(".")
        if not equals or not dot or not name:
            raise ValueError(f"--set {text}: {GRAMMAR}{_suggestion(left.strip(), classes)}")
        if scope == PROTOCOL:
            _set_protocol(text, name, value.strip(), classes, dataset, changes)
        elif scope not in classes:
            raise ValueError(f"--set {text}: no method {scope!r} among {', '.join(classes)}; {GRAMMAR}")
        elif name.startswith(f"{PROTOCOL}."):
            name = name.removeprefix(f"{PROTOCOL}.")
            _set_protocol(text, name, value.strip(), {scope: classes[scope]}, dataset, changes)
        else:
            _set_setting(text, name, value.strip(), classes[scope], changes[scope])
    return changes


GRAMMAR = "expected protocol.NAME=VALUE, METHOD.NAME=VALUE or METHOD.protocol.NAME=VALUE"


def _suggestion(name: str, classes: Mapping[str, type[Any]]) -> str:
    """Where a bare name belongs."""
    scopes = [PROTOCOL] if any(name in _protocol_fields(cls, FOLDERS[0]) for cls in classes.values()) else []
    scopes += [method for method, cls in classes.items() if name in _defaults(cls)]
    return f"; did you mean {' or '.join(f'{scope}.{name}' for scope in scopes)}?" if scopes else ""


def _set_protocol(
    text: str,
    name: str,
    value: str,
    classes: Mapping[str, type[Any]],
    dataset: str,
    changes: Mapping[str, Changes],
) -> None:
    fields = {method: _protocol_fields(cls, dataset) for method, cls in classes.items()}
    having = [method for method in classes if name in fields[method]]
    if not having:
        known = sorted({field for of_method in fields.values() for field in of_method})
        raise ValueError(f"--set {text}: no protocol has a field {name!r}; known: {', '.join(known)}")
    for method in having:
        changes[method].protocol[name] = _parsed(text, value, fields[method][name])


def _set_setting(text: str, name: str, value: str, cls: type[Any], changes: Changes) -> None:
    defaults = _defaults(cls)
    if name in defaults:
        changes.settings[name] = _parsed(text, value, defaults[name])
    elif name == OPTIMIZER:
        changes.optimizer = registry.outside(value)
    else:
        known = ", ".join([*defaults, *([] if OPTIMIZER in defaults else [OPTIMIZER])])
        raise ValueError(f"--set {text}: it has no setting {name!r}; known: {known}")


def _parsed(text: str, value: str, default: Any) -> Any:
    """`value` as the type of `default`."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False, "1": True, "0": False}[value.lower()]
        if isinstance(default, int | float):
            return type(default)(value) + type(default)(0)  # -0.0 is 0.0
    except (KeyError, ValueError):
        raise ValueError(f"--set {text}: {value!r} is not of type {type(default).__name__}") from None
    return value
