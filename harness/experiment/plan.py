"""What to run: the product of methods, datasets and seeds, each run with everything that decides its result."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

from harness.api import BlackBox
from harness.benchmarks import DARTS, SPACES, NASBench201, SearchSpace
from harness.benchmarks.nasbench201.simulation import DATASET, QUERY_EPOCHS, signal_epochs
from harness.benchmarks.nasbench201.table import Table
from harness.data import Dataset, load, search_split
from harness.data.folders import ClassFolders, class_folders, folder_shares
from harness.experiment import conformance, registry
from harness.experiment.registry import Entry
from harness.experiment.store import SCHEMA, run_key
from harness.profiles import (
    CONTROLLED,
    FOLDERS,
    IMAGENET_FIELDS,
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
"""`--set optimizer=file.py:Class` exchanges the optimizers that methods hold as attributes."""


@dataclass(frozen=True)
class Run:
    """One search. `asked` is what its key is made of."""

    asked: dict[str, Any]
    entry: Entry
    changed: dict[str, Any]
    """What the user set to another value than the profile's or the method's own, and how many of a dataset's images
    there were, if not all. Already in `asked` (the images by their digest); recorded so that the report can tell a
    changed protocol from a published one."""
    optimizer: Entry | None = None
    """A `torch.optim` optimizer in the place of the method's own."""
    images: str | None = None
    """What the dataset was called: its name, or `file.py:function`."""
    space_word: str | None = None
    """What the space was called: its name, or `file.py:Class`."""

    @cached_property
    def key(self) -> str:
        return run_key(self.asked)

    @property
    def label(self) -> str:
        return f"{self.asked['method']} on {self.asked['dataset']}, seed {self.asked['seed']}"

    @property
    def black_box(self) -> bool:
        """Whether it searches on the table instead of training a supernet."""
        return "signal_epochs" in self.asked

    @property
    def protocol(self) -> Protocol:
        """Of a weight-sharing run."""
        return as_protocol(self.asked["protocol"])

    @property
    def simulation(self) -> Simulation:
        """Of a black-box run."""
        return Simulation(**self.asked["protocol"])

    @property
    def epochs(self) -> int:
        """Steps of progress: epochs of the search; 1 for a search on the table."""
        return 1 if self.black_box else self.protocol.epochs

    @cached_property
    def space(self) -> SearchSpace:
        """With or without the zero operation."""
        return _space(space_class(self.space_word or self.asked["space"]), self.asked["protocol"])


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
    """All runs, seed by seed; `space` is a name or `file.py:Class`; `table` is what black-box methods search on,
    whatever the datasets.

    ValueError or OSError, in one line, for whatever cannot be run as asked.
    """
    classes = {name: registry.load(entry) for name, entry in entries.items()}
    word, own = space, space_class(space)
    space = own.name
    if set(datasets) & set(FOLDERS) and (len(datasets) > 1 or space != DARTS.name):
        raise ValueError("imagenet is searched on its own and on the DARTS space: --space darts --dataset imagenet")
    changes = _overrides(overrides, classes, datasets[0])
    optimizers: dict[str, Entry | None] = {name: changes[name].pop(OPTIMIZER, None) for name in classes}
    usual = {name: _usual(name, cls, space, profile, datasets[0], {}) for name, cls in classes.items()}
    chosen = {name: _usual(name, cls, space, profile, datasets[0], changes[name]) for name, cls in classes.items()}
    common = {
        name: _asked(name, entries[name], classes[name], own, *chosen[name], optimizers[name]) for name in entries
    }
    changed = {name: _changed(chosen[name], usual[name]) for name in entries}
    for name in entries:
        if optimizers[name]:
            changed[name]["optimizer"] = common[name]["optimizer"]
    searched = _searched(classes, chosen, datasets, data_folder, _signal(space, table))
    return [
        Run(
            {**common[name], **on.asked, "seed": seed},
            entries[name],
            {**changed[name], **on.changed},
            optimizers[name],
            on.images,
            word,
        )
        for seed in seeds
        for name in entries
        for on in searched[name]
    ]


