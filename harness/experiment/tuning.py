"""Tuning by random search: every method draws the settings that it declares (`harness.api.OneShot.tunable`), and all
may spend the same number of multiply-adds on their trials. Needs no torch.

A trial is an ordinary search. The first trial of a tuning has the default settings; a later one draws every declared
setting. Trials also differ in the seed of the search, so that a method that declares nothing repeats its defaults with
other seeds: a further trial is a further draw for every method alike.

What a tuning consists of is a file of the results folder, `tunings/<id>.json`, beside the records of its trials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct

from harness.experiment.claims import waited_for
from harness.experiment.config import label, run_key
from harness.experiment.schema import Name, Sha256, Text
from harness.experiment.store import Store
from harness.files import write_atomically

if TYPE_CHECKING:  # these need torch
    from harness.api import Uniform
    from harness.experiment.jobs.search import OneShotJob

STRIDE = 1000
"""Trial i of the tuning with seed s is the search with seed s + STRIDE * i; seeds of tunings are smaller."""
DIGITS = 3
"""Significant ones, to which a drawn setting is rounded."""


# Trials --------------------------------------------------------------------------------------------------------------


def drawn(tunable: Mapping[str, Uniform], seed: int, trial: int) -> dict[str, float]:
    """The settings of a trial: none for the first, which is the default. They depend on the seed of the tuning and the
    number of the trial alone, so a larger budget only adds trials."""
    if trial == 0:
        return {}
    shares = np.random.default_rng([seed, trial]).random(len(tunable))
    return {
        name: float(f"{tunable[name].at(share):.{DIGITS}g}")
        for name, share in zip(sorted(tunable), shares.tolist(), strict=True)
    }


def trial_of(default: OneShotJob, tunable: Mapping[str, Uniform], seed: int, trial: int) -> OneShotJob:
    """A trial as a search that differs from `default` in the drawn settings and in the seed."""
    config = default.config
    values = {
        name: round(value) if isinstance(config["settings"][name], int) else value
        for name, value in drawn(tunable, seed, trial).items()
    }
    changed = {name: value for name, value in values.items() if value != config["settings"][name]}
    overrides = {**config["overrides"], "settings": {**config["overrides"]["settings"], **changed}}
    settings = {**config["settings"], **values}
    return replace(
        default, config={**config, "settings": settings, "overrides": overrides, "seed": seed + STRIDE * trial}
    )


# Budget --------------------------------------------------------------------------------------------------------------


def cost(store: Store, key: str) -> float:
    """Multiply-adds of a search that is done, forward and backward, in training and evaluation; NaN if they were not
    counted."""
    counted = store.arrays(key).get("multiply_adds")
    return float("nan") if counted is None else float(counted.sum())


def more_trials(costs: Sequence[float], budget: float) -> int:
    """How many trials a tuning may still begin, if each costs as much as its first.

    costs: of the trials so far; the first trial is always run, as its cost is not known beforehand.
    """
    if not costs:
        return 1
    return int(max(0.0, budget - sum(costs)) // costs[0]) if costs[0] > 0 else 0


# Files ---------------------------------------------------------------------------------------------------------------


class Range(Struct, frozen=True):
    """Of a setting."""

    low: float
    high: float
    logarithmic: bool


class Drawn(Struct, frozen=True):
    """Tunings of one method that drew from the same ranges."""

    ranges: dict[Name, Range]
    """Of the settings that were drawn; empty: the method declares none."""
    trials: dict[int, list[Sha256]]
    """The keys of the trials in their order, by the seed of the tuning."""

    def continues(self, other: Drawn) -> bool:
        """Whether both are the same tunings, of which one has come further."""
        both = self.trials.keys() & other.trials.keys()
        pairs = [(self.trials[seed], other.trials[seed]) for seed in both]
        return self.ranges == other.ranges and all(a[: len(b)] == b[: len(a)] for a, b in pairs)

    def joined(self, other: Drawn) -> Drawn:
        """The longer one of every tuning of both."""
        seeds = sorted(self.trials.keys() | other.trials.keys())
        return Drawn(
            self.ranges, {seed: max(self.trials.get(seed, []), other.trials.get(seed, []), key=len) for seed in seeds}
        )


class Tuned(Drawn, frozen=True, omit_defaults=True):
    """The tunings of one method."""

    others: tuple[Drawn, ...] = ()
    """Those that are not compared: drawn from other ranges, which the method declared in another version, or by other
    searches."""

    @property
    def all(self) -> tuple[Drawn, ...]:
        return (Drawn(self.ranges, self.trials), *self.others)


class Tuning(Struct, frozen=True):
    """What was tuned with the same budget, on the same images, by the same criterion."""

    budget: Annotated[float, Meta(gt=0, le=1e30)]
    """Multiply-adds of one tuning of one method."""
    criterion: tuple[Name, Name] | None
    """Dataset and split of the looked-up validation accuracy of the found cell by which trials are chosen; None: by
    the supernet's validation accuracy after the last epoch."""
    methods: dict[Text, Tuned]
    """By the label of their default."""


