"""What `--set` asks for: another value of a protocol's field or of a method's setting, or another optimizer.

protocol.NAME=VALUE            a field of every method's protocol that has it
METHOD.NAME=VALUE              a setting of one method
METHOD.protocol.NAME=VALUE     a field of one method's protocol
METHOD.optimizer=FILE.py:CLASS an optimizer in the place of the method's own
METHOD.optimizer.NAME=VALUE    a setting of that optimizer

Several values with commas between them are a grid: every combination is searched with.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import product
from typing import Any

from harness import plugins
from harness.plugins import Entry

OPTIMIZER = "optimizer"
"""Exchanges the optimizers that a method holds as attributes."""
PROTOCOL = "protocol"
"""The scope of a protocol's fields."""
GRAMMAR = "expected protocol.NAME=VALUE, METHOD.NAME=VALUE or METHOD.protocol.NAME=VALUE"

Values = Mapping[str, Any]


@dataclass
class Changes:
    """What the user sets for one method."""

    settings: dict[str, Any] = field(default_factory=dict)
    protocol: dict[str, Any] = field(default_factory=dict)
    optimizer: Entry | None = None
    optimizer_settings: dict[str, str] = field(default_factory=dict)
    """As on the command line."""


def grid(texts: Sequence[str]) -> list[list[str]]:
    """All combinations of values that are given with commas between them: `darts.lr=0.01,0.1` stands for two."""
    choices = []
    for text in texts:
        left, equals, value = text.partition("=")
        choices.append([f"{left}{equals}{part.strip()}" for part in value.split(",")])
    return [list(combination) for combination in product(*choices)]


def parse(texts: Sequence[str], settings: Mapping[str, Values], protocols: Mapping[str, Values]) -> dict[str, Changes]:
    """By method; values have the type of the default that they replace.

    Args:
        texts: as on the command line.
        settings: default settings by method.
        protocols: fields of the default protocol by method.

    Raises:
        ValueError: in one line, for anything else than the above.
    """
    changes = {name: Changes() for name in settings}
    for text in texts:
        left, equals, value = (part.strip() for part in text.partition("="))
        scope, dot, name = left.partition(".")
        if not equals or not dot or not name:
            raise ValueError(f"--set {text}: {GRAMMAR}{_suggestion(left, settings, protocols)}")
        if scope == PROTOCOL:
            _set_protocol(text, name, value, protocols, changes)
        elif scope not in settings:
            raise ValueError(f"--set {text}: no method {scope!r} among {', '.join(settings)}; {GRAMMAR}")
        elif name.startswith(f"{PROTOCOL}."):
            name = name.removeprefix(f"{PROTOCOL}.")
            _set_protocol(text, name, value, {scope: protocols[scope]}, changes)
        else:
            _set_setting(text, scope, name, value, settings[scope], changes[scope])
    for name, change in changes.items():
        if change.optimizer_settings and change.optimizer is None:
            setting = next(iter(change.optimizer_settings))
            raise ValueError(f"--set {name}.optimizer.{setting}: needs an optimizer, {name}.optimizer=FILE.py:CLASS")
    return changes


def default_settings(cls: type[Any]) -> dict[str, Any]:
    """The constructor's settings, all but `space`. An external class without defaults is left to `conformance`."""
    parameters = list(inspect.signature(cls).parameters.values())[1:]
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def optimizer_settings(cls: type[Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of an optimizer's settings, of the types of their defaults. ValueError if it has no such setting."""
    defaults = default_settings(cls)
    for name in texts:
        if name not in defaults:
            raise ValueError(f"optimizer {cls.__name__} has no setting {name!r}; known: {', '.join(defaults)}")
    return {name: _parsed(f"optimizer.{name}={text}", text, defaults[name]) for name, text in texts.items()}


def _suggestion(name: str, settings: Mapping[str, Values], protocols: Mapping[str, Values]) -> str:
    """Where a bare name belongs."""
    scopes = [PROTOCOL] if any(name in fields for fields in protocols.values()) else []
    scopes += [method for method, defaults in settings.items() if name in defaults]
    return f"; did you mean {' or '.join(f'{scope}.{name}' for scope in scopes)}?" if scopes else ""


def _near(name: str, names: Sequence[str]) -> str:
    """What was meant, or what there is."""
    near = get_close_matches(name, names, n=2)
    return f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(names)}"


def _set_protocol(
    text: str, name: str, value: str, protocols: Mapping[str, Values], changes: Mapping[str, Changes]
) -> None:
    having = [method for method, fields in protocols.items() if name in fields]
    if not having:
        known = sorted({field for fields in protocols.values() for field in fields})
        raise ValueError(f"--set {text}: no protocol has a field {name!r}{_near(name, known)}")
    for method in having:
        changes[method].protocol[name] = _parsed(text, value, protocols[method][name])


def _set_setting(text: str, method: str, name: str, value: str, defaults: Values, changes: Changes) -> None:
    if name in defaults:
        changes.settings[name] = _parsed(text, value, defaults[name])
    elif name == OPTIMIZER:
        changes.optimizer = plugins.external(value)
    elif name.startswith(f"{OPTIMIZER}."):
        changes.optimizer_settings[name.removeprefix(f"{OPTIMIZER}.")] = value
    else:
        raise ValueError(f"--set {text}: {method} has no setting {name!r}{_near(name, [*defaults, OPTIMIZER])}")


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
