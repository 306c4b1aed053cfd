"""Rows of a leaderboard that differ in one number only: a setting of a method, or a field of its protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from harness.experiment.config import run_key


class Sweep(NamedTuple):
    """One method under several values of a setting, all else equal."""

    method: str
    """Its name."""
    setting: str
    rows: tuple[tuple[float, str], ...]
    """Values with the labels of their rows, in increasing order."""


def find(configs: Mapping[str, Mapping[str, Any]]) -> list[Sweep]:
    """All sweeps among rows, given by label with the config of one of their runs."""
    alike: dict[tuple[str, str, str], dict[float, str]] = {}
    for label, config in configs.items():
        for setting, value, others in _without_each(config):
            alike.setdefault((config["method"]["name"], setting, others), {}).setdefault(float(value), label)
    return [Sweep(*key[:2], tuple(sorted(rows.items()))) for key, rows in alike.items() if len(rows) > 1]


def _without_each(config: Mapping[str, Any]) -> Iterator[tuple[str, float, str]]:
    """Every number of a config with its name, and a digest of everything else that makes a row."""
    rest = {name: value for name, value in config.items() if name not in ("seed", "overrides", "settings", "protocol")}
    settings, protocol = config["settings"], config["protocol"]
    parts = {f"protocol.{name}": value for name, value in protocol["values"].items()} | settings
    rest |= {"protocol": [protocol["id"], protocol["version"]]}
    for name, value in parts.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            others = {other: each for other, each in parts.items() if other != name}
            yield name, value, run_key({**rest, "parts": others})
