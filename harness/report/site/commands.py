"""Commands that reproduce recorded runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from harness.experiment.store import Record
from harness.report.render.wording import ranges


def searching(record: Record, seeds: Iterable[int]) -> str:
    """The command that repeats the searches of one configuration; `record` is any of its records.

    External methods, optimizers, spaces and datasets appear as FILE.py:name, since records do not store file paths.
    """
    config = record["config"]
    name = config["method"]["name"]
    words = ["--space", _space(config["benchmark"]), "--methods", _named(config["method"])]
    words += ["--seeds", seed_ranges(seeds), "--profile", config["profile"]]
    if not config.get("table"):
        words += ["--dataset", _named(config["dataset"])]
    elif config["benchmark"]["origin"] == "built-in":
        words += ["--table", "TABLE"]
    if config["kind"] != "black-box":
        words += ["--device", _device(record)]
        words += ["--threads", str(record["provenance"].get("threads") or 1)]
    for override in _overrides(config):
        words += ["--set", f"{name}.{override}"]
    return shlex.join(["python", "run_all.py", *words])


def _overrides(config: Mapping[str, Any]) -> list[str]:
    """Overrides of a configuration in the form that `--set` takes after the method's name."""
    overrides, optimizer = config["overrides"], config["optimizer"]
    protocol = {**overrides["protocol"], **overrides["numerics"]}
    return [
        *(f"{setting}={_value(value)}" for setting, value in sorted(overrides["settings"].items())),
        *(f"protocol.{field}={_value(value)}" for field, value in sorted(protocol.items())),
        *([f"optimizer=FILE.py:{optimizer['name']}"] if optimizer else []),
        *(f"optimizer.{name}={_value(value)}" for name, value in (optimizer or {}).get("settings", {}).items()),
    ]


def retraining(record: Record) -> tuple[str, str]:
    """Arguments to add to the command of `searching` so that cells are retrained as in `record`.

    Returns:
        The arguments, and the command that retrains one cell afterwards; the latter is empty if the arguments suffice.
    """
    config = record["config"]
    dataset, processes = config["dataset"]["name"], config["processes"]
    overrides = {**config["overrides"]["protocol"], **config["overrides"]["numerics"]}
    if not overrides and processes == 1:
        return f"--retrain {dataset}", ""
    run = ["python"] if processes == 1 else ["torchrun", "--nproc-per-node", str(processes)]
    words = [*run, "-m", "harness", "retrain", "--cell", "CELL", "--dataset", dataset]
    if config["benchmark"]["origin"] == "external":
        words += ["--space", _space(config["benchmark"])]
    words += ["--seeds", "SEED-SEED", "--device", _device(record)]
    for name, value in sorted(overrides.items()):
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return "--retrain none", shlex.join(words)


def _space(benchmark: Mapping[str, Any]) -> str:
    return (
        f"FILE.py:{benchmark.get('class', benchmark['name'])}"
        if benchmark["origin"] == "external"
        else _named(benchmark)
    )


def _named(source: Mapping[str, Any]) -> str:
    return f"FILE.py:{source['name']}" if source["origin"] == "external" else str(source["name"])


def seed_ranges(seeds: Iterable[int]) -> str:
    """Seeds as `--seeds` takes them, e.g. `0-3,7`. A single seed becomes a range (`3-3`), since the option reads a
    single number as the number of seeds."""
    text = ranges(seeds).replace(" ", "")
    return f"{text}-{text}" if text.isdecimal() else text


def _device(record: Record) -> str:
    """The device as `--device` takes it."""
    device = str(record["provenance"].get("device"))
    return device if device in ("cpu", "mps") else "cuda"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
