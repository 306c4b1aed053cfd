"""Numbers do not change without a new version: of a method, of a protocol, or of a supernet.

`versions.json` holds what every method computes in two short epochs in float64 on each space, and digests of all
protocols and default settings. After a change that is meant, raise the version (of the class, `Budget.version`,
`Benchmark.version`), note it in the CHANGELOG, and write the file again: python -m tests.test_versions
"""

import hashlib
import json
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import pytest
import torch

from harness import plugins
from harness.api import BlackBox
from harness.benchmarks import BENCHMARKS
from harness.benchmarks.darts.recipes import RECIPES
from harness.data import load, search_data
from harness.data.batches import Batches
from harness.experiment import conformance, registry
from harness.experiment.overrides import default_settings
from harness.experiment.registry import built_in
from harness.protocol import PROFILES, split_numerics
from harness.search.loop import Search
from tests.problems import budget, build_supernet, small

FILE = Path(__file__).with_name("versions.json")
TOLERANCE = 1e-9
"""Relative; what two machines differ by in float64 after two epochs is far below."""
FEW = {"enas": {"steps": 2, "samples": 3, "candidates": 3, "last_candidates": 4}}
FEW["shapley-nas"] = {"samples": 2}
FEW |= {name: {"candidates": 5} for name in ("random-search-ws", "setn")}


def searched():
    """(method, space) of every weight-sharing method; of spaces that share all their code, the last one."""
    last = {type(benchmark): benchmark for benchmark in BENCHMARKS.values()}
    for name, entry in built_in().items():
        cls = plugins.load(entry)
        if not issubclass(cls, BlackBox):
            yield from ((name, known.name) for known in last.values() if not registry.why_not(cls, known))


def numbers(name, space):
    """Losses, accuracies, and projections of theta and w on fixed directions, after each of two epochs in float64."""
    cls = plugins.load(built_in()[name])
    benchmark, images = small(name, space)
    size = {"epochs": 2, "channels": 4, "batch_size": images // 2}
    protocol = replace(budget("quick", space, "digits", name, size).protocol, zero_operation=True)
    data = conformance.few(search_data(load("digits", Path()), cls.bilevel), images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "_normalised", in_float64)
        torch.set_default_dtype(torch.float64)
        try:
            torch.manual_seed(1)
            method = cls(benchmark.full_space, **FEW.get(name, {}))
            torch.manual_seed(2)
            supernet = build_supernet(method.space, protocol, data.classes, method.supernet)
            search = Search(method, supernet, data, protocol, seed=0, device=torch.device("cpu"))
            return [number for log in search.epochs() for number in measured(log, supernet)]
        finally:
            torch.set_default_dtype(torch.float32)


def in_float64(batches, pixels):
    mean, std = (torch.tensor(values)[:, None, None] for values in (batches.mean, batches.std))
    return ((pixels.double() - mean) / std).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)


def measured(log, supernet):
    w = torch.cat([weight.detach().flatten() for weight in supernet.parameters()])
    return [log.loss, log.train_accuracy, projected(torch.from_numpy(log.theta).double()), projected(w)]


def projected(values):
    """A number that a change of any of the values changes."""
    flat = values.flatten()
    return float(flat @ torch.sin(torch.arange(1, len(flat) + 1, dtype=torch.float64)))


def protocols():
    """Digest and version of every protocol and recipe."""
    budgets = [benchmark.default_simulation("paper") for benchmark in BENCHMARKS.values()]
    for benchmark in BENCHMARKS.values():
        cases = product(PROFILES, benchmark.datasets, ["", *registry.built_in()])
        budgets += [benchmark.default_protocol(*case) for case in cases]
    found = {named(budget): (budget.version, budget.protocol) for budget in budgets}
    found |= {f"darts/retraining/{dataset}": (1, recipe) for dataset, recipe in RECIPES.items()}
    return {
        name: {"version": version, "sha256": digest(split_numerics(asdict(values))[0])}
        for name, (version, values) in found.items()
    }


def named(budget):
    """Controls that query nothing have the first version of the protocol of queries."""
    return budget.name if budget.version == 1 else f"{budget.name} v{budget.version}"


def defaults():
    """Digest of the default settings of every method, and its version."""
    classes = {name: plugins.load(entry) for name, entry in built_in().items()}
    return {name: {"version": cls.version, "sha256": digest(default_settings(cls))} for name, cls in classes.items()}


def digest(values):
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def versions(name, space):
    return {"method": plugins.load(built_in()[name]).version, "supernet": BENCHMARKS[space].version}


def written():
    return json.loads(FILE.read_text())


@pytest.mark.parametrize("name, space", list(searched()))
def test_numbers_of_a_version_do_not_change(name, space):
    expected = written()["numbers"][f"{name} on {space}"]
    assert expected["versions"] == versions(name, space), "another version: write versions.json again"
    assert numbers(name, space) == pytest.approx(expected["values"], rel=TOLERANCE)


@pytest.mark.parametrize("part, found", [("protocols", protocols), ("defaults", defaults)])
def test_values_of_a_version_do_not_change(part, found):
    assert found() == written()[part]


def main():
    torch.set_num_threads(1)
    found = {
        f"{name} on {space}": {"versions": versions(name, space), "values": numbers(name, space)}
        for name, space in searched()
    }
    content = {"numbers": found, "protocols": protocols(), "defaults": defaults()}
    FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
