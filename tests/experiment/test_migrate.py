"""Records of the first format become records of the present one, and replanning finds them."""

from pathlib import Path

import pytest

from harness.commands.run import parser
from harness.experiment.plan import plan
from harness.experiment.registry import benchmark_of, select
from harness.experiment.retrainings import of_searches
from harness.experiment.store import Store

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
SMALL = (
    "--profile controlled --set protocol.channels=8 --set protocol.cells=1 --set protocol.epochs=25 --dataset cifar10"
)
THIRTEEN = "random-search-ws,darts,darts-2nd,pc-darts,gdas,setn,enas,gaea-all,gd-simplex,darts-erm"
LATER = (
    "sdarts-rs,sdarts-adv,darts-pt,darts-pt-fixed,beta-darts,lambda-darts,darts-es,"
    "shapley-nas,oles,darts-minus,fairdarts,drnas,snas,idarts"
)
MODES = "--methods gaea-darts-erm,gaea-darts-bilevel,darts --seeds 8"
SEVEN = "gaea,darts,darts-erm,gd-simplex,gdas,random-search-ws"
SIX = "gaea,pc-darts,darts,gdas,random-search-ws,random-cell"
NINE = "random-search-ws,darts,darts-2nd,pc-darts,gdas,gaea-darts-erm,gaea-darts-bilevel,gaea-pc-darts,random-cell"
COMMANDS = [
    f"--methods {THIRTEEN},{LATER},random-cell --seeds 8",
    "--methods gd-simplex --set gd-simplex.lr=0.025 --seeds 8",
    "--methods gd-simplex --set gd-simplex.lr=0.1 --seeds 8",
    f"{MODES} --set protocol.precision=bf16",
    f"{MODES} --set protocol.compiled=true",
    f"--methods {SEVEN} --seeds 4 {SMALL}",
    f"--methods gd-simplex --set gd-simplex.lr=0.025 --seeds 4 {SMALL}",
    f"--methods gaea-darts-bilevel,darts --seeds 3 --set protocol.precision=bf16 {SMALL}",
    f"--space darts --methods {NINE} --seeds 8",
    *(f"--space nasbench1shot1-{n} --methods {SIX} --seeds 4" for n in (1, 2, 3)),
    "--methods black-box --seeds 2000",
    "--methods reinforce --set reinforce.lr=0.1 --seeds 2000",
    "--methods reinforce --set reinforce.lr=0.5 --seeds 2000",
]
"""Those of results/README.md."""


def planned(command, table, data):
    options = parser().parse_args(command.split())
    entries = select(options.methods, benchmark_of(options.space)).entries
    datasets = options.dataset or ["digits"]
    queried = table if options.space == "nasbench201" else None
    return plan(entries, options.space, options.profile, datasets, options.seeds, options.set, data, queried)


@pytest.mark.faults
def test_replanning_the_commands_of_the_reference_results_yields_their_keys(full_table, test_data):
    """But for searches by earlier versions of a method."""
    jobs = [job for command in COMMANDS for job in planned(command, Path(full_table), test_data / "cifar")]
    records = Store(REFERENCE).records()
    jobs += of_searches("darts", records, "digits", test_data)
    full_size = {record["key"] for record in records if record["config"]["dataset"]["origin"] == "reordered"}
    assert len(full_size) == 1  # planned with all images of CIFAR-10, which the test data do not hold
    older = {name for name, version in versions(records) - versions(jobs) if version}
    assert older <= {"darts-2nd", "enas"}
    stored = {record["key"] for record in records if searched_by(record["config"]) not in older}
    assert {job.key for job in jobs if searched_by(job.config) not in older} == stored - full_size


def versions(searches):
    configs = [each["config"] if isinstance(each, dict) else each.config for each in searches]
    return {(searched_by(config), config.get("method", {}).get("version")) for config in configs}


def searched_by(config):
    return config.get("method", {}).get("name")
