"""What to run: the product of methods, datasets and seeds, each run with everything that decides its result."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import conformance, registry
from harness.data import load
from harness.profiles import CONTROLLED, Protocol, budget
from harness.registry import Entry
from harness.spaces import SPACES
from harness.store import SCHEMA, run_key


@dataclass(frozen=True)
class Run:
    """One search. `asked` is what its key is made of."""

    asked: dict[str, Any]
    entry: Entry
    changed: dict[str, Any]
    """What the user set to another value than the profile's or the method's own. Already in `asked`; recorded so that
    the report can tell a changed protocol from a published one."""

    @cached_property
    def key(self) -> str:
        return run_key(self.asked)

    @property
    def label(self) -> str:
        return f"{self.asked['method']} on {self.asked['dataset']}, seed {self.asked['seed']}"

    @property
    def protocol(self) -> Protocol:
        return Protocol(**self.asked["protocol"])


def plan(
    entries: Mapping[str, Entry],
    space: str,
    profile: str,
    datasets: Sequence[str],
    seeds: Sequence[int],
    overrides: Sequence[str],
    data_folder: Path,
) -> list[Run]:
    """All runs, seed by seed. ValueError or OSError, in one line, for whatever cannot be run as asked."""
    classes = {name: registry.load(entry) for name, entry in entries.items()}
    changes = _overrides(overrides, classes)
    digests = {dataset: load(dataset, data_folder).sha256 for dataset in datasets}
    common = {name: _asked(name, entries[name], classes[name], space, profile, changes[name]) for name in entries}
    changed = {name: _changed(common[name], classes[name], space, profile) for name in entries}
    return [
        Run(
            {**common[name], "dataset": dataset, "data_sha256": digests[dataset], "seed": seed},
            entries[name],
            changed[name],
        )
        for seed in seeds
        for dataset in datasets
        for name in entries
    ]


def _asked(
    name: str, entry: Entry, cls: type[Any], space: str, profile: str, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The part of a run's key that does not depend on dataset and seed."""
    of_protocol = {field.name for field in fields(Protocol)}
    chosen = budget(profile, space, name, {k: v for k, v in changes.items() if k in of_protocol})
    settings = {**_defaults(cls), **{k: v for k, v in changes.items() if k not in of_protocol}}
    full = SPACES[space]()
    found = conformance.problems(cls, full if chosen.protocol.zero_operation else full.without("none"), settings)
    if found:
        raise ValueError(" ".join(f"method {name}: {found[0]}".split()))
    asked = {
        "schema": SCHEMA,
        "space": space,
        "method": name,
        "source": registry.source_digest(cls) if entry.outside else None,
        "settings": settings,
        "profile": chosen.profile,
        "protocol": asdict(chosen.protocol),
    }
    try:
        run_key(asked)
    except (TypeError, ValueError) as error:
        raise ValueError(f"method {name}: settings must be finite numbers or strings: {error}") from error
    return asked


def _changed(asked: Mapping[str, Any], cls: type[Any], space: str, profile: str) -> dict[str, Any]:
    usual = {**_defaults(cls), **asdict(budget(profile, space, asked["method"], {}).protocol)}
    return {k: v for k, v in {**asked["settings"], **asked["protocol"]}.items() if v != usual[k]}


def _defaults(cls: type[Any]) -> dict[str, Any]:
    """The constructor's settings, all but `space`. An outside class without defaults is left to `conformance`."""
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _overrides(texts: Sequence[str], classes: Mapping[str, type[Any]]) -> dict[str, dict[str, Any]]:
    """`NAME=VALUE` and `METHOD.NAME=VALUE` as values per method, of the type of the field or default they replace."""
    changes: dict[str, dict[str, Any]] = {name: {} for name in classes}
    of_protocol = asdict(CONTROLLED)  # for the types of its values
    for text in texts:
        left, equals, value = text.partition("=")
        method, dot, name = left.strip().rpartition(".")
        if not equals or not name:
            raise ValueError(f"--set takes NAME=VALUE or METHOD.NAME=VALUE, got {text!r}")
        if dot and method not in classes:
            raise ValueError(f"--set {text}: no method {method!r} among {', '.join(classes)}")
        known = False
        for target in [method] if dot else classes:
            candidates = {**_defaults(classes[target]), **of_protocol}
            if name in candidates:
                changes[target][name] = _parsed(text, value.strip(), candidates[name])
                known = True
        if not known:
            names = sorted({*of_protocol, *(n for c in classes.values() for n in _defaults(c))})
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
