"""How long a job takes, what memory it needs and what it costs, from a few steps of it."""

from __future__ import annotations

from typing import NamedTuple

from harness.experiment.devices import prepare
from harness.experiment.jobs.base import Job, Machine
from harness.experiment.jobs.search import OneShotJob
from harness.experiment.memory import peak_megabytes, reset_peak_memory
from harness.search.dry import dry_run


class Estimate(NamedTuple):
    seconds: float
    megabytes: float
    """Peak memory of the process, on the CPU or, where the run has one, of the GPU."""


def estimate(job: Job, machine: Machine) -> Estimate:
    """Length and memory of a whole run, as its first steps suggest."""
    prepare(machine.threads)
    reset_peak_memory(machine.device)
    seconds = job.begin(machine).epoch_seconds() * job.epochs
    return Estimate(seconds, peak_megabytes(machine.device))


def multiply_adds(job: OneShotJob, machine: Machine) -> float:
    """Of a whole search, counted in a dry run; NaN if its supernet does not count them."""
    prepare(machine.threads)
    return dry_run(job.search(machine)).multiply_adds