def identity(default: OneShotJob, protocol: Sequence[str], budget: float, criterion: tuple[str, str] | None) -> str:
    """Of the file in which tunings stand together.

    protocol: the overrides of all methods, as `--set` takes them.
    """
    config = default.config
    images = {name: config["dataset"].get(name) for name in ("name", "sha256")}
    what = [config["benchmark"], config["profile"], images, sorted(protocol), budget, criterion]
    return run_key({"tuning": what})[:16]


def name_of(default: OneShotJob) -> str:
    """How a tuning calls a method."""
    return str(label({"config": default.config, "provenance": {"dirty": False}}))  # whichever code runs


def ranges(tunable: Mapping[str, Uniform]) -> dict[str, Range]:
    from harness.api import LogUniform

    return {
        name: Range(float(each.low), float(each.high), isinstance(each, LogUniform)) for name, each in tunable.items()
    }


def add(store: Store, name: str, tuning: Tuning, replace_known: bool = True) -> None:
    """Add methods and seeds to a file of tunings. One process at a time. Trials that are known already stay: a repeated
    call, or another machine that was stopped, may have come less far. Where a method's ranges are other ones than in
    the file, the new tunings are compared with `replace_known`, else the known ones; the others are kept too."""
    with waited_for(store.claim_path(f"tuning-{name}")):
        known = dict(tunings(store)).get(name)
        methods = dict(known.methods) if known else {}
        for method, tuned in tuning.methods.items():
            methods[method] = _added(methods[method], tuned, replace_known) if method in methods else tuned
        path = store.folder / "tunings" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        content = msgspec.json.encode(msgspec.structs.replace(tuning, methods=dict(sorted(methods.items()))))
        write_atomically(path, msgspec.json.format(content, indent=1) + b"\n")


def _added(known: Tuned, new: Tuned, replace_known: bool) -> Tuned:
    """Both, those that are compared first."""
    groups = list(known.all)
    for number, drawn in enumerate(new.all):
        same = next((group for group in groups if drawn.continues(group)), None)
        place = groups.index(same) if same else len(groups)
        groups[place : place + 1] = [same.joined(drawn) if same else drawn]
        if number == 0 and replace_known:
            groups.insert(0, groups.pop(place))
    first, *others = groups
    return Tuned(first.ranges, first.trials, tuple(others))


def tunings(store: Store) -> Iterator[tuple[str, Tuning]]:
    """Those of a results folder, with their names. A damaged file is set aside."""
    for path in sorted((store.folder / "tunings").glob("*.json")):
        try:
            yield path.stem, msgspec.json.decode(path.read_bytes(), type=Tuning)
        except FileNotFoundError:
            continue
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IsADirectoryError) as error:
            store.quarantine(path, why=error)


def drawn_keys(stored: Sequence[Tuning]) -> set[str]:
    """The searches with settings that a tuning drew. They are no rows of a leaderboard."""
    return {
        key
        for tuning in stored
        for tuned in tuning.methods.values()
        for drawn in tuned.all
        if drawn.ranges
        for keys in drawn.trials.values()
        for key in keys[1:]
    }
