"""The commands that repeat what records hold."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from harness.experiment.store import Record
from harness.report.render.wording import ranges


def searching(record: Record, seeds: Iterable[int]) -> str:
    """The command that repeats the searches of one configuration, of which `record` is one.

    An external method, optimizer, space or dataset is called FILE.py:name: records do not hold the file's place.
    """
    config = record["config"]
    name = config["method"]["name"]
    words = ["--space", _named(config["benchmark"]), "--methods", _named(config["method"])]
    words += ["--seeds", seed_ranges(seeds), "--profile", config["profile"]]
    words += ["--table", "TABLE"] if config.get("table") else ["--dataset", _named(config["dataset"])]
    if config["kind"] == "one-shot":
        words += ["--device", _device(record)]
        words += ["--threads", str(record["provenance"].get("threads") or 1)]
    for override in _overrides(config):
        words += ["--set", f"{name}.{override}"]
    return shlex.join(["python", "run_all.py", *words])


def _overrides(config: Mapping[str, Any]) -> list[str]:
    """As `--set` takes them after the method's name."""
    overrides, optimizer = config["overrides"], config["optimizer"]
    of_protocol = {**overrides["protocol"], **overrides["numerics"]}
    return [
        *(f"{setting}={_value(value)}" for setting, value in sorted(overrides["settings"].items())),
        *(f"protocol.{field}={_value(value)}" for field, value in sorted(of_protocol.items())),
        *([f"optimizer=FILE.py:{optimizer['name']}"] if optimizer else []),
    ]


def training(record: Record) -> tuple[str, str]:
    """What `searching` needs besides, so that cells are trained as in `record`; and, where no option of it does that,
    the command that trains one cell afterwards, else nothing."""
    config = record["config"]
    dataset, processes = config["dataset"]["name"], config["processes"]
    changed = {**config["overrides"]["protocol"], **config["overrides"]["numerics"]}
    if not changed and processes == 1:
        return f"--retrain {dataset}", ""
    run = ["python"] if processes == 1 else ["torchrun", "--nproc-per-node", str(processes)]
    words = [*run, "-m", "harness.evaluate.retrain", "--cell", "CELL", "--dataset", dataset]
    words += ["--seeds", "SEED-SEED", "--device", _device(record)]
    for name, value in sorted(changed.items()):
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return "--retrain none", shlex.join(words)


def _named(source: Mapping[str, Any]) -> str:
    return f"FILE.py:{source['name']}" if source["origin"] == "external" else str(source["name"])


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
