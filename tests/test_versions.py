"""Numbers do not change without a new version: of a method, of a protocol, or of a supernet.

`versions.json` holds what every method computes in two short epochs in float64 on each space, training-free scores of
two architectures, and digests of all protocols and default settings. After a change that is meant, raise the version
(of the class, `Budget.version`, `Benchmark.version`), note it in the CHANGELOG, and write the file again:
python -m tests.test_versions
"""

import hashlib
import json
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import pytest
import torch

from harness import plugins
from harness.api import OneShot, TrainingFree
from harness.benchmarks import BENCHMARKS
from harness.benchmarks.darts.recipes import RECIPES
from harness.data import load, search_data
from harness.data.batches import Batches
from harness.experiment import conformance, registry
from harness.experiment.overrides import default_settings
from harness.experiment.registry import built_in
from harness.protocol import PROFILES, NetworkSize, split_numerics
from harness.search.loop import Search
from harness.search.scoring import Scorer, Scoring
from tests.problems import OF_EVERY_KIND, budget, build_supernet, every_time, small

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
        if issubclass(cls, OneShot):
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


def scored():
    """(method, space) of every training-free method."""
    for name, entry in built_in().items():
        cls = plugins.load(entry)
        if issubclass(cls, TrainingFree):
            yield from ((name, space) for space, known in BENCHMARKS.items() if not registry.why_not(cls, known))


def scores(name, space):
    """Of the first architectures that a search draws, on small networks in float64."""
    benchmark = BENCHMARKS[space]
    method = plugins.load(built_in()[name])(benchmark.full_space, cells=2)

    def make(arch, classes, affine):
        return benchmark.untrained(arch, NetworkSize(channels=4, cells=1), classes, affine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "_normalised", in_float64)
        torch.set_default_dtype(torch.float64)
        try:
            (log,) = Scoring(method, Scorer(method, make, load("digits", Path()), 0, "cpu"), 0).epochs()
        finally:
            torch.set_default_dtype(torch.float32)
    return log.values


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
    scoring = [benchmark.default_scoring(profile, "") for benchmark in BENCHMARKS.values() for profile in PROFILES]
    budgets += [budget for budget in scoring if budget]
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


def is_quick(name, space):
    """Every method on one space, and on every space one of every kind, but for the slowest."""
    return space == "nasbench201" or (name in OF_EVERY_KIND and (name, space) != ("darts", "darts"))


@pytest.mark.parametrize("name, space", every_time(searched(), is_quick))
def test_numbers_of_a_version_do_not_change(name, space):
    expected = written()["numbers"][f"{name} on {space}"]
    assert expected["versions"] == versions(name, space), "another version: write versions.json again"
    assert numbers(name, space) == pytest.approx(expected["values"], rel=TOLERANCE)


@pytest.mark.parametrize("name, space", list(scored()))
def test_scores_of_a_version_do_not_change(name, space):
    expected = written()["scores"][f"{name} on {space}"]
    assert expected["versions"] == versions(name, space), "another version: write versions.json again"
    assert scores(name, space) == pytest.approx(expected["values"], rel=TOLERANCE)


@pytest.mark.parametrize("part, found", [("protocols", protocols), ("defaults", defaults)])
def test_values_of_a_version_do_not_change(part, found):
    assert found() == written()[part]


def main():
    torch.set_num_threads(1)
    found = {
        f"{name} on {space}": {"versions": versions(name, space), "values": numbers(name, space)}
        for name, space in searched()
    }
    values = {
        f"{name} on {space}": {"versions": versions(name, space), "values": scores(name, space)}
        for name, space in scored()
    }
    content = {"numbers": found, "scores": values, "protocols": protocols(), "defaults": defaults()}
    FILE.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
