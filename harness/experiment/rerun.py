"""Runs a stored search again, from its record and the sources beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness import plugins
from harness.benchmarks import BENCHMARKS
from harness.experiment import plan, registry, runner
from harness.experiment.jobs.base import Machine
from harness.experiment.jobs.search import SearchJob, search_job
from harness.experiment.merge import differences
from harness.experiment.sessions import differing
from harness.experiment.store import Record, Store
from harness.plugins import Entry
from harness.protocol import Budget

SAME = ("threads", "device", "cpu_capability")
"""Of the provenance: where these and the version of torch are the same, so are the results, bit for bit."""


class UnrepeatableError(Exception):
    """The images or the table of a run are not at hand."""


@dataclass(frozen=True)
class Again:
    """A run and its repetition."""

    record: Record
    differences: tuple[str, ...]
    """In what the results differ; empty: bit for bit the same."""
    surroundings: tuple[str, ...]
    """In what the machines differ, which explains other results."""


def outdated(record: Record) -> str | None:
    """Why this code does not repeat a finished search: its method, supernet or protocol is of another version. None if
    it does. What is external is the source that was stored with the search, of which there is one version."""
    config = record["config"]
    for what, (asked, present) in _versions(config).items():
        if present is None:
            return f"this code does not have its {what}"
        if asked != present:
            return f"it is of version {asked} of its {what}, and this code has version {present}"
    return None


def _versions(config: dict[str, Any]) -> dict[str, tuple[int, int | None]]:
    """Of what is built in: the version that a search had, and the present one."""
    method, benchmark, protocol = config["method"], config["benchmark"], config["protocol"]
    built_in = {what for what in ("method", "benchmark") if config[what]["origin"] == "built-in"}
    found: dict[str, tuple[int, int | None]] = {}
    if "method" in built_in:
        entry = registry.built_in().get(method["name"])
        found["method"] = (method["version"], plugins.load(entry).version if entry else None)
    if "benchmark" in built_in:
        space = BENCHMARKS.get(benchmark["name"])
        found["supernet"] = (benchmark["version"], space.version if space else None)
    if built_in == {"method", "benchmark"} and None not in [present for _, present in found.values()]:
        budget = _default(benchmark["name"], method["name"], config["profile"], config["dataset"]["name"])
        if budget.name == protocol["id"]:  # else the present protocols do not tell
            found["protocol"] = (protocol["version"], budget.version)
    return found


@cache
def _default(benchmark: str, method: str, profile: str, dataset: str) -> Budget:
    entry = registry.built_in()[method]
    return plan.defaults_of(BENCHMARKS[benchmark], method, entry, plugins.load(entry), profile, dataset).budget


def again(store: Store, record: Record, folder: Path, data: Path, table: Path | None) -> Again:
    """Run a finished search of the results folder `store` again.

    Args:
        folder: an empty one, for the sources and the result.
        data: of image datasets.
        table: what black-box methods query; None: the benchmark's own.

    Raises:
        ValueError: if a source is missing.
        UnrepeatableError: says what is not at hand.
    """
    job = _job(store, record, folder / "sources")
    target = Store(folder / "results")
    target.prepare()
    threads = record["provenance"].get("threads") or 1
    machine = Machine(target.folder, data, table, "cpu", threads, None, None)
    if reason := _not_at_hand(job, machine):
        raise UnrepeatableError(reason)
    runner.execute(job, machine)
    repeated = target.read(job.key)
    assert repeated is not None
    if repeated["status"] != "done":
        reason = (repeated["failure"] or "").strip().splitlines()[-1]
        return Again(record, (f"the repetition failed: {reason}",), ())
    found = differences(store, record, target, repeated)
    return Again(record, tuple(found), tuple(_surroundings(record["provenance"], repeated["provenance"])))


def _not_at_hand(job: SearchJob, machine: Machine) -> str | None:
    """What a search needs that is neither stored beside its record nor comes with the package; None if it is here."""
    dataset, queried = job.config["dataset"], job.config.get("table")
    if queried and job.benchmark.sha256 is None:
        try:
            oracle = job.benchmark.oracle(machine.table)
        except ValueError:  # a table of another benchmark
            oracle = None
        here = oracle is not None and oracle.config["sha256"] == queried["sha256"]
        return None if here else "the table that it queried is not at hand"
    if job.config["kind"] == "black-box" or dataset["origin"] == "external" or dataset["name"] in job.benchmark.proxies:
        return None
    try:
        found = plan.images_of(dataset["name"], machine.data).sha256
    except (OSError, ValueError) as error:
        return " ".join(str(error).split())
    return None if found == dataset["sha256"] else f"the images of {dataset['name']} at hand are others"


def _surroundings(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    pairs = {name: (first.get(name), second.get(name)) for name in SAME}
    pairs["torch"] = tuple(each.get("versions", {}).get("torch") for each in (first, second))
    found = [f"{name}: {ours} and {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs]
    if sessions := first.get("sessions"):
        wrote = {name: first.get(name) for name in sessions[-1] if name != "dirty"}  # which may have had no epoch to do
        names = differing([*sessions, {**wrote, "dirty": sessions[-1].get("dirty")}])
        found.append(f"it was resumed, and its sessions differ in {', '.join(names)}")
    return found


def _job(store: Store, record: Record, folder: Path) -> SearchJob:
    config = record["config"]
    external = {what: _word(store, record, what, folder) for what in record["provenance"].get("sources", {})}
    benchmark = external.get("benchmark", config["benchmark"]["name"])
    if benchmark not in BENCHMARKS and "benchmark" not in external:
        raise ValueError(f"the source of the space {benchmark} is missing")
    entry = registry.named(external.get("method", config["method"]["name"]))[1]
    images = external.get("dataset", config["dataset"]["name"])
    optimizer = Entry(external["optimizer"], external=True) if "optimizer" in external else None
    return search_job(config, entry, benchmark, record["family"], record["paper"], images, optimizer)


def _word(store: Store, record: Record, what: str, folder: Path) -> str:
    """`file.py:name` of an external class or function, written under its own name into a folder of its own."""
    source = record["provenance"]["sources"][what]
    path = folder / source["sha256"] / Path(source["file"]).name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(store.source_path(source["sha256"]).read_bytes())
    return f"{path}:{source['name']}"
