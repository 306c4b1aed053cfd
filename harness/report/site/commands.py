"""The commands that do again what records hold."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable
from typing import Any

from harness.benchmarks import SPACES
from harness.experiment.store import Record
from harness.report.groups import DATASET_ORDER
from harness.report.render.wording import ranges


def searching(record: Record, seeds: Iterable[int]) -> str:
    """The command that repeats the searches of one configuration, of which `record` is one.

    A method, optimizer, space or dataset from outside stands as FILE.py:name: records do not hold the file's place.
    """
    asked = record["asked"]
    name = asked["method"]
    words = ["--space", _outside(asked["space"], SPACES)]
    words += ["--methods", f"FILE.py:{name}" if asked.get("source") else name]
    words += ["--seeds", seed_ranges(seeds), "--profile", asked["profile"]]
    if asked.get("table"):
        words += ["--table", "TABLE"]
    else:
        words += ["--dataset", _outside(asked["dataset"], ("digits", *DATASET_ORDER))]
    if record["kind"] == "one-shot":
        words += ["--device", _device(record)]
        words += ["--threads", str(record["provenance"].get("threads") or 1)]
    for setting, value in sorted((record.get("changed") or {}).items()):
        if setting in asked["settings"] or setting in asked["protocol"]:
            words += ["--set", f"{name}.{setting}={_value(value)}"]
        elif setting == "optimizer":  # what else can be changed follows from the table
            words += ["--set", f"{name}.optimizer=FILE.py:{value}"]
    return shlex.join(["python", "run_all.py", *words])


def training(record: Record) -> tuple[str, str]:
    """What `searching` needs besides, so that cells are trained as in `record`; and, where no option of it does that,
    the command that trains one cell afterwards, else nothing."""
    asked = record["asked"]
    changed = {name: value for name, value in record["changed"].items() if name in asked["recipe"]}
    if not changed and asked.get("processes", 1) == 1:
        return f"--retrain {asked['dataset']}", ""
    run = ["python"] if asked["processes"] == 1 else ["torchrun", "--nproc-per-node", str(asked["processes"])]
    words = [*run, "-m", "harness.evaluate.retrain", "--cell", "CELL", "--dataset", asked["dataset"]]
    words += ["--seeds", "SEED-SEED", "--device", _device(record)]
    for name, value in sorted(changed.items()):
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return "--retrain none", shlex.join(words)


def _outside(name: str, ours: Container[str]) -> str:
    return name if name in ours else f"FILE.py:{name}"


def seed_ranges(seeds: Iterable[int]) -> str:
    """E.g. `0-3,7`. One seed alone is a range too, since the command takes a single number for how many."""
    text = ranges(seeds).replace(" ", "")
    return f"{text}-{text}" if text.isdecimal() else text


def _device(record: Record) -> str:
    """As the command line has it."""
    device = str(record["provenance"].get("device"))
    return device if device in ("cpu", "mps") else "cuda"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