class Searched(NamedTuple):
    """What a method searches on."""

    images: str | None
    """The dataset as the user called it; None for the table."""
    asked: dict[str, Any]
    changed: dict[str, Any]
    """What of it is not as it should be: a part of the images, a substitute for the signal."""


def _searched(
    classes: Mapping[str, type[Any]],
    chosen: Mapping[str, tuple[dict[str, Any], Budget]],
    datasets: Sequence[str],
    folder: Path,
    signal: Mapping[str, Any],
) -> dict[str, list[Searched]]:
    """By method. Every dataset is read once, since not all of them stay in memory."""
    black_boxes = [name for name, cls in classes.items() if issubclass(cls, BlackBox)]
    substitute = {"signal_epochs": signal["signal_epochs"]} if signal["signal_epochs"] not in (0, QUERY_EPOCHS) else {}
    on_table = Searched(None, {"dataset": DATASET, **signal}, substitute)
    found = {name: [on_table] if name in black_boxes and signal["table"] else [] for name in classes}
    others = [name for name in classes if not found[name]]
    for dataset in datasets if others else ():
        images = _data(dataset, folder)
        for name in others:
            called = {"dataset": images.name if isinstance(images, Dataset) else dataset}
            if name in black_boxes:  # a control, which asks for nothing, beside the methods that search
                asked = dict(signal)
            else:
                asked = _images(images, classes[name].bilevel, chosen[name][1].protocol)
            found[name].append(Searched(dataset, {**called, **asked}, images.part))
    return found


def _signal(space: str, table: Table) -> dict[str, Any]:
    """What black boxes search on."""
    if space != NASBench201.name:
        return {"table": None, "signal_epochs": 0}
    return {"table": table.sha256, "signal_epochs": signal_epochs(table)}


def _data(dataset: str, folder: Path) -> Dataset | ClassFolders:
    return class_folders(folder / dataset) if dataset in FOLDERS else load(dataset, folder)


def _images(images: Dataset | ClassFolders, bilevel: bool, protocol: Protocol | Simulation) -> dict[str, Any]:
    """What a search sees of a dataset."""
    if isinstance(images, ClassFolders):
        return {"data_sha256": images.sha256, "split": _shares(images, bilevel, cast(FolderProtocol, protocol))}
    split = search_split(images, bilevel)
    names = {"name": split.name, "sha256": split.sha256, "may_have_seen_test": split.may_have_seen_test}
    return {"data_sha256": images.sha256, "split": names}


def _shares(images: ClassFolders, bilevel: bool, protocol: FolderProtocol) -> dict[str, Any]:
    """Which images of class folders a search sees, as a split of images in memory."""
    shares = folder_shares(images, bilevel, protocol.weights_share, protocol.architecture_share, protocol.image_size)
    percent = f"{100 * protocol.weights_share:g} % and {100 * protocol.architecture_share:g} % of every class, seed 0"
    name = percent if bilevel else f"{percent}, all for both steps"
    return {"name": name, "sha256": shares.sha256, "may_have_seen_test": False}


def _usual(
    name: str, cls: type[Any], space: str, profile: str, dataset: str, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], Budget]:
    """A method's settings and its protocol, with `changes` to either."""
    of_protocol = _protocol_fields(cls, dataset)
    protocol = {k: v for k, v in changes.items() if k in of_protocol}
    published = PAPER_SETTINGS.get((dataset, name), {}) if profile == "paper" else {}
    settings = {**_defaults(cls), **published, **{k: v for k, v in changes.items() if k not in of_protocol}}
    if issubclass(cls, BlackBox):
        return settings, simulation("paper" if space == NASBench201.name else profile, protocol)
    return settings, budget(profile, space, dataset, name, protocol)


