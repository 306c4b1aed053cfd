"""The runs of a results folder as a table: one row per record, every configuration under a name of its own."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.experiment.store import Record
from harness.report.groups import GROUP, in_order

COLUMNS = [
    "key",
    "method",  # as shown: the name asked for, then what sets its configuration apart
    "name",  # as asked for
    "usual",  # whether this is the method's usual configuration in its group
    "seen_test",  # whether the search may have seen test images of its dataset that the benchmark holds out
    "outside",  # whether the method came from a file or package of the user
    "family",
    *GROUP,
    "seed",
    "failure",  # last line of the traceback; empty for a run that is done
    "last",  # cell of the last epoch
    "best_valid",  # cell of the best supernet validation accuracy; missing for single-level runs
    "per_epoch",  # whether the run has arrays
]


def tabulate(records: Sequence[Record]) -> pd.DataFrame:
    """One row per record, columns `COLUMNS`, in the order of the records.

    Runs of one method that differ in more than the seed must never be averaged. Within a group (space, profile,
    searched on) the configuration that the user did not change keeps the method's name, of several the one with the
    most runs; every other one is named by what was changed and by what it has other values for, as in
    `darts [epochs=3]`. If no configuration has the most, all are named so.
    """
    rows = [_row(record, variant) for record, variant in zip(records, _variants(records), strict=True)]
    return pd.DataFrame(rows, columns=COLUMNS)


def methods_in_order(runs: pd.DataFrame, order: Sequence[str]) -> list[str]:
    """Every method as shown: by its name's place in `order`, unlisted names after them, a name's variants together,
    those first in which least was changed."""
    names = dict(zip(runs["method"], runs["name"], strict=True))
    places = in_order(names.values(), order)
    return sorted(names, key=lambda method: (places.index(names[method]), len(split_name(method)[1]), method))


def split_name(method: str) -> tuple[str, list[str]]:
    """A method as shown, as its name and what its brackets say: ("darts", ["epochs=3", "lr=0.1"])."""
    name, bracket, changed = method.partition(" [")
    return (name, changed[:-1].split(", ")) if bracket and changed.endswith("]") else (method, [])


def without_shared(methods: Sequence[str]) -> tuple[dict[str, str], str]:
    """Shorter names of the methods, without what all of them have in brackets; and that."""
    names = {method: split_name(method) for method in methods}
    shared = [part for part in names[methods[0]][1] if all(part in changed for _, changed in names.values())]
    short = {}
    for method, (name, changed) in names.items():
        own = [part for part in changed if part not in shared]
        short[method] = f"{name} [{', '.join(own)}]" if own else name
    return short, ", ".join(shared)


def subset_label(name: str) -> str:
    """What must stand beside a method as shown, or what methods share, if the searches saw only a part of a dataset's
    official images; else nothing."""
    return " (subset proxy)" if re.search(r"(^|[\[ ])images=", name) else ""


def _row(record: Record, variant: str) -> dict[str, Any]:
    asked = record["asked"]
    cells = record.get("cells") or {}
    return {
        "key": record["key"],
        "method": f"{asked['method']} [{variant}]" if variant else asked["method"],
        "name": asked["method"],
        "usual": not variant,
        "seen_test": asked.get("split", {}).get("may_have_seen_test", False),
        "outside": asked.get("source") is not None,
        "family": record["family"],
        **dict(zip(GROUP, _group(asked), strict=True)),
        "seed": asked["seed"],
        "failure": _last_line(record.get("failure")) if record["status"] == "failed" else "",
        "last": cells.get("last"),
        "best_valid": cells.get("best_valid"),
        "per_epoch": "arrays_sha256" in record,
    }


def _group(asked: Mapping[str, Any]) -> tuple[str, str, str]:
    return asked["space"], asked["profile"], asked["dataset"]


def _last_line(traceback: str | None) -> str:
    lines = (traceback or "").strip().splitlines()
    return lines[-1].strip() if lines else "no reason recorded"


def _variants(records: Sequence[Record]) -> list[str]:
    """What sets the configuration of each record apart; empty for the usual one."""
    configurations = [_configuration(record["asked"]) for record in records]
    alike: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    changed = {
        configuration: [_setting(name, value) for name, value in sorted(record["changed"].items())]
        for configuration, record in zip(configurations, records, strict=True)
        if record.get("changed")
    }
    owners = [(*_group(record["asked"]), record["asked"]["method"]) for record in records]
    for owner, configuration in zip(owners, configurations, strict=True):
        alike[owner][configuration] += 1
    names = {owner: _names(counts, changed) for owner, counts in alike.items()}
    return [names[owner][configuration] for owner, configuration in zip(owners, configurations, strict=True)]


def _configuration(asked: Mapping[str, Any]) -> str:
    """Canonical JSON of everything that a run was asked but its seed, flattened to one level."""
    flat: dict[str, Any] = {}
    for key, value in asked.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        elif key != "seed":
            flat[key] = value
    return json.dumps(flat, sort_keys=True)


def _names(counts: Counter[str], changed: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A name for each configuration of one method, given how many runs each has and what the user changed in it."""
    unchanged = Counter({configuration: n for configuration, n in counts.items() if configuration not in changed})
    ranked = [*unchanged.most_common(), ("", 0)]
    usual = ranked[0][0] if ranked[0][1] > ranked[min(1, len(unchanged))][1] else None
    values = {configuration: json.loads(configuration) for configuration in counts}
    rivals = list(counts) if usual is None else [usual]
    return {
        configuration: ", ".join(
            # Each once: what was changed is, as a rule, also what differs.
            dict.fromkeys(
                [
                    *changed.get(configuration, ()),
                    *_differences(values[configuration], [(values[one], changed.get(one, ())) for one in rivals]),
                ]
            )
        )
        for configuration in counts
    }


def _differences(
    configuration: Mapping[str, Any], rivals: Iterable[tuple[Mapping[str, Any], Sequence[str]]]
) -> list[str]:
    """Values that rivals do not have, but for what a rival's own name says that it changed."""
    differing = {
        key
        for rival, changed in rivals
        for key in configuration.keys() | rival.keys()
        if configuration.get(key) != rival.get(key)
        and key.rpartition(".")[2] not in {part.partition("=")[0] for part in changed}
    }
    if "optimizer" in differing:  # its name says enough
        differing.discard("optimizer_sha256")
    return [_setting(key.rpartition(".")[2], configuration.get(key, "unset")) for key in sorted(differing)]


def _setting(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{name}={text[:8] if len(text) == 64 else text}"  # a SHA-256 by its beginning
