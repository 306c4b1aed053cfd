"""Training-free scores of random architectures, their rank correlation with the accuracy, and the best of N.

Scores are computed once and kept in DIR/training-free, so that the command can be stopped and repeated: the same
architectures come first, however many are asked for. Several processes may compute scores at once. On CIFAR-10,
one NAS-Bench-201 cell takes from 0.2 seconds (synflow) to 4 seconds (grasp) of one core, all scores together about 9.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness import plugins
from harness.arguments import Parser
from harness.commands import execution, values
from harness.commands.console import Output
from harness.commands.report import add_space, print_failures
from harness.experiment import registry
from harness.installation import PUBLISHED

FAMILY = "training-free"


def main(arguments: Sequence[str], program: str) -> int:
    options = parser(program).parse_args(arguments)
    known = registry.families()[FAMILY]
    unknown = [name for name in options.scores if name not in known]
    if unknown:
        raise ValueError(f"no score {unknown[0]!r}; known: {', '.join(known)}")
    methods = {name: plugins.load(registry.built_in()[name]) for name in options.scores}
    console, benchmark = Output(soft_wrap=False), registry.benchmark_of(options.space)
    if reason := next(filter(None, (registry.why_not(cls, benchmark) for cls in methods.values())), None):
        raise ValueError(f"{benchmark.name}: {reason}")
    evaluator = benchmark.evaluator(options.table)
    if evaluator is None:
        raise ValueError(f"{benchmark.name} has no accuracies to compare scores with")
    from harness.data import load
    from harness.experiment.devices import prepare, usable
    from harness.experiment.store import Store
    from harness.experiment.training_free import compute
    from harness.report.published import load as load_published
    from harness.report.training_free import write

    (device,) = usable([options.device])
    prepare(options.threads)
    dataset = load(options.dataset or benchmark.default_datasets["controlled"], options.data)
    scores = compute(benchmark, dataset, methods, options.cells, Store(options.results), device)
    accuracies, failures = evaluator.scores(sorted(set(scores["architecture"])))
    scored = (benchmark.name, dataset.name)
    written = write(
        options.results, scores, accuracies, load_published(PUBLISHED), scored, benchmark.excerpt, options.figures
    )
    console.print(f"{scores['seconds'].sum():,.0f} s of scoring; {written}", soft_wrap=True)
    print_failures(failures, console)
    return int(bool(failures))


def parser(program: str = "python -m harness scores") -> argparse.ArgumentParser:
    result = Parser(prog=program, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(registry.families()[FAMILY])
    result.add_argument(
        "--scores", type=values.names, default=names, metavar="A[,B]", help=f"default: {', '.join(names)}"
    )
    result.add_argument("--cells", type=values.positive, default=1000, metavar="N", help="default: %(default)s")
    result.add_argument("--dataset", metavar="NAME", help="default: that of the profile `controlled`")
    result.add_argument("--device", default="cpu", help="default: %(default)s")
    result.add_argument("--threads", type=values.positive, default=1, metavar="N", help="default: %(default)s")
    result.add_argument("--table", type=Path, help="table of accuracies (default: the bundled one)")
    result.add_argument(
        "--figures",
        type=values.formats,
        default="png,pdf,svg",
        metavar="A[,B]",
        help="formats of the figures, or none (default: %(default)s)",
    )
    add_space(result)
    execution.add_data(result)
    execution.add_results(result)
    return result