def _asked(
    name: str,
    entry: Entry,
    cls: type[Any],
    space: type[SearchSpace],
    settings: dict[str, Any],
    chosen: Budget,
    optimizer: Entry | None,
) -> dict[str, Any]:
    """The part of a run's key that does not depend on what is searched on, and on the seed."""
    protocol = asdict(chosen.protocol)
    exchanged = registry.load(optimizer) if optimizer else None
    found = conformance.problems(cls, _space(space, protocol), settings, exchanged)
    if found:
        raise ValueError(" ".join(f"method {name}: {found[0]}".split()))
    if not issubclass(cls, BlackBox) and protocol["channels"] % cls.partial_channels:
        raise ValueError(
            f"method {name} mixes on 1/{cls.partial_channels} of the channels: "
            f"channels={protocol['channels']} must be a multiple of {cls.partial_channels}"
        )
    asked = {
        "schema": SCHEMA,
        "space": space.name,
        "method": name,
        "source": registry.source_digest(cls) if entry.outside else None,
        "settings": settings,
        "profile": chosen.profile,
        "protocol": protocol,
    }
    if space.name not in SPACES:
        asked["space_sha256"] = registry.source_digest(space)
    if exchanged:
        asked |= {"optimizer": exchanged.__name__, "optimizer_sha256": registry.source_digest(exchanged)}
    try:
        run_key(asked)
    except (TypeError, ValueError) as error:
        raise ValueError(f"method {name}: settings must be finite numbers or strings: {error}") from error
    return asked


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


def _changed(chosen: tuple[dict[str, Any], Budget], usual: tuple[dict[str, Any], Budget]) -> dict[str, Any]:
    (settings, protocol), (own, published) = chosen, usual
    before = {**own, **asdict(published.protocol)}
    return {k: v for k, v in {**settings, **asdict(protocol.protocol)}.items() if v != before[k]}


def _defaults(cls: type[Any]) -> dict[str, Any]:
    """The constructor's settings, all but `space`. An outside class without defaults is left to `conformance`."""
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _protocol_fields(cls: type[Any], dataset: str) -> dict[str, Any]:
    """The names in a method's protocol, with values of their types."""
    if issubclass(cls, BlackBox):
        return asdict(SIMULATION)
    return {**asdict(CONTROLLED), **(IMAGENET_FIELDS if dataset in FOLDERS else {})}


def _overrides(texts: Sequence[str], classes: Mapping[str, type[Any]], dataset: str) -> dict[str, dict[str, Any]]:
    """`NAME=VALUE` and `METHOD.NAME=VALUE` as values per method, of the type of the field or default they replace."""
    changes: dict[str, dict[str, Any]] = {name: {} for name in classes}
    known_to = {name: {**_defaults(cls), **_protocol_fields(cls, dataset)} for name, cls in classes.items()}
    for text in texts:
        left, equals, value = text.partition("=")
        method, dot, name = left.strip().rpartition(".")
        if not equals or not name:
            raise ValueError(f"--set takes NAME=VALUE or METHOD.NAME=VALUE, got {text!r}")
        if dot and method not in classes:
            raise ValueError(f"--set {text}: no method {method!r} among {', '.join(classes)}")
        known = False
        for target in [method] if dot else classes:
            if name == OPTIMIZER and name not in known_to[target]:
                changes[target][name] = registry.outside(value.strip())
                known = True
            elif name in known_to[target]:
                changes[target][name] = _parsed(text, value.strip(), known_to[target][name])
                known = True
        if not known:
            names = sorted({*asdict(CONTROLLED), *(name for names in known_to.values() for name in names)})
            raise ValueError(f"--set {text}: nobody has {name!r}; known: {', '.join(names)}")
    return changes


def _parsed(text: str, value: str, default: Any) -> Any:
    """`value` as the type of `default`."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False, "1": True, "0": False}[value.lower()]
        if isinstance(default, int | float):
            return type(default)(value)
    except (KeyError, ValueError):
        raise ValueError(f"--set {text}: {value!r} is not of type {type(default).__name__}") from None
    return value
