"""Check a method against the contract: METHOD is a name, file.py:Class or package.module:Class.

Runs the contract tests of the built-in methods: shapes, simplex after every epoch, determinism, exact resume after
every epoch, with and without the zero operation, on every benchmark or on --space. Searches on a few digits; takes
half a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness import plugins
from harness.arguments import Parser
from harness.benchmarks import BENCHMARKS, Benchmark
from harness.commands import values
from harness.experiment import registry
from harness.plugins import Entry
from harness.protocol import Protocol

EPOCHS = 3
IMAGES = 96
"""For each kind of step: enough to see whether a method keeps the contract."""


def main(arguments: Sequence[str], program: str) -> int:
    """Exit status: 0 the contract is met, 1 it is not."""
    options = parser(program).parse_args(arguments)
    name, entry = registry.named(options.method)
    benchmarks = [registry.benchmark_of(options.space)] if options.space else list(BENCHMARKS.values())
    reasons, problems = check(entry, benchmarks, plugins.external(options.optimizer) if options.optimizer else None)
    name += f" with {options.optimizer.rpartition(':')[2]}" if options.optimizer else ""
    sys.stdout.write("".join(f"- {line}\n" for line in problems) or f"{name} meets the contract.\n")
    sys.stdout.write("".join(f"It does not run {line}.\n" for line in reasons))
    return int(bool(problems))


def parser(program: str = "python -m harness check") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("method", metavar="METHOD")
    result.add_argument("--space", type=values.space, metavar="NAME", help="default: every space")
    result.add_argument(
        "--optimizer", metavar="FILE.py:CLASS", help="check the method with this optimizer in the place of its own"
    )
    return result


def check(entry: Entry, benchmarks: Sequence[Benchmark], optimizer: Entry | None = None) -> tuple[list[str], list[str]]:
    """Why a method does not run on some benchmarks, and what is wrong with it, in lines that say how to fix it."""
    import torch

    from harness.api import BlackBox, OneShot, TrainingFree
    from harness.data import load, search_data
    from harness.experiment import conformance, exchange

    torch.set_num_threads(1)
    cls = plugins.load(entry)
    if issubclass(cls, OneShot) and (problems := conformance.first_contract_problems(cls)):
        return [], problems
    exchanged: exchange.Exchange | None = (plugins.load(optimizer), {}) if optimizer else None
    reasons, problems = [], []
    for benchmark in benchmarks:
        if reason := registry.why_not(cls, benchmark):
            reasons.append(f"on {benchmark.name}: {reason}")
        elif issubclass(cls, BlackBox):
            problems += conformance.examine_black_box(cls, benchmark, exchanged)
        elif issubclass(cls, TrainingFree):
            images = load(benchmark.default_datasets["quick"], Path())
            problems += conformance.examine_training_free(cls, benchmark, images, exchanged)
        elif not issubclass(cls, OneShot):
            problems += conformance.problems(cls, benchmark.full_space)
        else:
            dataset = benchmark.default_datasets["quick"]
            data = conformance.few(search_data(load(dataset, Path()), cls.bilevel), IMAGES)
            quick = benchmark.default_protocol("quick", dataset, "").protocol
            assert isinstance(quick, Protocol)
            variants = {benchmark.space(zero_operation).options: zero_operation for zero_operation in (False, True)}
            for zero_operation in variants.values():  # one where there is no zero operation
                protocol = replace(quick, epochs=EPOCHS, zero_operation=zero_operation)
                where = f"on {benchmark.name} {'with' if zero_operation else 'without'} the zero operation"
                problems += [
                    f"{where}: {line}"
                    for line in conformance.examine(cls, benchmark, data, protocol, optimizer=exchanged)
                ]
    return reasons, list(dict.fromkeys(problems))
